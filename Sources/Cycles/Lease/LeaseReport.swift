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

/// What came of an attempt to extend a lease that was no success.
package enum ExtendFailure: Hashable, Sendable {
    /// A transport failure, a 5xx, or a 2xx that is not a valid 200: the server may have extended the lease or not.
    case transient
    /// A 429, or LIMIT_EXCEEDED: not before that many seconds, if the server said so.
    case throttled(retryAfterSeconds: Int64?)
    /// The server will not extend this reservation any more.
    case permanent(ErrorCode)
    /// Any other answer: asking again would change nothing.
    case refused(status: Int, ErrorCode?)

    package init(status: Int, code: ErrorCode?, retryAfter: Duration?) {
        switch code {
        case .reservationExpired, .reservationFinalized, .maxExtensionsExceeded, .tenantClosed, .notFound:
            if (400..<500).contains(status), let code {
                self = .permanent(code)
                return
            }
        default: break
        }
        if status == 410 {
            self = .permanent(.reservationExpired)
        } else if status == 429 || (code == .limitExceeded && (400..<500).contains(status)) {
            self = .throttled(retryAfterSeconds: retryAfter?.components.seconds)
        } else if status >= 500 || (200..<300).contains(status) {
            self = .transient
        } else {
            self = .refused(status: status, code)
        }
    }
}
