import Cycles

/// A decoded request for a preflight or a reservation (specification: `DecisionRequest`, `ReservationCreateRequest`).
struct BudgetCall: Sendable {
    let payload: JSONValue
    let idempotencyKey: IdempotencyKey
    let subject: RequestSubject
    let action: JSONValue
    let estimate: Amount
    let metadata: JSONValue?
    /// The requested time to live, in milliseconds; nil for the tenant's default. The same applies to the overage
    /// policy.
    var timeToLiveMilliseconds: Int64?
    var graceMilliseconds: Int64 = 5_000
    var overagePolicy: CommitOveragePolicy?
    var isDryRun = false

    private static let names = ["idempotency_key", "subject", "action", "estimate", "metadata"]

    private init(_ payload: JSONValue, _ members: RequestMembers) throws(Refusal) {
        self.payload = payload
        idempotencyKey = try members.idempotencyKey()
        subject = try members.subject()
        action = try members.action()
        estimate = try members.amount("estimate")
        metadata = try members.anyObject("metadata")
    }

    init(decision payload: JSONValue) throws(Refusal) {
        try self.init(payload, RequestMembers(payload, allowing: BudgetCall.names))
    }

    init(reservation payload: JSONValue) throws(Refusal) {
        let members = try RequestMembers(
            payload,
            allowing: BudgetCall.names + ["ttl_ms", "grace_period_ms", "overage_policy", "dry_run"]
        )
        try self.init(payload, members)
        timeToLiveMilliseconds = try members.whole("ttl_ms", in: 1_000...86_400_000)
        graceMilliseconds = try members.whole("grace_period_ms", in: 0...60_000) ?? graceMilliseconds
        overagePolicy = try members.overagePolicy()
        isDryRun = try members.truth("dry_run") ?? false
    }
}

/// A decoded commit (specification: `CommitRequest`).
struct CommitCall: Sendable {
    let payload: JSONValue
    let idempotencyKey: IdempotencyKey
    let actual: Amount
    let metadata: JSONValue?

    init(_ payload: JSONValue) throws(Refusal) {
        let members = try RequestMembers(payload, allowing: ["idempotency_key", "actual", "metrics", "metadata"])
        self.payload = payload
        idempotencyKey = try members.idempotencyKey()
        actual = try members.amount("actual")
        try members.checkMetrics()
        metadata = try members.anyObject("metadata")
    }
}

/// A decoded release (specification: `ReleaseRequest`).
struct ReleaseCall: Sendable {
    let payload: JSONValue
    let idempotencyKey: IdempotencyKey

    init(_ payload: JSONValue) throws(Refusal) {
        let members = try RequestMembers(payload, allowing: ["idempotency_key", "reason"])
        self.payload = payload
        idempotencyKey = try members.idempotencyKey()
        _ = try members.text("reason", length: 0...256)
    }
}

/// A decoded extension (specification: `ReservationExtendRequest`).
struct ExtendCall: Sendable {
    let payload: JSONValue
    let idempotencyKey: IdempotencyKey
    let milliseconds: Int64

    init(_ payload: JSONValue) throws(Refusal) {
        let members = try RequestMembers(payload, allowing: ["idempotency_key", "extend_by_ms", "metadata"])
        self.payload = payload
        idempotencyKey = try members.idempotencyKey()
        guard let milliseconds = try members.whole("extend_by_ms", in: 1...86_400_000) else {
            throw .invalid("extend_by_ms is missing")
        }
        self.milliseconds = milliseconds
        _ = try members.anyObject("metadata")
    }
}

/// A decoded event (specification: `EventCreateRequest`).
struct EventCall: Sendable {
    let payload: JSONValue
    let idempotencyKey: IdempotencyKey
    let subject: RequestSubject
    let actual: Amount
    let overagePolicy: CommitOveragePolicy?

    init(_ payload: JSONValue) throws(Refusal) {
        let members = try RequestMembers(
            payload,
            allowing: [
                "idempotency_key", "subject", "action", "actual", "overage_policy", "metrics", "client_time_ms",
                "metadata",
            ]
        )
        self.payload = payload
        idempotencyKey = try members.idempotencyKey()
        subject = try members.subject()
        _ = try members.action()
        actual = try members.amount("actual")
        overagePolicy = try members.overagePolicy()
        try members.checkMetrics()
        _ = try members.whole("client_time_ms", in: 0...Int64.max)
        _ = try members.anyObject("metadata")
    }
}
