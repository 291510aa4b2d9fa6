/// The state of a lease in a valid answer, with the times of the attempt by the client's monotonic clock.
package struct LeaseReport: Hashable, Sendable {
    /// The remaining time of the lease when the server answered, in milliseconds; nil on older servers.
    package var remainingMilliseconds: Int64?
    /// The end of the lease by the server's clock, in milliseconds since 1970. Never compared with the client's clock.
    package var expiresAtMilliseconds: Int64
    /// The time at which the answered attempt was sent.
    package var sent: Duration
    /// The time at which the answer was received.
    package var received: Duration

    package init(remainingMilliseconds: Int64?, expiresAtMilliseconds: Int64, sent: Duration, received: Duration) {
        self.remainingMilliseconds = remainingMilliseconds
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.sent = sent
        self.received = received
    }
}

/// The kinds of failure of an attempt to extend a lease.
package enum ExtendFailure: Hashable, Sendable {
    /// The lease may have been extended, or an intermediary answered: a transport failure, a 5xx, a 408, a 2xx or 3xx
    /// that is not a success, or a 4xx whose body is not an error of the protocol.
    case transient
    /// A 429 or LIMIT_EXCEEDED, with the `Retry-After` of the answer.
    case throttled(retryAfterSeconds: Int64?)
    /// The server never extends this reservation again.
    case permanent(ErrorCode)
    /// Any other refusal. A retry would get the same answer.
    case refused(status: Int, ErrorCode?)

    package init(status: Int, code: ErrorCode?, retryAfter: Duration?) {
        guard (400..<500).contains(status), status != 408 else {
            self = .transient
            return
        }
        if let code, code.endsLeases {
            self = .permanent(code)
            return
        }
        let isOfProtocol = code?.isOfProtocol ?? false
        switch (status, code) {
        // A gateway's rate limit counts as the server's if it has a Retry-After.
        case (429, _) where isOfProtocol || retryAfter != nil, (_, .limitExceeded):
            self = .throttled(retryAfterSeconds: retryAfter?.components.seconds)
        case (401, _): self = .refused(status: status, code)
        case _ where !isOfProtocol: self = .transient
        case (410, _): self = .permanent(.reservationExpired)
        default: self = .refused(status: status, code)
        }
    }
}

extension ErrorCode {
    /// Whether the server, having answered with this code, never extends the reservation again.
    fileprivate var endsLeases: Bool {
        switch self {
        case .reservationExpired, .reservationFinalized, .maxExtensionsExceeded, .tenantClosed, .notFound: true
        default: false
        }
    }
}
