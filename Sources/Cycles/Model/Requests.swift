/// A request to hold budget (specification: `ReservationCreateRequest`).
public struct ReservationCreateRequest: Hashable, Sendable {
    /// The subject whose budgets are charged. Missing fields are taken from the client's configuration.
    public var subject: Subject
    /// The action that is about to be performed.
    public var action: Action
    /// The expected cost, 0 or more.
    public var estimate: Amount
    /// The time to live of the hold, unless extended: 1 second to 24 hours, in whole milliseconds, rounded down.
    public var timeToLive: Duration
    /// The time after expiry during which the server accepts a commit: 0 to 60 seconds; nil for the server's default (5
    /// seconds).
    public var gracePeriod: Duration?
    /// The policy for spend above the estimate; nil for the server's default (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// Whether to evaluate the request only, without holding budget.
    public var dryRun: Bool
    /// Additional data to store with the reservation.
    public var metadata: [String: JSONValue]
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates a request. The default time to live is the protocol's: 1 minute.
    public init(
        subject: Subject = Subject(),
        action: Action,
        estimate: Amount,
        timeToLive: Duration = .seconds(60),
        gracePeriod: Duration? = nil,
        overagePolicy: CommitOveragePolicy? = nil,
        dryRun: Bool = false,
        metadata: [String: JSONValue] = [:],
        idempotencyKey: IdempotencyKey? = nil
    ) {
        self.subject = subject
        self.action = action
        self.estimate = estimate
        self.timeToLive = timeToLive
        self.gracePeriod = gracePeriod
        self.overagePolicy = overagePolicy
        self.dryRun = dryRun
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}

/// A request to charge a reservation with the actual spend (specification: `CommitRequest`).
public struct CommitRequest: Hashable, Sendable {
    /// The actual spend, in the unit of the estimate.
    public var actual: Amount
    /// Measurements of the action.
    public var metrics: CyclesMetrics?
    /// Additional data to store with the commit.
    public var metadata: [String: JSONValue]
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates a commit request.
    public init(
        actual: Amount,
        metrics: CyclesMetrics? = nil,
        metadata: [String: JSONValue] = [:],
        idempotencyKey: IdempotencyKey? = nil
    ) {
        self.actual = actual
        self.metrics = metrics
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}

/// A request to release a whole hold (specification: `ReleaseRequest`).
public struct ReleaseRequest: Hashable, Sendable {
    /// The reason to store, at most 256 Unicode scalars.
    public var reason: String?
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates a release request.
    public init(reason: String? = nil, idempotencyKey: IdempotencyKey? = nil) {
        self.reason = reason
        self.idempotencyKey = idempotencyKey
    }
}

/// A request to extend the lease of a reservation (specification: `ReservationExtendRequest`).
public struct ExtendRequest: Hashable, Sendable {
    /// The duration of the extension, counted from the present expiry: 1 millisecond to 24 hours, in whole
    /// milliseconds, rounded down.
    public var extendBy: Duration
    /// Additional data to store with the extension.
    public var metadata: [String: JSONValue]
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates an extension request.
    public init(by extendBy: Duration, metadata: [String: JSONValue] = [:], idempotencyKey: IdempotencyKey? = nil) {
        self.extendBy = extendBy
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}

/// A question whether an action would be allowed, without holding budget (specification: `DecisionRequest`).
public struct DecisionRequest: Hashable, Sendable {
    /// The subject whose budgets would be charged. Missing fields are taken from the client's configuration.
    public var subject: Subject
    /// The action that is about to be performed.
    public var action: Action
    /// The expected cost, 0 or more.
    public var estimate: Amount
    /// Additional data to store with the decision.
    public var metadata: [String: JSONValue]
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates a decision request.
    public init(
        subject: Subject = Subject(),
        action: Action,
        estimate: Amount,
        metadata: [String: JSONValue] = [:],
        idempotencyKey: IdempotencyKey? = nil
    ) {
        self.subject = subject
        self.action = action
        self.estimate = estimate
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}

/// A request to charge spend that has no reservation (specification: `EventCreateRequest`).
public struct EventCreateRequest: Hashable, Sendable {
    /// The subject whose budgets are charged. Missing fields are taken from the client's configuration.
    public var subject: Subject
    /// The action that was performed.
    public var action: Action
    /// The actual cost, 0 or more.
    public var actual: Amount
    /// The policy for spend above the remaining budget; nil for the server's default (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// Measurements of the action.
    public var metrics: CyclesMetrics?
    /// The time of the action by the client's clock, in milliseconds since 1970, 0 or more; for information only.
    public var clientTimeMilliseconds: Int64?
    /// Additional data to store with the event.
    public var metadata: [String: JSONValue]
    /// The idempotency key; nil generates a new key for each call.
    public var idempotencyKey: IdempotencyKey?

    /// Creates an event request.
    public init(
        subject: Subject = Subject(),
        action: Action,
        actual: Amount,
        overagePolicy: CommitOveragePolicy? = nil,
        metrics: CyclesMetrics? = nil,
        clientTimeMilliseconds: Int64? = nil,
        metadata: [String: JSONValue] = [:],
        idempotencyKey: IdempotencyKey? = nil
    ) {
        self.subject = subject
        self.action = action
        self.actual = actual
        self.overagePolicy = overagePolicy
        self.metrics = metrics
        self.clientTimeMilliseconds = clientTimeMilliseconds
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}
