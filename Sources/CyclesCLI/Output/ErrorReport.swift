import Cycles

/// Why the tool ends without having done what it was asked.
struct ToolFailure: Error {
    var message: String
    var status: ExitStatus

    init(_ message: String, status: ExitStatus = .failure) {
        self.message = message
        self.status = status
    }
}

/// What an error means for whoever runs the tool.
enum ErrorReport {
    static func status(of error: CyclesError) -> ExitStatus {
        switch error {
        case .denied: .denied
        case .configuration, .validation: .misuse
        case .transport(let failure):
            switch failure.kind {
            case .connectionFailed, .timedOut, .tls: .unreachable
            case .invalidAnswer, .resourcesExhausted: .temporary
            default: .failure
            }
        case .invalidResponse(let answer) where !(300..<400).contains(answer.status): .temporary
        default:
            if error.status == 401 || error.status == 403 {
                .unauthorized
            } else if error.isRetryable {
                .temporary
            } else {
                .failure
            }
        }
    }

    /// For people.
    static func text(_ error: CyclesError) -> String {
        switch error {
        case .validation(let issue): return "Nothing was sent: \(name(issue.field)) \(issue.message)."
        case .configuration(let issue): return "Configuration: \(name(issue.name)) \(issue.message)."
        default: break
        }
        // What may have been applied is repeated under its key only.
        guard error.isRetryable, let key = error.idempotencyKey else { return "\(error)" }
        return "\(error)\nTo repeat it without doing it twice: --idempotency-key \(key)"
    }

    /// What the library calls something, and how it is given to the tool.
    static func name(_ field: String) -> String {
        let root = String(field.prefix { $0 != "." && $0 != "[" })
        return options[root].map { "\(field) (\($0))" } ?? field
    }

    private static let options = [
        "timeToLive": "--ttl", "gracePeriod": "--grace", "by": "--by", "estimate": "--estimate", "actual": "--actual",
        "action": "--action, --tag", "subject": "--subject, --tenant or CYCLES_TENANT", "metadata": "--metadata",
        "metrics": "--tokens-input, --tokens-output, --latency, --model-version", "reason": "--reason",
        "idempotencyKey": "--idempotency-key", "reservationID": "RESERVATION", "evidenceID": "EVIDENCE",
        "tls": "--ca, --client-certificate, --client-key", "unixSocketPath": "--unix-socket", "proxy": "--proxy",
    ]

    /// For programs: the members of the protocol's error answer, with the status and the key.
    static func json(_ error: CyclesError) -> [UInt8] {
        let members: [(String, JSONValue?)] = [
            ("error", code(of: error).map(JSONValue.string)), ("message", .string("\(error)")),
            ("request_id", error.requestID.map(JSONValue.string)), ("trace_id", error.traceID.map(JSONValue.string)),
            ("status", error.status.map { .number(JSONNumber(Int64($0))) }),
            ("idempotency_key", error.idempotencyKey.map { .string($0.rawValue) }),
        ]
        return JSONValue.object(Dictionary(uniqueKeysWithValues: members.map { ($0, $1 ?? nil) })).encoded
    }

    /// The same for what went wrong before anything was sent.
    static func json(_ failure: ToolFailure) -> [UInt8] {
        let names = ["error", "request_id", "trace_id", "status", "idempotency_key"]
        let absent = Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue.null) })
        return JSONValue.object(absent.merging(["message": .string(failure.message)]) { $1 }).encoded
    }

    private static func code(of error: CyclesError) -> String? {
        if case .denied(let denial) = error { return error.errorCode?.rawValue ?? denial.reason.rawValue }
        return error.errorCode?.rawValue
    }
}
