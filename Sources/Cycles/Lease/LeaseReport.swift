/// What a valid answer says of a lease, and when it was asked for and received by the client's own clock.
package struct LeaseReport: Hashable, Sendable {
    /// How long the lease lasts from the moment the answer was made, in milliseconds; nil on older servers.
    package var remainingMilliseconds: Int64?
    /// When the lease ends by the server's clock. Never compared with the client's.
    package var expiresAtMilliseconds: Int64
    /// When the attempt that brought the answer was sent.
    package var sent: Duration
    /// When its answer had been received.
    package var received: Duration

    package init(remainingMilliseconds: Int64?, expiresAtMilliseconds: Int64, sent: Duration, received: Duration) {
        self.remainingMilliseconds = remainingMilliseconds
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.sent = sent
        self.received = received
    }
}

/// Why an attempt to extend a lease was no success.
package enum ExtendFailure: Hashable, Sendable {
    /// The lease may have been extended or not, or the answer came from something between client and server: a
    /// transport failure, a 5xx, a 408, a 2xx or 3xx that is no success, a 4xx that is no error of the protocol.
    case transient
    /// A 429, or LIMIT_EXCEEDED: not before that many seconds, if the server said so.
    case throttled(retryAfterSeconds: Int64?)
    /// The server will not extend this reservation any more.
    case permanent(ErrorCode)
    /// Any other answer: asking again would change nothing.
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
        // A gateway that limits requests says for how long in the same header.
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
    /// Whether the server will never extend a reservation again once it has answered with this code.
    fileprivate var endsLeases: Bool {
        switch self {
        case .reservationExpired, .reservationFinalized, .maxExtensionsExceeded, .tenantClosed, .notFound: true
        default: false
        }
    }
}
