// Indirect, so that results and typed throws on the way of a success are no larger than a pointer.
/// Why an operation did not succeed.
///
/// Every description says what failed, on what, why, and what to do, and never contains an API key.
public indirect enum CyclesError: Error, Hashable, Sendable {
    /// The exchange brought no answer.
    case transport(HTTPTransportError)
    /// The server answered with an error.
    case api(APIError)
    /// The authority said no: a DENY decision, or one of the 409 codes that mean the same.
    case denied(Denial)
    /// The request may or may not have been applied, and repeating it did not tell.
    case ambiguous(AmbiguousOutcome)
    /// The answer is not what the specification promises.
    case invalidResponse(InvalidResponse)
    /// The lease ran out before its work was settled.
    case leaseLost(LeaseLoss)
    /// The configuration cannot be used.
    case configuration(ConfigurationIssue)
    /// A request breaks a rule of the specification; nothing was sent.
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

    /// Whether the authority said no.
    public var isDenied: Bool { if case .denied = self { true } else { false } }

    /// Whether too little budget remains.
    public var isBudgetExceeded: Bool {
        if case .denied(let denial) = self { return denial.reason == .budgetExceeded }
        return errorCode == .budgetExceeded
    }

    /// How long the server asks to wait, if it does.
    public var retryAfter: Duration? { facts.retryAfter }

    /// The server's name for the request that failed (`X-Request-Id`).
    public var requestID: String? { facts.requestID }

    /// The trace that the server filed the request under (`X-Cycles-Trace-Id`).
    public var traceID: String? { facts.traceID }

    /// The code of the error answer, if there was one.
    public var errorCode: ErrorCode? { facts.code }

    /// The HTTP status of the answer, if there was one.
    public var status: Int? { facts.status }

    /// The idempotency key that the request carried. Repeating the request with it cannot apply it twice.
    public var idempotencyKey: IdempotencyKey? { facts.key }

    /// The code of the error answer, the denial's reason, or the kind of the error, for logs and metrics.
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
    /// What failed, on what, why, and what to do.
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
    /// Which operation failed, such as `commitReservation`.
    public var operation: String
    /// The HTTP status.
    public var status: Int
    /// The code; nil if the body does not have one.
    public var code: ErrorCode?
    /// What the server says, or what the status says if the body is no error of the protocol.
    public var message: String
    /// The server's name for the request.
    public var requestID: String?
    /// The trace that the server filed the request under.
    public var traceID: String?
    /// More about the error, as the server sent it.
    public var details: [String: JSONValue] = [:]
    /// The evidence that the server keeps of the error.
    public var evidence: EvidenceReference?
    /// How long the server asks to wait (`Retry-After`).
    public var retryAfter: Duration?
    /// The idempotency key that the request carried.
    public var idempotencyKey: IdempotencyKey?
    /// What to do about it, where that is known.
    public var advice: String?

    /// What failed, why, and what to do.
    public var description: String {
        sentence(
            "\(operation) failed with \(status)\(code.map { " \($0.rawValue)" } ?? ""): \(message)",
            advice: advice ?? retryAfter.map { "retry after \($0.readable)" },
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }
}

/// A request that may or may not have been applied.
public struct AmbiguousOutcome: Hashable, Sendable, CustomStringConvertible {
    /// Which operation it is about.
    public var operation: String
    /// What happened at the last attempt.
    public var message: String
    /// The HTTP status of the last attempt, if it had an answer.
    public var status: Int?
    /// The server's name for the last attempt.
    public var requestID: String?
    /// The trace that the server filed the last attempt under.
    public var traceID: String?
    /// The key of all attempts, with which `listReservations` finds what they may have made.
    public var idempotencyKey: IdempotencyKey?

    /// What is not known, and how to find out.
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
    /// Which operation it answers.
    public var operation: String
    /// The HTTP status.
    public var status: Int
    /// What is wrong with it.
    public var message: String
    /// The server's name for the request.
    public var requestID: String?
    /// The trace that the server filed the request under.
    public var traceID: String?
    /// The idempotency key that the request carried.
    public var idempotencyKey: IdempotencyKey?
    /// How long the server asks to wait all the same (`Retry-After`).
    public var retryAfter: Duration?
    /// What to do about it, where that is known.
    public var advice: String?

    /// What is wrong, and what to do.
    public var description: String {
        sentence(
            "The answer to \(operation) with status \(status) is not valid: \(message)",
            advice: advice
                ?? "check that the base URL names a Cycles server and that nothing in between changes its answers",
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }
}

/// A lease that ran out before its work was settled.
public struct LeaseLoss: Hashable, Sendable, CustomStringConvertible {
    /// The reservation.
    public var reservationID: ReservationID
    /// How the lease was lost.
    public var message: String
    /// How the work was settled all the same; nil if it was not, or not yet.
    public var settlement: Settlement?
    /// The tenant of the client, in an event; nil if none is configured.
    public var tenant: String?

    /// A loss of which `settlement` is what became of the work.
    public init(reservationID: ReservationID, message: String, settlement: Settlement? = nil) {
        self.reservationID = reservationID
        self.message = message
        self.settlement = settlement
    }

    /// Which lease was lost, how, and what became of the work.
    public var description: String {
        var text = "The lease of reservation \(reservationID) was lost: \(message)"
        switch settlement?.outcome {
        case nil: break
        case .committed(let response): text += "; its work was committed at \(response.charged) all the same"
        case .recorded: text += "; its work was recorded as an event"
        case .alreadySettled: text += "; its work had been settled before"
        case .released: text += "; nothing was charged"
        case .queued: text += "; its settlement goes on in the background"
        }
        return text + "; ask for a longer time to live, or look at the heartbeat's failures"
    }
}

/// A configuration that cannot be used.
public struct ConfigurationIssue: Hashable, Sendable, CustomStringConvertible {
    /// The property or environment variable, such as `baseURL` or `CYCLES_BASE_URL`.
    public var name: String
    /// What is wrong with it, and what it should be.
    public var message: String

    /// An issue.
    public init(name: String, message: String) {
        self.name = name
        self.message = message
    }

    /// Which setting, and what is wrong with it.
    public var description: String { "Configuration: \(name) \(message)." }
}

/// A request that breaks a rule of the specification, and was not sent, or a call that cannot be carried out as it was
/// asked for.
public struct ValidationIssue: Hashable, Sendable, CustomStringConvertible {
    /// The field, such as `subject.tenant`.
    public var field: String
    /// What is wrong with it, and what is allowed.
    public var message: String
    /// Whether the issue was found after a request had been sent.
    package var wasSent = false

    /// An issue.
    public init(field: String, message: String) {
        self.field = field
        self.message = message
    }

    /// The field, and what is wrong with it.
    public var description: String { "\(wasSent ? "The call is refused" : "Nothing was sent"): \(field) \(message)." }
}

extension APIError {
    /// An error answer without a code; its other properties can be set.
    public init(operation: String, status: Int, message: String) {
        self.init(operation: operation, status: status, code: nil, message: message)
    }
}

extension InvalidResponse {
    /// An invalid answer of which nothing else is known; its other properties can be set.
    public init(operation: String, status: Int, message: String) {
        self.init(operation: operation, status: status, message: message, requestID: nil)
    }
}

/// A description: what happened, what to do about it, and how the server calls it.
func sentence(_ text: String, advice: String?, identifiers: [(String, String?)]) -> String {
    var result = text
    if let advice { result += "; \(advice)" }
    // A text that quotes another error has them already.
    let known = identifiers.compactMap { name, value in value.map { "\(name) \($0)" } }.filter { !text.hasPart($0) }
    if !known.isEmpty { result += " (\(known.joined(separator: ", ")))" }
    return result
}
