/// The reservation request of guarded work, and the policies for work that fails or reports no cost.
public struct CyclesOptions: Hashable, Sendable {
    /// The amount to reserve, 0 or more.
    public var estimate: Amount
    /// The action that the work performs.
    public var action: Action
    /// The subject whose budgets are charged. Missing fields are taken from the client's configuration.
    public var subject: Subject
    /// The time to live of the reservation: 1 second to 24 hours. The client extends it while the work runs.
    public var timeToLive: Duration
    /// The time after expiry during which the server accepts a commit: 0 to 60 seconds; nil for the server's default (5
    /// seconds).
    public var gracePeriod: Duration?
    /// The policy for spend above the estimate; nil for the server's default (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// Additional data to store with the reservation.
    public var metadata: [String: JSONValue]
    /// The idempotency key of the reservation; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?
    /// The policy for work that ends without reporting its cost.
    public var whenActualUnknown: UnknownActualPolicy
    /// The policy for work that throws without having recorded spend above zero.
    public var whenBodyFails: FailedBodyPolicy

    /// Creates options. The defaults are the protocol's.
    public init(
        estimate: Amount,
        action: Action,
        subject: Subject = Subject(),
        timeToLive: Duration = .seconds(60),
        gracePeriod: Duration? = nil,
        overagePolicy: CommitOveragePolicy? = nil,
        metadata: [String: JSONValue] = [:],
        idempotencyKey: IdempotencyKey? = nil,
        whenActualUnknown: UnknownActualPolicy = .commitEstimate,
        whenBodyFails: FailedBodyPolicy = .release
    ) {
        self.estimate = estimate
        self.action = action
        self.subject = subject
        self.timeToLive = timeToLive
        self.gracePeriod = gracePeriod
        self.overagePolicy = overagePolicy
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
        self.whenActualUnknown = whenActualUnknown
        self.whenBodyFails = whenBodyFails
    }

    package var request: ReservationCreateRequest {
        ReservationCreateRequest(
            subject: subject,
            action: action,
            estimate: estimate,
            timeToLive: timeToLive,
            gracePeriod: gracePeriod,
            overagePolicy: overagePolicy,
            metadata: metadata,
            idempotencyKey: idempotencyKey
        )
    }
}

/// The treatment of work that ends without reporting its cost and without recorded spend above zero.
public enum UnknownActualPolicy: Hashable, Sendable, CaseIterable {
    /// The estimate is committed, marked `actual_source = "estimate"` in the commit's metadata.
    case commitEstimate
    /// Nothing is sent. The hold expires, and the call throws a `validation` error.
    case fail
}

/// The treatment of work that throws, or of a stream that fails before its first element. Recorded spend above zero is
/// committed under either policy.
public enum FailedBodyPolicy: Hashable, Sendable, CaseIterable {
    /// The hold is released.
    case release
    /// The estimate is committed, marked `actual_source = "estimate"` in the commit's metadata. Use this policy for
    /// providers that charge for failed calls.
    case commitEstimate
}
