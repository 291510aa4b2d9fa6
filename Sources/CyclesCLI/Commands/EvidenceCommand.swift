import Cycles

/// `cycles evidence`: shows and verifies signed evidence envelopes.
enum EvidenceCommand {
    static let command = Command(
        name: "evidence",
        summary: "Shows and verifies signed evidence.",
        discussion: "`cycles evidence EVIDENCE` is short for `cycles evidence get EVIDENCE`.",
        subcommands: [get, verify],
        implied: "get"
    )

    // MARK: Showing

    private static let id = Operand("EVIDENCE", "The evidence's id.", isRequired: false, parse: Values.text)
    private static let keys = Flag("keys", "Show the server's signing keys instead of an envelope.")
    private static let wait = Option(
        "wait",
        "TIME",
        "The time to wait for the envelope to appear; 0s by default.",
        parse: Values.duration
    )

    private static let get = Command(
        name: "get",
        summary: "Shows a signed evidence envelope, or the keys that sign envelopes.",
        discussion: "With --json, the output is a file for `cycles evidence verify`.",
        sections: [("Options", [id, keys, wait, OperationCommands.json]), ConnectionOptions.section],
        examples: [
            "cycles evidence get \"$id\" --json > evidence.json",
            "cycles evidence get --keys --json > keys.json",
        ]
    ) { arguments in
        if arguments[keys] {
            return try await OperationCommands.perform(
                arguments,
                { client throws(CyclesError) in try await client.getEvidenceKeys() }
            ) { AnswerReport.lines($0) }
        }
        guard let id = arguments[id] else {
            throw ToolFailure("give the id of an envelope, or --keys", status: .misuse)
        }
        return try await OperationCommands.perform(
            arguments,
            { client throws(CyclesError) in
                try await client.getEvidence(EvidenceID(id), waitingUpTo: arguments[wait] ?? .zero)
            }
        ) { AnswerReport.lines($0) }
    }

    // MARK: Verifying

    private static let source = Operand(
        "EVIDENCE",
        "A file with an envelope, - for standard input, or an id to fetch from the server.",
        completion: .file,
        parse: Values.text
    )
    private static let keyFile = Option(
        "keys",
        "FILE",
        "The key set of the server that issued the evidence, a JWK Set.",
        completion: .file,
        parse: Values.text
    )
    private static let signer = Option(
        "signer",
        "SIGNER",
        "The only signer to accept: a public key in hexadecimal digits, or a did:cycles identifier.",
        parse: Values.text
    )

    private static let verify = Command(
        name: "verify",
        summary: "Verifies the content hash, the signature and the signer of an envelope.",
        discussion: """
            A file is verified without a connection. Without --keys, evidence whose signer is a public key proves only
            that its holder signed it; give --signer if you know the key. An id is fetched from the server, as are the
            keys without --keys.

              0    authentic: the key set authorizes the signer, or the signature is
                   valid and the signer is the one of --signer
              3    the signature is valid, but nothing tells whose key signed
              4    the signer is not authorized, or not the one of --signer
              5    the signer cannot be looked up: the key set is missing or cannot be
                   read
              6    the evidence was changed or forged, or is no evidence
            """,
        sections: [("Options", [source, keyFile, signer, wait, OperationCommands.json]), ConnectionOptions.section],
        examples: [
            "cycles evidence verify evidence.json --keys keys.json",
            "cycles evidence get \"$id\" --json | cycles evidence verify - --keys keys.json",
        ],
        run: verify
    )

    private static func verify(_ arguments: Arguments) async throws -> ExitStatus {
        let name = arguments.required(source)
        let keys = try arguments[keyFile].map(keySet)
        let isFetched = isIdentifier(name) && !Files.exists(name)
        let report: VerificationReport
        if isFetched {
            report = try await OperationCommands.withClient(arguments) { client in
                try await fetched(EvidenceID(name), keys, client, arguments)
            }
        } else {
            let document = try contents(name, "evidence")
            report = try VerificationReport(document, EvidenceVerifier(keys: keys, expectedSigner: arguments[signer]))
        }
        if arguments[OperationCommands.json] { Console.json(report.json) } else { Console.lines(report.lines) }
        return report.status
    }

    private static func fetched(
        _ id: EvidenceID,
        _ keys: EvidenceKeySet?,
        _ client: CyclesClient,
        _ arguments: Arguments
    ) async throws -> VerificationReport {
        let answer = try await client.getEvidence(id, waitingUpTo: arguments[wait] ?? .zero)
        guard keys == nil else {
            return try VerificationReport(answer.body, EvidenceVerifier(keys: keys, expectedSigner: arguments[signer]))
        }
        let reference = EvidenceReference(evidenceID: id, url: "")
        do throws(CyclesError) {
            let verification = try await client.verifyEvidence(reference, expectedSigner: arguments[signer])
            return VerificationReport(envelope: answer.value, verification: verification)
        } catch {
            guard case .validation = error else { throw error }
            throw VerificationReport.noEvidence(error)
        }
    }

    /// Whether a text has the form of an evidence's id.
    private static func isIdentifier(_ text: String) -> Bool {
        text.utf8.count == 64 && text.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
    }

    private static func keySet(_ name: String) throws -> EvidenceKeySet {
        let document = try contents(name, "key set")
        do throws(JSONError) {
            return try EvidenceKeySet(parsing: document)
        } catch {
            throw ToolFailure(
                "\(name) is no key set: \(error); give the JWK Set of the server",
                status: .unresolvedSigner
            )
        }
    }

    private static func contents(_ name: String, _ kind: String) throws -> [UInt8] {
        do throws(SystemFailure) {
            return try Files.contents(name, limit: 16 << 20)
        } catch {
            throw ToolFailure("the \(kind): \(error)", status: .misuse)
        }
    }
}
