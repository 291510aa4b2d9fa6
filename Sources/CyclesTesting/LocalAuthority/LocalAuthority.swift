public import Cycles

/// An in-memory budget authority with the full ledger of the protocol, for tests without a network.
///
/// Use an authority as the transport of a client, or serve it over a socket with ``LoopbackServer``. It answers all
/// eleven operations under any base URL. By default an authority behaves like the deployed reference server.
/// ``Options/Behavior/specification`` follows the text of the specification where the two differ. <doc:CyclesTesting>
/// lists the differences.
///
/// ```swift
/// let clock = ManualClock()
/// let authority = LocalAuthority(clock: clock)
/// authority.addAPIKey("key", tenant: "acme")
/// authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(10_000))
/// ```
///
/// Scopes are checked from the root down. Subject fields may contain letters, digits, `_`, `.` and `-`, as the
/// specification recommends; other characters are refused as INVALID_REQUEST. A subject without a tenant derives scopes
/// without a tenant, such as `agent:bot`; their budgets belong to no tenant and are left out of `GET /v1/balances`.
///
/// An authority can be used by any number of clients and threads at once.
public final class LocalAuthority: HTTPTransport, BlockingHTTPTransport {
    private let clock: AuthorityClock
    private let state: Lock<AuthorityState>

    /// Creates an authority without tenants and budgets.
    /// - Parameters:
    ///   - options: The limits, and the server to model.
    ///   - clock: The clock of leases and timestamps; nil for the system's clocks.
    public init(options: Options = Options(), clock: ManualClock? = nil) {
        self.clock = AuthorityClock(clock)
        state = Lock(AuthorityState(options: options))
    }

    /// Restores an authority from a snapshot.
    ///
    /// Snapshots contain no API keys: add the keys again. Errors requested with ``failNext(_:retryAfter:)`` are not
    /// restored. New ids differ from those that the original authority generates after the snapshot.
    /// - Parameters:
    ///   - snapshot: The result of ``snapshot()``.
    ///   - options: The limits, and the server to model; not part of a snapshot.
    ///   - clock: The clock of leases and timestamps; nil for the system's clocks. Leases that ran out since the
    ///     snapshot have expired.
    /// - Throws: ``RestoreError`` if the bytes are not a valid snapshot.
    public init(
        restoring snapshot: [UInt8],
        options: Options = Options(),
        clock: ManualClock? = nil
    ) throws(RestoreError) {
        self.clock = AuthorityClock(clock)
        state = Lock(try AuthorityState(restoring: snapshot, options: options))
    }

    // MARK: Answering

    /// Answers a request without waiting. Errors in the request are reported in the answer.
    ///
    /// Implements both `HTTPTransport` and `BlockingHTTPTransport`.
    /// - Throws: `connectionFailed`, only while ``isReachable`` is false.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let response = state.withLock { state in
            state.isReachable ? state.respond(to: request, at: clock.nowMilliseconds) : nil
        }
        guard let response else {
            throw HTTPTransportError(
                kind: .connectionFailed,
                message: "The authority cannot be reached",
                wasRequestSent: false
            )
        }
        return response
    }

    /// Whether requests reach the authority; true by default. Can be set on any thread. Not part of a ``snapshot()``.
    ///
    /// While false, ``send(_:)`` throws `connectionFailed` with `wasRequestSent` false, as for a server that is down.
    /// Errors requested with ``failNext(_:retryAfter:)`` are kept. Behind a ``LoopbackServer``, the connection is
    /// closed without an answer.
    public var isReachable: Bool {
        get { state.withLock { $0.isReachable } }
        set { state.withLock { $0.isReachable = newValue } }
    }

    /// Has no effect: an authority outlives the clients that use it as their transport.
    public func shutdown() async {}

    /// Answers the next request of any operation with an error and its status (specification: ERROR SEMANTICS). Further
    /// calls apply to further requests.
    /// - Parameters:
    ///   - code: The error code; an unknown code is answered with status 500.
    ///   - retryAfter: The `Retry-After` header, rounded up to whole seconds; nil for none.
    public func failNext(_ code: ErrorCode, retryAfter: Duration? = nil) {
        state.withLock { $0.plannedFailures.append(.init(code: code, retryAfter: retryAfter)) }
    }

    // MARK: Tenants and keys

    /// Adds an API key of a tenant (specification: AUTH & TENANCY). An existing key is reassigned.
    /// - Precondition: The tenant has 1 to 128 letters, digits, `_`, `.` and `-`.
    public func addAPIKey(_ key: String, tenant: String) {
        precondition(ScopeLevel.isValue(tenant), "LocalAuthority: not a tenant: \(tenant)")
        state.withLock { state in
            state.apiKeys[Array(key.utf8)] = tenant
            if state.tenants[tenant] == nil { state.tenants[tenant] = .init() }
        }
    }

    /// Adds an administrator's key, which lists, reads and releases the reservations of any tenant (specification:
    /// AdminKeyAuth).
    public func addAdminAPIKey(_ key: String) {
        state.withLock { state in _ = state.adminKeys.insert(Array(key.utf8)) }
    }

    /// Revokes a key of a tenant or administrator. Requests with the key are then answered with 401.
    public func removeAPIKey(_ key: String) {
        state.withLock { state in
            state.apiKeys[Array(key.utf8)] = nil
            state.adminKeys.remove(Array(key.utf8))
        }
    }

    /// Suspends, closes or reopens a tenant, and sets its defaults. Parameters that are nil change nothing. A new
    /// tenant is active and has no defaults.
    ///
    /// Requests of a suspended or closed tenant are answered with 401. With ``Options/Behavior/specification``, those
    /// of a suspended tenant are answered with 403; a closed tenant's changes are refused with TENANT_CLOSED, its
    /// preflights and dry runs are denied, and its reads are served (specification: ERROR SEMANTICS, TENANT_CLOSED).
    /// - Parameters:
    ///   - tenant: The name of the tenant.
    ///   - status: The new status.
    ///   - defaultTimeToLive: The lease of a reservation whose request has no `ttl_ms`, instead of 60 s.
    ///   - defaultOveragePolicy: The policy of reservations and events whose request has none, instead of
    ///     ALLOW_IF_AVAILABLE.
    ///   - maxExtensions: The maximum number of extensions of new reservations, instead of ``Options/maxExtensions``.
    /// - Precondition: No number is negative.
    public func setTenant(
        _ tenant: String,
        status: TenantStatus? = nil,
        defaultTimeToLive: Duration? = nil,
        defaultOveragePolicy: CommitOveragePolicy? = nil,
        maxExtensions: Int? = nil
    ) {
        precondition(
            defaultTimeToLive ?? .zero >= .zero && maxExtensions ?? 0 >= 0,
            "LocalAuthority: a negative default of tenant \(tenant)"
        )
        state.withLock { state in
            var entry = state.tenants[tenant] ?? .init()
            if let status { entry.status = status }
            if let defaultTimeToLive { entry.defaultTimeToLiveMilliseconds = defaultTimeToLive.wholeMilliseconds }
            if let defaultOveragePolicy { entry.defaultOveragePolicy = defaultOveragePolicy }
            if let maxExtensions { entry.maxExtensions = maxExtensions }
            state.tenants[tenant] = entry
        }
    }

    // MARK: Budgets

    /// Whether a text is a canonical scope, such as `tenant:acme/agent:bot` (specification: SCOPE DERIVATION).
    public static func isValidScope(_ scope: String) -> Bool { ScopePath(parsing: scope) != nil }

    /// Creates or changes the budget of a scope in the unit of `allocated`. Spent, reserved and debt do not change.
    ///
    /// A changed allocation sets `is_over_limit` if the debt exceeds the limit, and clears it otherwise. With
    /// ``Options/Behavior/specification`` a changed limit does the same (specification: OVERDRAFT RECONCILIATION).
    /// - Parameters:
    ///   - scope: The canonical scope, such as `tenant:acme/agent:bot`.
    ///   - allocated: The whole allocation, 0 or more.
    ///   - overdraftLimit: The maximum debt, 0 or more; 0 permits none.
    ///   - caps: The caps of ALLOW_WITH_CAPS decisions for this budget; nil for none.
    ///   - status: The status. Frozen and closed budgets refuse new reservations and settle existing ones.
    /// - Precondition: The scope is canonical, the unit is one of the protocol's, and no number is negative.
    public func setBudget(
        scope: String,
        allocated: Amount,
        overdraftLimit: Int64 = 0,
        caps: Caps? = nil,
        status: BudgetStatus = .active
    ) {
        precondition(overdraftLimit >= 0, "LocalAuthority: a negative overdraft limit: \(overdraftLimit)")
        withLedger { ledger in
            let key = LocalAuthority.key(scope, allocated, ledger.rules)
            var budget = ledger.budgets[key] ?? Budget()
            budget.caps = caps
            budget.status = status
            budget.configure(allocated: allocated.amount, overdraftLimit: overdraftLimit, ledger.rules)
            ledger.budgets[key] = budget
        }
    }

    /// Adds to the allocation of a budget, up to `Int64.max`. Debt does not change: use ``repayDebt(scope:_:)``. With
    /// ``Options/Behavior/specification``, debt is repaid first, and the rest is allocated (specification: `Balance`,
    /// DEBT SEMANTICS).
    ///
    /// The scope is no longer over its limit if its debt is within the limit.
    /// - Returns: Whether the budget was funded. Frozen and closed budgets are funded only with
    ///   ``Options/Behavior/specification``.
    /// - Precondition: The scope has a budget in this unit, and the amount is not negative.
    @discardableResult
    public func fund(scope: String, _ amount: Amount) -> Bool {
        change(scope, amount) { $0.fund(amount.amount, $1) }
    }

    /// Repays debt, and adds the rest of the amount to the allocation. The scope is no longer over its limit if its
    /// debt is within the limit.
    /// - Returns: Whether the budget accepted the amount, as for ``fund(scope:_:)``.
    /// - Precondition: The scope has a budget in this unit, and the amount is not negative.
    @discardableResult
    public func repayDebt(scope: String, _ amount: Amount) -> Bool {
        change(scope, amount) { $0.repay(amount.amount, $1) }
    }

    private func change(_ scope: String, _ amount: Amount, _ body: (inout Budget, ServerRules) -> Void) -> Bool {
        withLedger { ledger in
            let key = LocalAuthority.key(scope, amount, ledger.rules)
            guard var budget = ledger.budgets[key] else {
                preconditionFailure("LocalAuthority: no budget of \(scope) in \(amount.unit)")
            }
            guard budget.status == .active || ledger.rules.fundsInactiveBudgets else { return false }
            body(&budget, ledger.rules)
            ledger.budgets[key] = budget
            return true
        }
    }

    /// Calls `body` with the ledger after expired reservations were removed from it.
    private func withLedger<Result>(_ body: (inout Ledger) -> Result) -> Result {
        state.withLock { state in
            state.ledger.expire(at: clock.nowMilliseconds)
            return body(&state.ledger)
        }
    }

    private static func key(_ scope: String, _ amount: Amount, _ rules: ServerRules) -> BudgetKey {
        precondition(isValidScope(scope), "LocalAuthority: not a canonical scope: \(scope)")
        precondition(Ledger.units.contains(amount.unit), "LocalAuthority: not a unit: \(amount.unit)")
        precondition(amount.amount >= 0, "LocalAuthority: a negative amount: \(amount)")
        return BudgetKey(scope: rules.canonical(scope), unit: amount.unit)
    }

    // MARK: Evidence

    /// Signs evidence with a new key from now on (specification: `CyclesEvidenceJwks`, rotation). The published set keeps
    /// the earlier keys with the time until which they signed, so that their evidence still verifies.
    public func rotateEvidenceKey() {
        state.withLock { $0.evidence.keyring.rotate(at: clock.nowMilliseconds) }
    }

    /// Publishes a set of public keys instead of those that sign evidence (specification: getEvidenceJwks).
    /// - Parameter document: The JWK Set to serve, such as `["keys": []]`; nil for the keys that sign, or for none if the
    ///   authority does not emit evidence.
    public func setEvidenceKeys(_ document: JSONValue?) {
        state.withLock { $0.evidence.keys = document }
    }

    // MARK: Inspection

    /// Returns all balances in the order of their paths and units, in the form of answers (specification: `Balance`).
    /// `scopePath` is the whole path of the scope.
    public func balances() -> [Balance] {
        withLedger { ledger in
            return ledger.balances(of: ledger.budgets.keys.sorted())
        }
    }

    /// The reservations that hold budget, including those in their grace period, in the order of their creation.
    public var activeReservations: [ReservationID] {
        withLedger { ledger in
            return ledger.active.sorted().map { ReservationID(ledger.reservations[$0].id) }
        }
    }

    /// Returns the state as JSON: budgets, reservations, answers for replays, the status and defaults of tenants, and
    /// evidence. Equal states have equal bytes.
    ///
    /// A snapshot contains no API keys, no ``Options``, and no errors requested with ``failNext(_:retryAfter:)``.
    public func snapshot() -> [UInt8] {
        state.withLock { state in
            state.ledger.expire(at: clock.nowMilliseconds)
            return state.snapshot.encoded
        }
    }
}
