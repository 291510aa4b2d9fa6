/// Why a lease is not extended any more. It may still last for a while, and its work can still be settled.
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum LeaseStop: Hashable, Sendable, CustomStringConvertible {
    /// The server will not extend the reservation: it has expired, was finalized, is not known, has been extended as
    /// often as it may be, or its tenant was closed.
    case ended(ErrorCode)
    /// The server refused for a reason that asking again would not change, such as a key that is no longer accepted.
    case refused(status: Int, ErrorCode?)
    /// The server asks to wait for longer than the lease allows.
    case throttled
    /// After a failure, no further attempt fits into what is left of the lease.
    case noTimeToRetry
    /// The lease is shorter than one attempt, a retry and a margin take together: about three seconds.
    case tooShort

    /// Whether the server said that there is nothing left to extend.
    package var isLoss: Bool {
        switch self {
        case .ended(let code): code != .maxExtensionsExceeded && code != .tenantClosed
        case .refused, .throttled, .noTimeToRetry, .tooShort: false
        }
    }

    /// Why, in words.
    public var description: String {
        switch self {
        case .ended(.reservationExpired): "the server says that it has expired"
        case .ended(.reservationFinalized): "the server says that it was settled already"
        case .ended(.notFound): "the server does not know it"
        case .ended(.maxExtensionsExceeded): "the server does not extend it any further"
        case .ended(.tenantClosed): "its tenant was closed"
        case .ended(let code): "the server refuses: \(code)"
        case .refused(let status, let code):
            "the server refuses with \(status)\(code.map { " \($0)" } ?? "")"
        case .throttled: "the server asks to wait for longer than it lasts"
        case .noTimeToRetry: "no further attempt fits into what is left of it"
        case .tooShort: "it is shorter than an attempt, a retry and a margin take together"
        }
    }
}

/// Why a lease may run out although nothing has failed. Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum LeaseRisk: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// It is too short for an attempt to extend it, a retry and a margin: under about three seconds.
    case tooShort
    /// The server seems to limit how far ahead leases may end, and does not say how long they last.
    case limited

    /// Why, in words, and what to do.
    public var description: String {
        switch self {
        case .tooShort: "it is too short for an extension and one retry; ask for a longer time to live"
        case .limited:
            "the server seems to limit how far ahead leases may end, and does not say how long they last; ask for a longer "
                + "time to live"
        }
    }
}
