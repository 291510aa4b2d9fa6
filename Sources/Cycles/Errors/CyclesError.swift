// Indirect, so that results and typed throws of a success stay as small as a pointer.
/// An error of a client's operation.
///
/// The description of an error states what failed, on what, why, and what to do. It never contains an API key.
public indirect enum CyclesError: Error, Hashable, Sendable {
    /// The HTTP exchange ended without an answer.
    case transport(HTTPTransportError)
    /// The server answered with an error.
    case api(APIError)
    /// The authority denied the request: a DENY decision, or one of the 409 codes with the same meaning.
    case denied(Denial)
    /// The outcome is unknown: the request may or may not have been applied, and a repetition did not tell.
    case ambiguous(AmbiguousOutcome)
    /// The answer does not conform to the specification.
    case invalidResponse(InvalidResponse)
    /// The lease ended before the work was settled.
    case leaseLost(LeaseLoss)
    /// A setting is missing or cannot be used.
    case configuration(ConfigurationIssue)
    /// A request breaks a rule of the specification, or a call cannot be carried out as requested.
    case validation(ValidationIssue)
    /// The calling task was cancelled.
    case cancelled

    /// Whether the same call may succeed later: transport failures, ambiguous outcomes, 5xx, 429 and invalid 2xx
    /// answers.
    public var isRetryable: Bool {
        switch self {
        case .transport, .ambiguous: true
        case .api(let error): error.status >= 500 || error.status == 429
        case .invalidResponse(let response): (200..<300).contains(response.status) || response.status >= 500
        case .denied, .leaseLost, .configuration, .validation, .cancelled: false
        }
    }

    /// Whether the authority denied the request.
    public var isDenied: Bool { if case .denied = self { true } else { false } }

    /// Whether the request failed because too little budget remains.
    public var isBudgetExceeded: Bool {
        if case .denied(let denial) = self { return denial.reason == .budgetExceeded }
        return errorCode == .budgetExceeded
    }

    /// The time that the server asks to wait before a retry; nil if the server names none.
    public var retryAfter: Duration? { facts.retryAfter }

    /// The server's identifier of the failed request (`X-Request-Id`).
    public var requestID: String? { facts.requestID }

    /// The identifier of the trace under which the server recorded the request (`X-Cycles-Trace-Id`).
    public var traceID: String? { facts.traceID }

    /// The code of the error answer; nil if there is none.
    public var errorCode: ErrorCode? { facts.code }

    /// The HTTP status of the answer; nil if there is none.
    public var status: Int? { facts.status }

    /// The idempotency key of the request. Repeating the request with this key cannot apply it twice.
    public var idempotencyKey: IdempotencyKey? { facts.key }

    /// The label in logs and metrics: the code of the error answer, the reason of the denial, or the kind of the error.
    package var label: String {
        switch self {
        case .api(let error): error.code?.rawValue ?? "HTTP_\(error.status)"
        case .denied(let denial): denial.reason.rawValue
        case .transport: "TRANSPORT"
        case .ambiguous: "AMBIGUOUS"
        case .invalidResponse: "INVALID_RESPONSE"
        case .leaseLost: "LEASE_LOST"
        case .configuration: "CONFIGURATION"
        case .validation: "VALIDATION"
        case .cancelled: "CANCELLED"
        }
    }

    /// The properties that several kinds of errors have.
    private typealias Facts = (
        status: Int?, code: ErrorCode?, requestID: String?, traceID: String?, retryAfter: Duration?,
        key: IdempotencyKey?
    )

    private var facts: Facts {
        switch self {
        case .transport(let error): (nil, nil, nil, nil, nil, error.idempotencyKey)
        case .api(let error):
            (error.status, error.code, error.requestID, error.traceID, error.retryAfter, error.idempotencyKey)
        case .denied(let no):
            (no.status, no.errorCode, no.requestID, no.traceID, no.retryAfter, no.idempotencyKey)
        case .ambiguous(let outcome):
            (outcome.status, nil, outcome.requestID, outcome.traceID, nil, outcome.idempotencyKey)
        case .invalidResponse(let answer):
            (answer.status, nil, answer.requestID, answer.traceID, answer.retryAfter, answer.idempotencyKey)
        case .leaseLost, .configuration, .validation, .cancelled: (nil, nil, nil, nil, nil, nil)
        }
    }
}

extension CyclesError: CustomStringConvertible {
    /// The failed operation, its subject, the reason, and advice.
    public var description: String {
        switch self {
        case .transport(let error): error.description
        case .api(let error): error.description
        case .denied(let denial): denial.description
        case .ambiguous(let outcome): outcome.description
        case .invalidResponse(let response): response.description
        case .leaseLost(let loss): loss.description
        case .configuration(let issue): issue.description
        case .validation(let issue): issue.description
        case .cancelled: "The call was cancelled by its task."
        }
    }
}

/// An error answer (specification: `ErrorResponse`).
public struct APIError: Hashable, Sendable, CustomStringConvertible {
    /// The name of the failed operation, such as `commitReservation`.
    public var operation: String
    /// The HTTP status.
    public var status: Int
    /// The error code; nil if the body contains none.
    public var code: ErrorCode?
    /// The server's message, or a description of the answer if the body is not an error of the protocol.
    public var message: String
    /// The server's identifier of the request.
    public var requestID: String?
    /// The identifier of the trace under which the server recorded the request.
    public var traceID: String?
    /// Further details, as sent by the server.
    public var details: [String: JSONValue] = [:]
    /// The reference to the server's evidence of the error.
    public var evidence: EvidenceReference?
    /// The time that the server asks to wait before a retry (`Retry-After`).
    public var retryAfter: Duration?
    /// The idempotency key of the request.
    public var idempotencyKey: IdempotencyKey?
    /// Advice on correcting the error; nil if there is none.
    public var advice: String?

    /// The failed operation, the reason, and advice.
    public var description: String {
        sentence(
            "\(operation) failed with \(status)\(code.map { " \($0.rawValue)" } ?? ""): \(message)",
            advice: advice ?? retryAfter.map { "retry after \($0.readable)" },
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }
}

/// The unknown outcome of a request, which may or may not have been applied.
public struct AmbiguousOutcome: Hashable, Sendable, CustomStringConvertible {
    /// The name of the operation.
    public var operation: String
    /// The error of the last attempt.
    public var message: String
    /// The HTTP status of the last attempt; nil without an answer.
    public var status: Int?
    /// The server's identifier of the last attempt.
    public var requestID: String?
    /// The identifier of the trace under which the server recorded the last attempt.
    public var traceID: String?
    /// The idempotency key of all attempts. `listReservations` finds a reservation by this key.
    public var idempotencyKey: IdempotencyKey?

    /// The operation, the error of the last attempt, and ways to learn the outcome.
    public var description: String {
        sentence(
            "It is not known whether \(operation) was applied: \(message)",
            advice: idempotencyKey.map {
                "repeat it with the idempotency key \($0), or look the key up with listReservations"
            },
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }
}

/// An answer that the specification does not allow.
public struct InvalidResponse: Hashable, Sendable, CustomStringConvertible {
    /// The name of the operation.
    public var operation: String
    /// The HTTP status.
    public var status: Int
    /// The defect of the answer.
    public var message: String
    /// The server's identifier of the request.
    public var requestID: String?
    /// The identifier of the trace under which the server recorded the request.
    public var traceID: String?
    /// The idempotency key of the request.
    public var idempotencyKey: IdempotencyKey?
    /// The time that the server asks to wait before a retry (`Retry-After`), although the answer is invalid.
    public var retryAfter: Duration?
    /// Advice on correcting the error; nil if there is none.
    public var advice: String?

    /// The operation, the defect of the answer, and advice.
    public var description: String {
        sentence(
            "The answer to \(operation) with status \(status) is not valid: \(message)",
            advice: advice
                ?? "check that the base URL names a Cycles server, and that no proxy or gateway changes its answers",
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }
}

/// A lease that ended before its work was settled.
public struct LeaseLoss: Hashable, Sendable, CustomStringConvertible {
    /// The reservation of the lease.
    public var reservationID: ReservationID
    /// A description of the loss.
    public var message: String
    /// The settlement of the work despite the loss; nil if the work is not settled, or not yet.
    public var settlement: Settlement?
    /// The tenant of the client, in an event; nil if none is configured.
    public var tenant: String?

    /// Creates a loss.
    /// - Parameters:
    ///   - reservationID: The reservation of the lease.
    ///   - message: A description of the loss.
    ///   - settlement: The settlement of the work despite the loss; nil if the work is not settled.
    public init(reservationID: ReservationID, message: String, settlement: Settlement? = nil) {
        self.reservationID = reservationID
        self.message = message
        self.settlement = settlement
    }

    /// The lease, the reason of its loss, and the settlement of the work.
    public var description: String {
        var text = "The lease of reservation \(reservationID) was lost: \(message)"
        switch settlement?.outcome {
        case nil: break
        case .committed(let response): text += "; its work was committed at \(response.charged) nevertheless"
        case .recorded: text += "; its work was recorded as an event"
        case .alreadySettled: text += "; its work had been settled before"
        case .released: text += "; nothing was charged"
        case .queued: text += "; its settlement continues in the background"
        }
        return text + "; reserve with a longer time to live, or check the reported heartbeat failures"
    }
}

/// A setting that is missing or cannot be used.
public struct ConfigurationIssue: Hashable, Sendable, CustomStringConvertible {
    /// The name of the property or environment variable, such as `baseURL` or `CYCLES_BASE_URL`.
    public var name: String
    /// The defect of the setting, and the expected value; continues a sentence that begins with the name.
    public var message: String

    /// Creates an issue.
    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    /// The setting and its defect.
    public var description: String { "Configuration: \(name) \(message)." }
}

/// A request that breaks a rule of the specification and was not sent, or a call that cannot be carried out as
/// requested.
public struct ValidationIssue: Hashable, Sendable, CustomStringConvertible {
    /// The field, such as `subject.tenant`.
    public var field: String
    /// The defect of the field, and the allowed values; continues a sentence that begins with the field.
    public var message: String
    /// Whether the issue was found after a request had been sent.
    package var wasSent = false

    /// Creates an issue.
    public init(field: String, message: String) {
        self.field = field
        self.message = message
    }

    /// The field and its defect.
    public var description: String { "\(wasSent ? "The call is refused" : "Nothing was sent"): \(field) \(message)." }
}

extension APIError {
    /// Creates an error without a code. The other properties can be set afterwards.
    public init(operation: String, status: Int, message: String) {
        self.init(operation: operation, status: status, code: nil, message: message)
    }
}

extension InvalidResponse {
    /// Creates an invalid answer from its required properties. The others can be set afterwards.
    public init(operation: String, status: Int, message: String) {
        self.init(operation: operation, status: status, message: message, requestID: nil)
    }
}

/// Joins the description of an error with advice and with the server's identifiers of the request.
func sentence(_ text: String, advice: String?, identifiers: [(String, String?)]) -> String {
    var result = text
    if let advice { result += "; \(advice)" }
    // A text that quotes another error already contains them.
    let known = identifiers.compactMap { name, value in value.map { "\(name) \($0)" } }.filter { !text.hasPart($0) }
    if !known.isEmpty { result += " (\(known.joined(separator: ", ")))" }
    return result
}
