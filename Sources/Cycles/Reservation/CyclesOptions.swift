/// What work is guarded by: the request for budget, and what to do when it cannot say what it cost.
public struct CyclesOptions: Hashable, Sendable {
    /// What the work will cost, 0 or more.
    public var estimate: Amount
    /// What is about to happen.
    public var action: Action
    /// On whose budget; fields left out come from the client's configuration.
    public var subject: Subject
    /// How long the hold lasts unless extended: 1 second to 24 hours. It is extended for as long as the work takes.
    public var timeToLive: Duration
    /// How long after that a commit is still accepted: 0 to 60 seconds; nil leaves it to the server (5 seconds).
    public var gracePeriod: Duration?
    /// What happens when more is spent than reserved; nil leaves it to the server (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// Whatever is worth keeping with the reservation.
    public var metadata: [String: JSONValue]
    /// The key under which budget is reserved once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?
    /// What happens when the work ends without saying what it cost.
    public var whenActualUnknown: UnknownActualPolicy
    /// The end of work that throws without having recorded spend above zero.
    public var whenBodyFails: FailedBodyPolicy

    /// Options; whatever is left out is as the protocol's defaults have it.
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

/// What happens when work ends without saying what it cost, and nothing was recorded.
public enum UnknownActualPolicy: Hashable, Sendable, CaseIterable {
    /// The estimate is committed, marked `actual_source = "estimate"` in the commit's metadata.
    case commitEstimate
    /// Nothing is sent and nothing is released: the hold runs out, and the caller gets a `validation` error.
    case fail
}

/// The end of work that throws, or of a stream that fails before its first element. Recorded spend above zero is settled
/// under either policy.
public enum FailedBodyPolicy: Hashable, Sendable, CaseIterable {
    /// The hold is released: nothing was spent.
    case release
    /// The estimate is committed, marked `actual_source = "estimate"` in the commit's metadata: for providers that charge
    /// for calls that fail.
    case commitEstimate
}
