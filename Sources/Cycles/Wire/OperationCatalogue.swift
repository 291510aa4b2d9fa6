/// The operations of the specification. Each is checked, completed and encoded here.
extension Operation {
    /// `decide`: POST `/v1/decide`.
    package static func decide(_ request: DecisionRequest, _ defaults: RequestDefaults) throws(CyclesError) -> Self
    where Output == DecisionResponse {
        var request = request
        defaults.complete(&request.subject)
        try RequestValidation.subject(request.subject)
        try RequestValidation.action(request.action)
        try RequestValidation.amount("estimate", request.estimate)
        try RequestValidation.metadata("metadata", request.metadata)
        let key = try request.idempotencyKey.checkedOrFresh()
        return Operation(
            name: "decide",
            method: .post,
            path: "/v1/decide",
            body: request.encoded(key: key),
            idempotencyKey: key,
            unit: request.estimate.unit,
            isBudgetRequest: true
        )
    }

    /// `createReservation`: POST `/v1/reservations`.
    package static func createReservation(
        _ request: ReservationCreateRequest,
        _ defaults: RequestDefaults
    ) throws(CyclesError) -> Self where Output == ReservationCreateResponse {
        var request = request
        return try createReservation(completing: &request, defaults)
    }

    /// `createReservation`, adding the defaults to the subject of the request in place.
    package static func createReservation(
        completing request: inout ReservationCreateRequest,
        _ defaults: RequestDefaults
    ) throws(CyclesError) -> Self where Output == ReservationCreateResponse {
        defaults.complete(&request.subject)
        try RequestValidation.subject(request.subject)
        try RequestValidation.action(request.action)
        try RequestValidation.amount("estimate", request.estimate)
        try RequestValidation.span("timeToLive", request.timeToLive, 1_000...86_400_000)
        if let gracePeriod = request.gracePeriod {
            try RequestValidation.span("gracePeriod", gracePeriod, 0...60_000)
        }
        try RequestValidation.metadata("metadata", request.metadata)
        let key = try request.idempotencyKey.checkedOrFresh()
        return Operation(
            name: "createReservation",
            method: .post,
            path: "/v1/reservations",
            body: request.encoded(key: key),
            idempotencyKey: key,
            unit: request.estimate.unit,
            isBudgetRequest: true
        )
    }

    /// `commitReservation`: POST `/v1/reservations/{reservation_id}/commit`.
    package static func commitReservation(
        _ id: ReservationID,
        _ request: CommitRequest
    ) throws(CyclesError) -> Self where Output == CommitResponse {
        try RequestValidation.amount("actual", request.actual)
        try RequestValidation.metrics(request.metrics)
        try RequestValidation.metadata("metadata", request.metadata)
        let key = try request.idempotencyKey.checkedOrFresh()
        return try commitReservation(id, body: request.encoded(key: key), key: key, unit: request.actual.unit)
    }

    /// `releaseReservation`: POST `/v1/reservations/{reservation_id}/release`.
    package static func releaseReservation(
        _ id: ReservationID,
        _ request: ReleaseRequest
    ) throws(CyclesError) -> Self where Output == ReleaseResponse {
        try RequestValidation.releaseReason(request.reason)
        let key = try request.idempotencyKey.checkedOrFresh()
        return Operation(
            name: "releaseReservation",
            method: .post,
            path: try reservationPath(id, "/release"),
            body: request.encoded(key: key),
            idempotencyKey: key,
            reservationID: id,
            authentication: .operatorOrAPIKey,
            priority: .settlement
        )
    }

    /// `extendReservation`: POST `/v1/reservations/{reservation_id}/extend`.
    package static func extendReservation(
        _ id: ReservationID,
        _ request: ExtendRequest
    ) throws(CyclesError) -> Self where Output == ExtendResponse {
        try RequestValidation.span("by", request.extendBy, 1...86_400_000)
        try RequestValidation.metadata("metadata", request.metadata)
        let key = try request.idempotencyKey.checkedOrFresh()
        return Operation(
            name: "extendReservation",
            method: .post,
            path: try reservationPath(id, "/extend"),
            body: request.encoded(key: key),
            idempotencyKey: key,
            reservationID: id,
            priority: .lease
        )
    }

    /// `createEvent`: POST `/v1/events`, answered with 201.
    package static func createEvent(
        _ request: EventCreateRequest,
        _ defaults: RequestDefaults
    ) throws(CyclesError) -> Self where Output == EventCreateResponse {
        var request = request
        defaults.complete(&request.subject)
        try RequestValidation.subject(request.subject)
        try RequestValidation.action(request.action)
        try RequestValidation.amount("actual", request.actual)
        try RequestValidation.metrics(request.metrics)
        if let time = request.clientTimeMilliseconds, time < 0 {
            throw RequestValidation.invalid("clientTimeMilliseconds", "is less than zero")
        }
        try RequestValidation.metadata("metadata", request.metadata)
        let key = try request.idempotencyKey.checkedOrFresh()
        return createEvent(insteadOf: nil, body: request.encoded(key: key), key: key, unit: request.actual.unit)
    }

    /// `getReservation`: GET `/v1/reservations/{reservation_id}`.
    package static func getReservation(_ id: ReservationID) throws(CyclesError) -> Self
    where Output == ReservationDetail {
        Operation(
            name: "getReservation",
            method: .get,
            path: try reservationPath(id, ""),
            reservationID: id,
            authentication: .operatorOrAPIKey
        )
    }

    /// `listReservations`: GET `/v1/reservations`.
    package static func listReservations(
        _ query: ReservationQuery,
        _ defaults: RequestDefaults
    ) throws(CyclesError) -> Self where Output == ReservationListResponse {
        try RequestValidation.pageLimit(query.limit)
        if let key = query.idempotencyKey { try RequestValidation.idempotencyKey(key) }
        var filters = Subject(
            tenant: query.tenant,
            workspace: query.workspace,
            app: query.app,
            workflow: query.workflow,
            agent: query.agent,
            toolset: query.toolset
        )
        if filters.isEmpty { filters.tenant = defaults.subject.tenant }
        if defaults.usesOperatorKey, filters.tenant == nil {
            throw RequestValidation.invalid("tenant", "is needed to list reservations with the admin key")
        }
        var parameters = QueryString()
        parameters.add("idempotency_key", query.idempotencyKey?.rawValue)
        parameters.add("status", query.status?.rawValue)
        parameters.add(filters)
        try parameters.add(window: "from", "to", query.fromMilliseconds, query.toMilliseconds)
        try parameters.add(
            window: "expires_from",
            "expires_to",
            query.expiresFromMilliseconds,
            query.expiresToMilliseconds
        )
        try parameters.add(
            window: "finalized_from",
            "finalized_to",
            query.finalizedFromMilliseconds,
            query.finalizedToMilliseconds
        )
        parameters.add("sort_by", query.sortBy?.rawValue)
        parameters.add("sort_dir", query.sortDirection?.rawValue)
        let include = ReservationProjection.allCases.filter(query.include.contains).map(\.rawValue)
        parameters.add("include", include.isEmpty ? nil : include.joined(separator: ","))
        parameters.add("limit", query.limit.map(String.init))
        parameters.add("cursor", query.cursor)
        return Operation(
            name: "listReservations",
            method: .get,
            path: parameters.appended(to: "/v1/reservations"),
            authentication: .operatorOrAPIKey
        )
    }

    /// `getBalances`: GET `/v1/balances`.
    package static func getBalances(_ query: BalanceQuery, _ defaults: RequestDefaults) throws(CyclesError) -> Self
    where Output == BalanceResponse {
        try RequestValidation.pageLimit(query.limit)
        var filters = Subject(
            tenant: query.tenant,
            workspace: query.workspace,
            app: query.app,
            workflow: query.workflow,
            agent: query.agent,
            toolset: query.toolset
        )
        if filters.isEmpty { filters.tenant = defaults.subject.tenant }
        guard !filters.isEmpty else {
            throw RequestValidation.invalid(
                "query",
                "has none of tenant, workspace, app, workflow, agent and toolset; give one, or configure a tenant"
            )
        }
        var parameters = QueryString()
        parameters.add(filters)
        parameters.add("include_children", query.includeChildren.map { $0 ? "true" : "false" })
        parameters.add("limit", query.limit.map(String.init))
        parameters.add("cursor", query.cursor)
        return Operation(
            name: "getBalances",
            method: .get,
            path: parameters.appended(to: "/v1/balances")
        )
    }

    /// `getEvidence`: GET `/v1/evidence/{evidence_id}`, public.
    package static func getEvidence(_ id: EvidenceID) throws(CyclesError) -> Self where Output == EvidenceEnvelope {
        guard TraceContext.isLowerHexadecimal(id.rawValue, length: 64) else {
            throw RequestValidation.invalid("evidenceID", "is not 64 lower-case hexadecimal digits")
        }
        return Operation(
            name: "getEvidence",
            method: .get,
            path: "/v1/evidence/" + id.rawValue,
            authentication: .none
        )
    }

    /// `getEvidenceJwks`: GET `/v1/.well-known/cycles-jwks.json`, public.
    package static func getEvidenceKeys() -> Self where Output == EvidenceKeySet {
        Operation(
            name: "getEvidenceJwks",
            method: .get,
            path: "/v1/.well-known/cycles-jwks.json",
            authentication: .none
        )
    }

    // MARK: Bodies that were encoded before

    /// `commitReservation` with a body that was checked and encoded before.
    package static func commitReservation(
        _ id: ReservationID,
        body: [UInt8],
        key: IdempotencyKey?,
        unit: BudgetUnit?
    ) throws(CyclesError) -> Self where Output == CommitResponse {
        Operation(
            name: "commitReservation",
            method: .post,
            path: try reservationPath(id, "/commit"),
            body: body,
            idempotencyKey: key,
            reservationID: id,
            priority: .settlement,
            unit: unit
        )
    }

    /// `createEvent` with a body that was checked and encoded before, in place of the commit of a reservation, if one
    /// is given.
    package static func createEvent(
        insteadOf id: ReservationID?,
        body: [UInt8],
        key: IdempotencyKey?,
        unit: BudgetUnit?
    ) -> Self where Output == EventCreateResponse {
        Operation(
            name: "createEvent",
            method: .post,
            path: "/v1/events",
            body: body,
            idempotencyKey: key,
            reservationID: id,
            successStatus: 201,
            priority: .settlement,
            unit: unit,
            isBudgetRequest: true
        )
    }
}

private func reservationPath(_ id: ReservationID, _ suffix: String) throws(CyclesError) -> String {
    try RequestValidation.reservationID(id)
    return "/v1/reservations/" + PercentEncoding.encode(id.rawValue) + suffix
}

extension IdempotencyKey? {
    fileprivate func checkedOrFresh() throws(CyclesError) -> IdempotencyKey {
        guard let self else { return .random() }
        try RequestValidation.idempotencyKey(self)
        return self
    }
}

extension QueryString {
    fileprivate mutating func add(_ filters: Subject) {
        add("tenant", filters.tenant)
        add("workspace", filters.workspace)
        add("app", filters.app)
        add("workflow", filters.workflow)
        add("agent", filters.agent)
        add("toolset", filters.toolset)
    }

    /// Adds the two ends of a time window, as date-times.
    fileprivate mutating func add(
        window from: StaticString,
        _ to: StaticString,
        _ fromMilliseconds: Int64?,
        _ toMilliseconds: Int64?
    ) throws(CyclesError) {
        if let fromMilliseconds, let toMilliseconds, fromMilliseconds > toMilliseconds {
            throw RequestValidation.invalid("\(from)", "is later than \(to)")
        }
        add(from, try dateTime(from, fromMilliseconds))
        add(to, try dateTime(to, toMilliseconds))
    }

    private func dateTime(_ name: StaticString, _ milliseconds: Int64?) throws(CyclesError) -> String? {
        guard let milliseconds else { return nil }
        guard let text = InternetTimestamp.format(milliseconds: milliseconds) else {
            throw RequestValidation.invalid("\(name)", "is not within the years 0 to 9999")
        }
        return text
    }
}
