import Cycles

/// The operations that change the state.
extension AuthorityState {
    // MARK: Decide, reserve

    mutating func decide(_ call: BudgetCall, tenant: String, exchange: Exchange) throws(Refusal) -> Success {
        let slot = IdempotencySlot(tenant: tenant, endpoint: "decide", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        let chain = rules.chain(of: call.subject)
        let body = decisionBody(try evaluate(call, tenant: tenant), chain: chain)
        return conclude(slot, call.payload, body: body, artifact: .decide, exchange: exchange)
    }

    mutating func createReservation(
        _ call: BudgetCall,
        tenant: String,
        exchange: Exchange
    ) throws(Refusal) -> Success {
        let slot = IdempotencySlot(tenant: tenant, endpoint: "reservations", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        let chain = rules.chain(of: call.subject)
        if call.isDryRun {
            let verdict = try evaluate(call, tenant: tenant)
            var body = decisionBody(verdict, chain: chain)
                .setting("scope_path", to: chain.last.map(JSONValue.string))
            if verdict.isAllowed { body = body.setting("reserved", to: call.estimate.json) }
            if verdict.isAllowed || rules.showsBalancesOfDeniedDryRuns {
                body = body.setting("balances", to: balances(verdict.scopes, unit: call.estimate.unit))
            }
            return conclude(slot, call.payload, body: body, artifact: .reserve, exchange: exchange)
        }
        try requireOpen(tenant)
        let scopes: [String]
        let caps: Caps?
        switch try ledger.verdict(on: chain, holding: call.estimate) {
        case .denied(let denial, _): throw denial.refusal
        case .allowed(let budgeted, let found): (scopes, caps) = (budgeted, found)
        }
        let defaults = tenants[tenant] ?? Tenant()
        let timeToLive = call.timeToLiveMilliseconds ?? defaults.defaultTimeToLiveMilliseconds ?? 60_000
        let reservation = Reservation(
            id: identifiers.nextReservationID(),
            tenant: tenant,
            idempotencyKey: call.idempotencyKey,
            subject: call.subject.json,
            action: call.action,
            metadata: call.metadata,
            estimate: call.estimate,
            overagePolicy: call.overagePolicy ?? defaults.defaultOveragePolicy ?? .allowIfAvailable,
            scopes: chain,
            budgetScopes: scopes,
            maxExtensions: defaults.maxExtensions ?? options.maxExtensions,
            createdAtMilliseconds: exchange.now,
            graceMilliseconds: call.graceMilliseconds,
            expiresAtMilliseconds: exchange.now.saturatingAdding(grantedLease(timeToLive))
        )
        let position = try ledger.reserve(reservation)
        let body = decisionBody(.allowed(scopes: scopes, caps: caps), chain: chain)
            .setting("reservation_id", to: .string(reservation.id))
            .setting("reserved", to: reservation.estimate.json)
            .setting("expires_at_ms", to: .whole(reservation.expiresAtMilliseconds))
            .setting("scope_path", to: chain.last.map(JSONValue.string))
            .setting("balances", to: balances(scopes, unit: call.estimate.unit))
        return conclude(
            slot,
            call.payload,
            body: body,
            lease: IdempotencyRecord.Lease(
                reservationID: reservation.id,
                expiresAtMilliseconds: reservation.expiresAtMilliseconds
            ),
            artifact: .reserve,
            on: position,
            exchange: exchange
        )
    }

    /// Evaluates a request without changing the state. For an evaluation, a closed tenant is a reason for denial rather
    /// than an error (specification: ERROR SEMANTICS, non-persisting evaluations).
    private func evaluate(_ call: BudgetCall, tenant: String) throws(Refusal) -> Ledger.Verdict {
        if isClosed(tenant) {
            return .denied(Ledger.Denial(reason: .tenantClosed, message: "The tenant is closed"), scopes: [])
        }
        return try ledger.verdict(on: rules.chain(of: call.subject), holding: call.estimate)
    }

    private func grantedLease(_ asked: Int64) -> Int64 {
        min(asked, options.maxTimeToLive.wholeMilliseconds, options.maxLead?.wholeMilliseconds ?? .max)
    }

    private func decisionBody(_ verdict: Ledger.Verdict, chain: [String]) -> JSONValue {
        var members: [String: JSONValue] = ["affected_scopes": .texts(chain)]
        switch verdict {
        case .allowed(_, let caps):
            members["decision"] = .string((caps == nil ? Decision.allow : .allowWithCaps).rawValue)
            members["caps"] = caps?.json
        case .denied(let denial, _):
            members["decision"] = .string(Decision.deny.rawValue)
            members["reason_code"] = .string(denial.reason.rawValue)
        }
        return .object(members)
    }

    // MARK: Commit, release, extend

    mutating func commit(
        _ id: String,
        _ call: CommitCall,
        principal: Principal,
        exchange: Exchange
    ) throws(Refusal) -> Success {
        let position = try position(of: id, for: principal, at: exchange.now)
        let tenant = ledger.reservations[position].tenant
        let slot = IdempotencySlot(tenant: tenant, endpoint: "commit \(id)", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        try requireOpen(tenant)
        let charged = try ledger.commit(position, actual: call.actual, metadata: call.metadata, at: exchange.now)
        let reservation = ledger.reservations[position]
        var body: JSONValue = [
            "status": "COMMITTED", "charged": Amount(charged, call.actual.unit).json,
            "balances": balances(reservation.budgetScopes, unit: reservation.estimate.unit),
        ]
        if charged < reservation.estimate.amount {
            let rest = Amount(reservation.estimate.amount - charged, reservation.estimate.unit)
            body = body.setting("released", to: rest.json)
        }
        return conclude(slot, call.payload, body: body, artifact: .commit, on: position, exchange: exchange)
    }

    mutating func release(
        _ id: String,
        _ call: ReleaseCall,
        principal: Principal,
        exchange: Exchange
    ) throws(Refusal) -> Success {
        let position = try position(of: id, for: principal, at: exchange.now)
        let tenant = ledger.reservations[position].tenant
        let slot = IdempotencySlot(tenant: tenant, endpoint: "release \(id)", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        try requireOpen(tenant)
        try ledger.release(position, at: exchange.now)
        let reservation = ledger.reservations[position]
        let body: JSONValue = [
            "status": "RELEASED", "released": reservation.estimate.json,
            "balances": balances(reservation.budgetScopes, unit: reservation.estimate.unit),
        ]
        return conclude(slot, call.payload, body: body, artifact: .release, on: position, exchange: exchange)
    }

    mutating func extend(
        _ id: String,
        _ call: ExtendCall,
        principal: Principal,
        exchange: Exchange
    ) throws(Refusal) -> Success {
        let position = try position(of: id, for: principal, at: exchange.now)
        let tenant = ledger.reservations[position].tenant
        let slot = IdempotencySlot(tenant: tenant, endpoint: "extend \(id)", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        try requireOpen(tenant)
        let expiry = try ledger.extend(position, by: call.milliseconds, limits: options, at: exchange.now)
        let reservation = ledger.reservations[position]
        let body: JSONValue = [
            "status": "ACTIVE", "expires_at_ms": .whole(expiry),
            "balances": balances(reservation.budgetScopes, unit: reservation.estimate.unit),
        ]
        return conclude(
            slot,
            call.payload,
            body: body,
            lease: IdempotencyRecord.Lease(reservationID: id, expiresAtMilliseconds: expiry),
            exchange: exchange
        )
    }

    // MARK: Events

    mutating func createEvent(_ call: EventCall, tenant: String, exchange: Exchange) throws(Refusal) -> Success {
        let slot = IdempotencySlot(tenant: tenant, endpoint: "events", key: call.idempotencyKey)
        if let replay = try replay(slot, call.payload, at: exchange.now) { return replay }
        try requireOpen(tenant)
        let policy = call.overagePolicy ?? tenants[tenant]?.defaultOveragePolicy ?? .allowIfAvailable
        let applied = try ledger.apply(call.actual, on: rules.chain(of: call.subject), policy: policy)
        var body: JSONValue = [
            "status": "APPLIED", "event_id": .string(identifiers.nextEventID()),
            "balances": .array(applied.keys.compactMap(ledger.row)),
        ]
        if applied.amount < call.actual.amount {
            body = body.setting("charged", to: Amount(applied.amount, call.actual.unit).json)
        }
        let end = rules.eventKeyLifetimeMilliseconds.map(exchange.now.saturatingAdding)
        return conclude(slot, call.payload, status: 201, body: body, keptUntil: end, exchange: exchange)
    }

    // MARK: Shared parts

    /// The position of a reservation that the caller may access (specification: AUTH & TENANCY).
    func position(of id: String, for principal: Principal, at now: Int64) throws(Refusal) -> Int {
        guard let position = ledger.position(of: id), !rules.hasForgotten(ledger.reservations[position], at: now) else {
            throw Refusal(.notFound, "Reservation not found: \(id)")
        }
        if case .tenant(let tenant) = principal, ledger.reservations[position].tenant != tenant {
            throw Refusal(.forbidden, "The reservation belongs to another tenant")
        }
        return position
    }

    private func requireOpen(_ tenant: String) throws(Refusal) {
        if isClosed(tenant) { throw Refusal(.tenantClosed, "The tenant is closed") }
    }

    private func balances(_ scopes: [String], unit: BudgetUnit) -> JSONValue {
        .array(scopes.compactMap { ledger.row(BudgetKey(scope: $0, unit: unit)) })
    }

    /// The recorded answer to the first request with a key and the same payload; nil if there is none.
    private func replay(_ slot: IdempotencySlot, _ payload: JSONValue, at now: Int64) throws(Refusal) -> Success? {
        guard let record = records[slot], now < record.endMilliseconds ?? .max else { return nil }
        // Payloads are compared as bytes: canonically equivalent texts are different payloads, while different
        // spellings of a number are equal.
        let isSame =
            record.payload == payload.encoded
            || (try? JSONValue(parsing: record.payload))?.canonical.encoded == payload.canonical.encoded
        guard isSame else {
            throw Refusal(.idempotencyMismatch, "The idempotency key was used with a different request")
        }
        return success(of: record, at: now)
    }

    /// Stores evidence and the answer under its key, and returns the answer.
    private mutating func conclude(
        _ slot: IdempotencySlot,
        _ payload: JSONValue,
        status: Int = 200,
        body: JSONValue,
        lease: IdempotencyRecord.Lease? = nil,
        keptUntil end: Int64? = nil,
        artifact: EvidenceArtifact? = nil,
        on position: Int? = nil,
        exchange: Exchange
    ) -> Success {
        var body = body
        if options.emitsEvidence, let artifact {
            let attested = JSONValue.object(["request": payload, "response": body])
                .setting("reservation_id", to: exchange.route?.settledReservation.map(JSONValue.string))
            let reference = evidence.file(
                artifact,
                payload: attested,
                signer: options.evidenceSigner,
                exchange: exchange
            )
            body = body.setting("cycles_evidence", to: reference)
            if let position { ledger.reservations[position].evidence[artifact.rawValue] = reference }
        }
        let record = IdempotencyRecord(
            payload: payload.encoded,
            status: status,
            body: body,
            lease: lease,
            endMilliseconds: end
        )
        records[slot] = record
        return success(of: record, at: exchange.now)
    }

    /// The recorded answer with the present remaining time of the lease (specification: IDEMPOTENCY).
    private func success(of record: IdempotencyRecord, at now: Int64) -> Success {
        guard options.emitsRemainingTimeToLive, let lease = record.lease else {
            return Success(status: record.status, body: record.body)
        }
        let position = ledger.position(of: lease.reservationID)
        let isActive = position.map { ledger.reservations[$0].status == .active } ?? false
        let (left, overflow) = lease.expiresAtMilliseconds.subtractingReportingOverflow(now)
        let remaining = !isActive ? 0 : overflow ? .max : max(0, left)
        return Success(status: record.status, body: record.body.setting("remaining_ttl_ms", to: .whole(remaining)))
    }
}

extension Ledger.Verdict {
    var isAllowed: Bool {
        switch self {
        case .allowed: true
        case .denied: false
        }
    }

    var scopes: [String] {
        switch self {
        case .allowed(let scopes, _), .denied(_, let scopes): scopes
        }
    }
}
