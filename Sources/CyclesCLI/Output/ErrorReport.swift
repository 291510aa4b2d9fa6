import Cycles

/// An error of the tool itself.
struct ToolFailure: Error {
    var message: String
    /// Lines that follow the message, such as a list of paths.
    var details: [String]
    var status: ExitStatus
    /// The code in errors for programs.
    var code: String

    /// - Parameter code: The code in errors for programs; nil for the code that belongs to the status.
    init(_ message: String, details: [String] = [], status: ExitStatus = .failure, code: String? = nil) {
        self.message = message
        self.details = details
        self.status = status
        self.code = code ?? ToolFailure.code(of: status)
    }

    private static func code(of status: ExitStatus) -> String {
        switch status {
        case .misuse: "USAGE"
        case .unprinted: "OUTPUT"
        case .temporary: "RESOURCES"
        default: "FAILURE"
        }
    }

    /// Creates a failure to write standard output. If the command has failed, its status takes precedence.
    init(_ failure: SystemFailure, after status: ExitStatus) {
        self.init("cycles: \(failure)", status: status == .success ? .unprinted : status)
    }
}

/// Formats errors, and maps them to exit statuses.
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

    /// The error as lines for people.
    static func lines(_ error: CyclesError) -> [String] {
        switch error {
        case .validation(let issue): return ["Nothing was sent: \(name(issue.field)) \(issue.message)."]
        case .configuration(let issue): return ["Configuration: \(name(issue.name)) \(issue.message)."]
        default: break
        }
        // To repeat a request that may have been applied safely, the caller needs its key.
        guard error.isRetryable, let key = error.idempotencyKey else { return ["\(error)"] }
        return ["\(error)", "To repeat the request safely, add --idempotency-key \(key)"]
    }

    /// The library's name of a field, followed by the option that sets it.
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

    /// The error as JSON, with the members of the protocol's error answer, the status, the idempotency key, and whether
    /// a repetition may succeed. `error` is never null.
    static func json(_ error: CyclesError) -> String { text(value(error)) }

    /// The error as a JSON value.
    static func value(_ error: CyclesError) -> JSONValue {
        let members: [(String, JSONValue?)] = [
            ("error", .string(code(of: error))), ("retryable", .bool(error.isRetryable)),
            ("message", .string("\(error)")),
            ("request_id", error.requestID.map(JSONValue.string)), ("trace_id", error.traceID.map(JSONValue.string)),
            ("status", error.status.map { .number(JSONNumber(Int64($0))) }),
            ("idempotency_key", error.idempotencyKey.map { .string($0.rawValue) }), ("details", details(of: error)),
        ]
        return .object(Dictionary(uniqueKeysWithValues: members.map { ($0, $1 ?? nil) }))
    }

    /// A failure of the tool as JSON with the same members.
    static func json(_ failure: ToolFailure) -> String {
        let names = ["request_id", "trace_id", "status", "idempotency_key", "details"]
        let absent = Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue.null) })
        let message = ([failure.message] + failure.details).joined(separator: "\n")
        let isRetryable = failure.status == .temporary
        return text(
            .object(
                absent.merging([
                    "error": .string(failure.code), "retryable": .bool(isRetryable), "message": .string(message),
                ]) { $1 }
            )
        )
    }

    private static func text(_ value: JSONValue) -> String { String(decoding: value.encoded, as: UTF8.self) }

    private static func details(of error: CyclesError) -> JSONValue? {
        switch error {
        case .denied(let denial): denial.details
        case .api(let answer) where !answer.details.isEmpty: .object(answer.details)
        default: nil
        }
    }

    /// The server's error code, or the name of the kind of failure.
    private static func code(of error: CyclesError) -> String {
        if let code = error.errorCode { return code.rawValue }
        return switch error {
        case .denied(let denial): denial.reason.rawValue
        case .transport, .ambiguous: "TRANSPORT"
        case .configuration: "CONFIGURATION"
        case .validation: "USAGE"
        case .cancelled: "CANCELLED"
        case .leaseLost: "LEASE_LOST"
        // An answer without a code of the protocol, as sent by gateways.
        default: "INVALID_ANSWER"
        }
    }
}
