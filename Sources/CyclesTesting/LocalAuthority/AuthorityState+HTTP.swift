import Cycles

/// The owner of a request's API key (specification: AUTH & TENANCY).
enum Principal: Sendable {
    case tenant(String)
    case admin
}

/// Requests and answers in HTTP.
extension AuthorityState {
    mutating func respond(to request: HTTPRequest, at now: Int64) -> HTTPResponse {
        ledger.expire(at: now)
        let requestID = identifiers.nextRequestID()
        var exchange = Exchange(requestID: requestID, traceID: traceID(of: request.headers), now: now)
        var headers: HTTPHeaders = [
            "Content-Type": "application/json", "X-Request-Id": requestID, "X-Cycles-Trace-Id": exchange.traceID,
        ]
        if !plannedFailures.isEmpty {
            let failure = plannedFailures.removeFirst()
            addRetryHeaders(failure, to: &headers, at: now)
            let refusal = Refusal(failure.code, "The authority was told to fail")
            return answer(refusal, headers: headers, exchange: exchange)
        }
        var payload: JSONValue?
        do throws(Refusal) {
            let target = try RequestTarget(request.url)
            exchange.base = target.base
            let route = try Route(method: request.method, segments: target.segments)
            exchange.route = route
            let success: Success
            if route.isPublic {
                success = try performPublic(route)
            } else {
                let principal = try authenticate(request.headers, for: route)
                if case .tenant(let tenant) = principal { headers["X-Cycles-Tenant"] = tenant }
                if request.method == .post { payload = try decode(request) }
                success = try perform(route, payload, target.query, as: principal, exchange: exchange)
            }
            headers["Cache-Control"] = success.cacheControl
            return HTTPResponse(status: success.status, headers: headers, body: success.body.encoded)
        } catch {
            return answer(error, to: payload, headers: headers, exchange: exchange)
        }
    }

    // MARK: Operations

    private mutating func performPublic(_ route: Route) throws(Refusal) -> Success {
        guard case .getEvidence(let id) = route else {
            let signing = options.emitsEvidence ? Optional(evidence.keyring.document) : .none
            guard let keys = evidence.keys ?? signing else { throw Refusal(.notFound, "No keys are published") }
            return Success(body: keys, cacheControl: "public, max-age=60")
        }
        let isDigest = id.utf8.count == 64 && id.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
        guard isDigest else { throw .invalid("An evidence id is 64 hexadecimal digits in lower case") }
        guard let envelope = evidence.fetch(id, afterMisses: options.evidenceMisses) else {
            throw Refusal(.notFound, "There is no such evidence, or not yet")
        }
        return Success(body: envelope, cacheControl: "public, immutable")
    }

    private mutating func perform(
        _ route: Route,
        _ payload: JSONValue?,
        _ query: RequestQuery,
        as principal: Principal,
        exchange: Exchange
    ) throws(Refusal) -> Success {
        let payload = payload ?? nil
        switch (route, principal) {
        case (.decide, .tenant(let tenant)):
            let call = try BudgetCall(decision: payload)
            try requireTenant(call.subject, tenant)
            return try decide(call, tenant: tenant, exchange: exchange)
        case (.createReservation, .tenant(let tenant)):
            let call = try BudgetCall(reservation: payload)
            try requireTenant(call.subject, tenant)
            return try createReservation(call, tenant: tenant, exchange: exchange)
        case (.createEvent, .tenant(let tenant)):
            let call = try EventCall(payload)
            try requireTenant(call.subject, tenant)
            return try createEvent(call, tenant: tenant, exchange: exchange)
        case (.getBalances, .tenant(let tenant)):
            try requireTenant(query, tenant)
            let filter = try BalanceFilter(query, tenant: tenant, rules: rules)
            return Success(body: try filter.page(of: ledger, query: query))
        case (.commitReservation(let id), _):
            return try commit(id, CommitCall(payload), principal: principal, exchange: exchange)
        case (.releaseReservation(let id), _):
            return try release(id, ReleaseCall(payload), principal: principal, exchange: exchange)
        case (.extendReservation(let id), _):
            return try extend(id, ExtendCall(payload), principal: principal, exchange: exchange)
        case (.getReservation(let id), _):
            let reservation = ledger.reservations[try position(of: id, for: principal, at: exchange.now)]
            guard reservation.status != .expired else {
                throw Refusal(.reservationExpired, "Reservation \(id) has expired")
            }
            return Success(body: reservation.json())
        case (.listReservations, _):
            let tenant = try listedTenant(query, principal)
            let filter = try ReservationFilter(query, tenant: tenant, rules: rules, at: exchange.now)
            return Success(body: try filter.page(of: ledger.reservations, query: query))
        default: throw Refusal(.unauthorized, "This operation needs a tenant's key")
        }
    }

    // MARK: Authentication

    private func authenticate(_ headers: HTTPHeaders, for route: Route) throws(Refusal) -> Principal {
        if let key = headers["X-Cycles-API-Key"] {
            guard let tenant = apiKeys[Array(key.utf8)] else {
                throw Refusal(.unauthorized, "The API key is not known")
            }
            let status = tenants[tenant]?.status ?? .active
            if status != .active, rules.revokesKeysOfInactiveTenants {
                throw Refusal(.unauthorized, "The tenant is \(status)")
            }
            if status == .suspended { throw Refusal(.forbidden, "The tenant is suspended") }
            return .tenant(tenant)
        }
        guard route.acceptsAdminKey, let key = headers["X-Admin-API-Key"] else {
            throw Refusal(.unauthorized, "The request has no API key")
        }
        guard adminKeys.contains(Array(key.utf8)) else { throw Refusal(.unauthorized, "The admin key is not known") }
        return .admin
    }

    private func requireTenant(_ subject: RequestSubject, _ tenant: String) throws(Refusal) {
        guard let named = subject.scope.value(of: .tenant), named != tenant else { return }
        throw Refusal(.forbidden, "subject.tenant is not the tenant of the key")
    }

    private func requireTenant(_ query: RequestQuery, _ tenant: String) throws(Refusal) {
        guard let named = query.filled("tenant"), named != tenant else { return }
        throw Refusal(.forbidden, "tenant is not the tenant of the key")
    }

    /// The tenant to list. The parameter `tenant` selects it for an administrator's key, and has to match for a
    /// tenant's key (specification: listReservations, TENANCY).
    private func listedTenant(_ query: RequestQuery, _ principal: Principal) throws(Refusal) -> String {
        if case .tenant(let tenant) = principal {
            try requireTenant(query, tenant)
            return tenant
        }
        guard let tenant = query.filled("tenant") else {
            throw .invalid("tenant query parameter is required when using admin key authentication")
        }
        return tenant
    }

    // MARK: Bodies and headers

    /// The maximum nesting depth of a request. Less than the depth of a document, because answers, evidence and
    /// snapshots wrap requests.
    private static let maximumDepth = JSONValue.maximumDepth - 16

    private func decode(_ request: HTTPRequest) throws(Refusal) -> JSONValue {
        let payload: JSONValue
        do {
            payload = try JSONValue(parsing: request.body)
        } catch {
            throw .invalid("\(error)")
        }
        guard payload.depth <= AuthorityState.maximumDepth else { throw .invalid("The body is nested too deep") }
        if let header = request.headers["X-Idempotency-Key"], let key = payload["idempotency_key"]?.string,
            !header.utf8.elementsEqual(key.utf8)
        {
            throw .invalid("X-Idempotency-Key and idempotency_key differ")
        }
        return payload
    }

    /// The trace of a request. Malformed headers are ignored (specification: CORRELATION AND TRACING, inbound header
    /// precedence).
    private func traceID(of headers: HTTPHeaders) -> String {
        if let context = headers["traceparent"].flatMap(TraceContext.init(parsing:)) { return context.traceID }
        if let id = headers["X-Cycles-Trace-Id"], TraceContext.isIdentifier(id, length: 32) { return id }
        return identifiers.traceID
    }

    private func addRetryHeaders(_ failure: PlannedFailure, to headers: inout HTTPHeaders, at now: Int64) {
        // Rounded up to whole seconds, so that no client retries too early.
        let delay = failure.retryAfter.map { max(0, $0.wholeMilliseconds) }
        let seconds = delay.map { $0 / 1_000 + ($0 % 1_000 > 0 ? 1 : 0) }
        headers["Retry-After"] = seconds.map(String.init)
        guard failure.code == .limitExceeded else { return }
        headers["X-RateLimit-Remaining"] = "0"
        headers["X-RateLimit-Reset"] = String((now / 1_000).saturatingAdding(seconds ?? 0))
    }

    /// The error answer (specification: `ErrorResponse`). Stores evidence for a refusal by the ledger.
    private mutating func answer(
        _ refusal: Refusal,
        to payload: JSONValue? = nil,
        headers: HTTPHeaders,
        exchange: Exchange
    ) -> HTTPResponse {
        var body: JSONValue = [
            "error": .string(refusal.code.rawValue), "message": .string(refusal.message),
            "request_id": .string(exchange.requestID), "trace_id": .string(exchange.traceID),
        ]
        body = body.setting("details", to: refusal.details.map(JSONValue.object))
        let status = refusal.httpStatus
        var headers = headers
        headers["Allow"] = refusal.allowedMethods?.joined(separator: ", ")
        if options.emitsEvidence, status == 409, let payload, let endpoint = exchange.route?.attestedEndpoint {
            let attested = JSONValue.object([
                "endpoint": .string(endpoint), "http_status": .whole(Int64(status)), "request": payload,
                "response": body,
            ]).setting("reservation_id", to: exchange.route?.settledReservation.map(JSONValue.string))
            let reference = evidence.file(
                .error,
                payload: attested,
                signer: options.evidenceSigner,
                exchange: exchange
            )
            body = body.setting("cycles_evidence", to: reference)
        }
        return HTTPResponse(status: status, headers: headers, body: body.encoded)
    }
}
