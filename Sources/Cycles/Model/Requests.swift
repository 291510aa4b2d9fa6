/// Asks for budget to be held (specification: `ReservationCreateRequest`).
public struct ReservationCreateRequest: Hashable, Sendable {
    /// On whose budget; fields left out come from the client's configuration.
    public var subject: Subject
    /// What is about to happen.
    public var action: Action
    /// What it will cost, 0 or more.
    public var estimate: Amount
    /// How long the hold lasts unless extended: 1 second to 24 hours, in whole milliseconds, rounded down.
    public var timeToLive: Duration
    /// How long after that a commit is still accepted: 0 to 60 seconds; nil leaves it to the server (5 seconds).
    public var gracePeriod: Duration?
    /// What happens when more is spent than reserved; nil leaves it to the server (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// Whether to evaluate only, without holding anything.
    public var dryRun: Bool
    /// Whatever is worth keeping with the reservation.
    public var metadata: [String: JSONValue]
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// A request with the lease of one minute that is the protocol's default.
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

/// Settles a reservation at what was really spent (specification: `CommitRequest`).
public struct CommitRequest: Hashable, Sendable {
    /// What was spent, in the unit of the estimate.
    public var actual: Amount
    /// What the action used.
    public var metrics: CyclesMetrics?
    /// Whatever is worth keeping with the commit.
    public var metadata: [String: JSONValue]
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// A commit.
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

/// Gives a whole reservation back (specification: `ReleaseRequest`).
public struct ReleaseRequest: Hashable, Sendable {
    /// Why, at most 256 Unicode scalars.
    public var reason: String?
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// A release.
    public init(reason: String? = nil, idempotencyKey: IdempotencyKey? = nil) {
        self.reason = reason
        self.idempotencyKey = idempotencyKey
    }
}

/// Keeps a reservation alive for longer (specification: `ReservationExtendRequest`).
public struct ExtendRequest: Hashable, Sendable {
    /// By how much, counted from the present expiry: 1 millisecond to 24 hours, in whole milliseconds, rounded down.
    public var extendBy: Duration
    /// Whatever is worth keeping with the extension.
    public var metadata: [String: JSONValue]
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// An extension.
    public init(by extendBy: Duration, metadata: [String: JSONValue] = [:], idempotencyKey: IdempotencyKey? = nil) {
        self.extendBy = extendBy
        self.metadata = metadata
        self.idempotencyKey = idempotencyKey
    }
}

/// Asks whether something would be allowed, without holding budget (specification: `DecisionRequest`).
public struct DecisionRequest: Hashable, Sendable {
    /// On whose budget; fields left out come from the client's configuration.
    public var subject: Subject
    /// What is about to happen.
    public var action: Action
    /// What it will cost, 0 or more.
    public var estimate: Amount
    /// Whatever is worth keeping with the decision.
    public var metadata: [String: JSONValue]
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// A preflight.
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

/// Charges something that happened without a reservation (specification: `EventCreateRequest`).
public struct EventCreateRequest: Hashable, Sendable {
    /// On whose budget; fields left out come from the client's configuration.
    public var subject: Subject
    /// What happened.
    public var action: Action
    /// What it cost, 0 or more.
    public var actual: Amount
    /// What happens when less remains than was spent; nil leaves it to the server (ALLOW_IF_AVAILABLE).
    public var overagePolicy: CommitOveragePolicy?
    /// What the action used.
    public var metrics: CyclesMetrics?
    /// When it happened by the client's clock, in milliseconds since 1970, 0 or more; for information only.
    public var clientTimeMilliseconds: Int64?
    /// Whatever is worth keeping with the event.
    public var metadata: [String: JSONValue]
    /// The key under which the request is applied once; nil means a fresh one for each call.
    public var idempotencyKey: IdempotencyKey?

    /// An event.
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
