import Cycles

// Requests made of checked arguments: a member is present with the type of the schema, or absent.

extension Amount {
    init?(_ value: JSONValue?) {
        guard let amount = value?["amount"]?.int64, let unit = value?["unit"]?.string else { return nil }
        self.init(amount, BudgetUnit(rawValue: unit))
    }

    /// The amount that the schema requires.
    fileprivate init(required value: JSONValue?) { self = Amount(value) ?? .tokens(0) }
}

extension JSONValue {
    fileprivate func milliseconds(_ name: String) -> Duration? { self[name]?.int64.map { .milliseconds($0) } }
    fileprivate var key: IdempotencyKey? { self["idempotencyKey"]?.string.map { IdempotencyKey($0) } }
    fileprivate var metadata: [String: JSONValue] { self["metadata"]?.object ?? [:] }
    fileprivate var overage: CommitOveragePolicy? {
        self["overagePolicy"]?.string.map { CommitOveragePolicy(rawValue: $0) }
    }

    /// The reservation that a tool is called for.
    var reservationID: ReservationID { ReservationID(self["reservationId"]?.string ?? "") }

    fileprivate var metrics: CyclesMetrics? {
        guard let metrics = self["metrics"] else { return nil }
        return CyclesMetrics(
            tokensInput: metrics["tokensInput"]?.int64,
            tokensOutput: metrics["tokensOutput"]?.int64,
            latency: metrics.milliseconds("latencyMs"),
            modelVersion: metrics["modelVersion"]?.string,
            custom: metrics["custom"]?.object ?? [:]
        )
    }
}

extension Subject {
    /// Creates a subject of the members of an object.
    init(_ value: JSONValue?) {
        self.init(
            tenant: value?["tenant"]?.string,
            workspace: value?["workspace"]?.string,
            app: value?["app"]?.string,
            workflow: value?["workflow"]?.string,
            agent: value?["agent"]?.string,
            toolset: value?["toolset"]?.string,
            dimensions: value?["dimensions"]?.object?.compactMapValues(\.string)
        )
    }
}

extension Action {
    fileprivate init(_ value: JSONValue?) {
        self.init(
            kind: value?["kind"]?.string ?? "",
            name: value?["name"]?.string ?? "",
            tags: value?["tags"]?.array?.compactMap(\.string) ?? []
        )
    }
}

extension ReservationCreateRequest {
    init(_ arguments: JSONValue) {
        self.init(
            subject: Subject(arguments["subject"]),
            action: Action(arguments["action"]),
            estimate: Amount(required: arguments["estimate"]),
            timeToLive: arguments.milliseconds("ttlMs") ?? .seconds(60),
            gracePeriod: arguments.milliseconds("gracePeriodMs"),
            overagePolicy: arguments.overage,
            dryRun: arguments["dryRun"]?.bool ?? false,
            metadata: arguments.metadata,
            idempotencyKey: arguments.key
        )
    }
}

extension DecisionRequest {
    init(_ arguments: JSONValue) {
        self.init(
            subject: Subject(arguments["subject"]),
            action: Action(arguments["action"]),
            estimate: Amount(required: arguments["estimate"]),
            metadata: arguments.metadata,
            idempotencyKey: arguments.key
        )
    }
}

extension CommitRequest {
    init(_ arguments: JSONValue) {
        self.init(
            actual: Amount(required: arguments["actual"]),
            metrics: arguments.metrics,
            metadata: arguments.metadata,
            idempotencyKey: arguments.key
        )
    }
}

extension ReleaseRequest {
    init(_ arguments: JSONValue) { self.init(reason: arguments["reason"]?.string, idempotencyKey: arguments.key) }
}

extension ExtendRequest {
    init(_ arguments: JSONValue) {
        self.init(
            by: arguments.milliseconds("extendByMs") ?? .zero,
            metadata: arguments.metadata,
            idempotencyKey: arguments.key
        )
    }
}

extension EventCreateRequest {
    init(_ arguments: JSONValue) {
        self.init(
            subject: Subject(arguments["subject"]),
            action: Action(arguments["action"]),
            actual: Amount(required: arguments["actual"]),
            overagePolicy: arguments.overage,
            metrics: arguments.metrics,
            clientTimeMilliseconds: arguments["clientTimeMs"]?.int64,
            metadata: arguments.metadata,
            idempotencyKey: arguments.key
        )
    }
}

extension BalanceQuery {
    init(_ arguments: JSONValue) {
        let subject = Subject(arguments)
        self.init(
            tenant: subject.tenant,
            workspace: subject.workspace,
            app: subject.app,
            workflow: subject.workflow,
            agent: subject.agent,
            toolset: subject.toolset,
            includeChildren: arguments["includeChildren"]?.bool,
            limit: arguments["limit"]?.int64.map(Int.init),
            cursor: arguments["cursor"]?.string
        )
    }
}

extension ReservationQuery {
    init(_ arguments: JSONValue) {
        let subject = Subject(arguments)
        self.init(
            idempotencyKey: arguments.key,
            status: arguments["status"]?.string.map { ReservationStatus(rawValue: $0) },
            tenant: subject.tenant,
            workspace: subject.workspace,
            app: subject.app,
            workflow: subject.workflow,
            agent: subject.agent,
            toolset: subject.toolset,
            limit: arguments["limit"]?.int64.map(Int.init),
            cursor: arguments["cursor"]?.string
        )
    }
}
