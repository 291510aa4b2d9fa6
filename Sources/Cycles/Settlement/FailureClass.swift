/// The classes of settlement failures, in the order in which the protocol tests them.
package enum FailureClass: Hashable, Sendable {
    /// A transport failure, a 5xx, a 408, or a 2xx or 3xx without a valid result: the request may have been applied.
    case retry
    /// A 429, or LIMIT_EXCEEDED.
    case throttled
    /// A 401 or 403.
    case unauthorized
    /// The reservation has expired.
    case expired
    /// The reservation was committed or released before.
    case finalized
    /// The idempotency key was used for another request.
    case mismatch
    /// A 4xx whose code is missing, unknown, or belongs to another status.
    case unclassified
    /// Any other 4xx: a final refusal.
    case rejected

    /// Whether the server may have applied the request, in this attempt or an earlier one.
    package var isInconclusive: Bool {
        switch self {
        case .retry, .throttled, .unauthorized, .unclassified: true
        case .expired, .finalized, .mismatch, .rejected: false
        }
    }

    package init(_ error: CyclesError) {
        switch error {
        case .transport, .ambiguous, .invalidResponse, .cancelled, .leaseLost: self = .retry
        case .validation, .configuration: self = .rejected
        case .denied(let denial): self = .init(status: denial.status, code: denial.errorCode)
        case .api(let answer): self = .init(status: answer.status, code: answer.code)
        }
    }

    private init(status: Int, code: ErrorCode?) {
        guard (400..<500).contains(status) else {
            self = .retry
            return
        }
        switch (status, code) {
        case (408, _): self = .retry
        case (429, _), (_, .limitExceeded): self = .throttled
        case (401, _), (403, _): self = .unauthorized
        case (410, _), (_, .reservationExpired): self = .expired
        case (_, .reservationFinalized): self = .finalized
        case (_, .idempotencyMismatch): self = .mismatch
        case (_, nil), (_, .internalError), (_, .unauthorized), (_, .forbidden), (_, .unrecognized):
            self = .unclassified
        default: self = .rejected
        }
    }
}

extension CyclesError {
    /// Whether the server refused the API key.
    var isAboutKey: Bool { status == 401 || status == 403 }

    /// Whether the error shows that the server accepted the API key: a refusal for another reason, in the protocol's
    /// form. A gateway's refusal proves nothing about the key.
    package var provesKey: Bool {
        guard let status, (400..<500).contains(status), ![401, 403, 429].contains(status) else { return false }
        return errorCode?.isOfProtocol == true
    }
}
