import Cycles

/// `cycles webhook`: verifies webhook deliveries, for receivers that are shell scripts.
enum WebhookCommand {
    static let command = Command(
        name: "webhook",
        summary: "Verifies webhook deliveries.",
        subcommands: [verify]
    )

    private static let variable = "CYCLES_WEBHOOK_SECRET"

    private static let body = Operand(
        "BODY",
        "A file with the body as it was received, or - for standard input.",
        completion: .file,
        parse: Values.text
    )
    private static let signature = Option(
        "signature",
        "TEXT",
        "The value of the header X-Cycles-Signature.",
        isRequired: true
    ) { text throws(InvalidValue) in text }
    private static let secretFile = Option(
        "secret-file",
        "FILE",
        "A file with the secret of the subscription; \(variable) by default. A line break at its end is left out.",
        completion: .file,
        parse: Values.text
    )

    private static let verify = Command(
        name: "verify",
        summary: "Verifies the signature of a delivery, and prints its event.",
        discussion: """
            The secret is never taken from the command line, where others could see it. The status is 6 if the signature
            does not belong to the body. A valid delivery may be a replay: refuse an event whose id was handled before,
            and take the id from the output, since header fields are not signed.
            """,
        sections: [("Options", [body, signature, secretFile, OperationCommands.json])],
        examples: ["cycles webhook verify - --signature \"$HTTP_X_CYCLES_SIGNATURE\" --json > event.json"]
    ) { arguments in
        let verifier = WebhookVerifier(secret: try secret(arguments))
        let body = try contents(arguments.required(body), "the body")
        // An unset variable leaves an empty text, which is no signature.
        let signature = arguments.required(signature)
        let event: WebhookEvent
        do throws(CyclesError) {
            event = try verifier.event(signature: signature, body: body)
        } catch {
            let isSigned = verifier.isValid(signature: signature, body: body)
            throw ToolFailure(
                "\(error)",
                status: isSigned ? .failure : .invalidSignature,
                code: isSigned ? "NO_EVENT" : "INVALID_SIGNATURE"
            )
        }
        if arguments[OperationCommands.json] { Console.json(body) } else { Console.lines(lines(event)) }
        return .success
    }

    private static func lines(_ event: WebhookEvent) -> [String] {
        var fields = FieldList()
        fields.add("event", event.id)
        fields.add("type", event.type)
        fields.add("category", event.category)
        fields.add("time", event.timestamp)
        fields.add("tenant", event.tenant)
        fields.add("source", event.source)
        fields.add("data", event.data == .null ? nil : String(decoding: event.data.encoded, as: UTF8.self))
        return fields.lines
    }

    private static func secret(_ arguments: Arguments) throws -> String {
        guard let file = arguments[secretFile] else {
            guard let secret = Environment.text(variable) else {
                throw ToolFailure(
                    "there is no secret; set \(variable), or give --secret-file",
                    status: .misuse
                )
            }
            return secret
        }
        var bytes = try contents(file, "the secret")
        for end in [UInt8(ascii: "\n"), UInt8(ascii: "\r")] where bytes.last == end { bytes.removeLast() }
        guard !bytes.isEmpty, let secret = String(validating: bytes, as: UTF8.self) else {
            throw ToolFailure("\(file) has no secret in UTF-8", status: .misuse)
        }
        return secret
    }

    private static func contents(_ name: String, _ kind: String) throws -> [UInt8] {
        do throws(SystemFailure) {
            return try Files.contents(name, limit: 16 << 20)
        } catch {
            throw ToolFailure("\(kind): \(error)", status: .misuse)
        }
    }
}
