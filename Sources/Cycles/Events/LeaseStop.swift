/// The reason why a lease is no longer extended. The lease may still last for a while, and its work can still be
/// settled. Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum LeaseStop: Hashable, Sendable, CustomStringConvertible {
    /// The server never extends the reservation again: the reservation has expired, was finalized, is unknown or has
    /// reached its maximum number of extensions, or its tenant was closed.
    case ended(ErrorCode)
    /// The server refused for a reason that a retry does not change, such as an API key that is no longer accepted.
    case refused(status: Int, ErrorCode?)
    /// The `Retry-After` of the server exceeds the remaining time of the lease.
    case throttled
    /// After a failure, no further attempt fits into the remaining time of the lease.
    case noTimeToRetry
    /// The lease is shorter than an attempt, a retry and a margin together: about three seconds.
    case tooShort

    /// Whether the server reported that the lease no longer exists.
    package var isLoss: Bool {
        switch self {
        case .ended(let code): code != .maxExtensionsExceeded && code != .tenantClosed
        case .refused, .throttled, .noTimeToRetry, .tooShort: false
        }
    }

    /// The reason in words.
    public var description: String {
        switch self {
        case .ended(.reservationExpired): "the server says that it has expired"
        case .ended(.reservationFinalized): "the server says that it was settled already"
        case .ended(.notFound): "the server does not know it"
        case .ended(.maxExtensionsExceeded): "it has reached its maximum number of extensions"
        case .ended(.tenantClosed): "its tenant was closed"
        case .ended(let code): "the server refuses: \(code)"
        case .refused(let status, let code):
            "the server refuses with \(status)\(code.map { " \($0)" } ?? "")"
        case .throttled: "the server asks to wait longer than the lease lasts"
        case .noTimeToRetry: "no further attempt fits into its remaining time"
        case .tooShort: "it is shorter than an attempt, a retry and a margin together"
        }
    }
}

/// The reason why a lease may run out although no attempt has failed. Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum LeaseRisk: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// The lease is shorter than an attempt, a retry and a margin together: about three seconds.
    case tooShort
    /// The server seems to limit how far ahead leases may end, and does not send their remaining time.
    case limited

    /// The reason in words, with advice.
    public var description: String {
        switch self {
        case .tooShort: "it is too short for an extension and one retry; ask for a longer time to live"
        case .limited:
            "the server seems to limit how far ahead leases may end, and does not send their remaining time; ask for a longer "
                + "time to live"
        }
    }
}
