import Cycles

/// The result of a tool: a value that conforms to the tool's output schema, or an error.
struct ToolResult: Equatable {
    /// The structured content, or the description of the error.
    var value: JSONValue
    /// A sentence for the model: what the result means, and what to do next.
    var hint: String?
    var isError = false

    /// A result without an error.
    init(_ members: [String: JSONValue], hint: String?) {
        var members = members
        members["hint"] = hint.map(JSONValue.string)
        value = .object(members)
        self.hint = hint
    }

    /// An error of the client's operation. It never contains a key.
    init(_ error: CyclesError) {
        var members = (ErrorReport.value(error).object ?? [:]).filter { $0.value != .null }
        if case .validation = error { members["error"] = "INVALID_ARGUMENTS" }
        members["retry_after_ms"] = error.retryAfter.map { .whole(Instants.milliseconds($0)) }
        value = ToolResult.camelCased(.object(members))
        hint = ToolResult.advice(on: error)
        isError = true
    }

    /// An error that was found before a request was sent.
    init(refusal message: String, code: String) {
        value = ["error": .string(code), "message": .string(message), "retryable": false]
        isError = true
    }

    /// The members of the result of `tools/call`, as JSON text without braces.
    var members: String {
        let texts = [value.text, hint].compactMap { $0 }.map {
            "{\"type\":\"text\",\"text\":\(JSONValue.string($0).text)}"
        }
        let structured = isError ? "" : "\"structuredContent\":\(value.text),"
        return "\"content\":[\(texts.joined(separator: ","))],\(structured)\"isError\":\(isError)"
    }

    /// The next step after an error whose message does not name it.
    private static func advice(on error: CyclesError) -> String? {
        switch error.errorCode {
        case .notFound:
            "Check the names and ids; cycles_list_reservations and cycles_check_balance show those that exist."
        case .reservationFinalized: "The reservation is settled: do not settle it again."
        case .reservationExpired: "The hold has expired: record a cost that has arisen with cycles_create_event."
        default: error.isRetryable ? "The call may succeed later: repeat it with the same arguments." : nil
        }
    }

    // MARK: Names

    /// The members whose values have names of the user's choice.
    private static let unnamed: Set<String> = ["metadata", "committed_metadata", "dimensions", "custom", "details"]

    /// Changes the protocol's names, such as `expires_at_ms`, to those of the tools, such as `expiresAtMs`.
    static func camelCased(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): .array(elements.map(camelCased))
        case .object(let members):
            .object(
                Dictionary(
                    members.map { (camelCased($0.key), unnamed.contains($0.key) ? $0.value : camelCased($0.value)) },
                    uniquingKeysWith: { $1 }
                )
            )
        default: value
        }
    }

    private static func camelCased(_ name: String) -> String {
        var result = ""
        var isStart = false
        for character in name {
            if character == "_", !result.isEmpty {
                isStart = true
            } else {
                result += isStart ? character.uppercased() : String(character)
                isStart = false
            }
        }
        return result
    }
}
