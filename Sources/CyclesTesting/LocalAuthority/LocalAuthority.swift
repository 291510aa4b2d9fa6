public import Cycles

/// An in-memory budget authority with the full ledger of the protocol: a server to test against, without a network.
///
/// Give it to a client as its transport, or serve it over a socket. It answers all eleven operations under any base
/// URL. By default it behaves as the deployed reference server does; ``Options/Behavior/specification`` follows the text
/// of the specification where the two differ. <doc:CyclesTesting> lists the differences.
///
/// ```swift
/// let clock = ManualClock()
/// let authority = LocalAuthority(clock: clock)
/// authority.addAPIKey("key", tenant: "acme")
/// authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(10_000))
/// ```
///
/// Scopes are checked from the root down. Subject fields have letters, digits, `_`, `.` and `-` only, as the
/// specification recommends; anything else is refused as INVALID_REQUEST. A subject without a tenant derives scopes
/// without one, such as `agent:bot`; their budgets belong to no tenant and are left out of `GET /v1/balances`.
///
/// One authority may serve any number of clients and threads at once.
public final class LocalAuthority: HTTPTransport, BlockingHTTPTransport {
    private let clock: AuthorityClock
    private let state: Lock<AuthorityState>

    /// An authority without tenants and budgets.
    /// - Parameters:
    ///   - options: limits and habits.
    ///   - clock: by which leases run out and instants are stamped; nil means the system's clocks.
    public init(options: Options = Options(), clock: ManualClock? = nil) {
        self.clock = AuthorityClock(clock)
        state = Lock(AuthorityState(options: options))
    }

    /// An authority as it was when ``snapshot()`` was taken.
    ///
    /// No snapshot contains a key: add the keys again. Errors that ``failNext(_:retryAfter:)`` had lined up are gone.
    /// Ids made from now on differ from those that the original went on to make.
    /// - Parameters:
    ///   - snapshot: what ``snapshot()`` gave.
    ///   - options: limits and habits, which are no part of a snapshot.
    ///   - clock: by which leases run out from now on; those that did so in between are expired. Nil means the system's
    ///     clocks.
    /// - Throws: ``RestoreError`` if the bytes are no snapshot.
    public init(
        restoring snapshot: [UInt8],
        options: Options = Options(),
        clock: ManualClock? = nil
    ) throws(RestoreError) {
        self.clock = AuthorityClock(clock)
        state = Lock(try AuthorityState(restoring: snapshot, options: options))
    }

    // MARK: Answering

    /// Answers a request at once. Whatever is wrong with the request is in the answer.
    ///
    /// It serves ``HTTPTransport`` and ``BlockingHTTPTransport`` alike.
    /// - Throws: `connectionFailed` while ``isReachable`` is false, and nothing else.
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

    /// Whether requests arrive; true unless set. It may be set from any thread, and is no part of a ``snapshot()``.
    ///
    /// While it is false, ``send(_:)`` throws `connectionFailed` with `wasRequestSent` false, as for a server that is
    /// down. Errors lined up by ``failNext(_:retryAfter:)`` are kept for later. Behind a ``LoopbackServer`` the connection
    /// is closed without an answer.
    public var isReachable: Bool {
        get { state.withLock { $0.isReachable } }
        set { state.withLock { $0.isReachable = newValue } }
    }

    /// Does nothing: the authority outlives the clients that use it as their transport.
    public func shutdown() async {}

    /// Answers the next request, whatever it is, with an error and its proper status (specification: ERROR SEMANTICS).
    /// Several calls line up.
    /// - Parameters:
    ///   - code: the error; one that the protocol does not know is answered with status 500.
    ///   - retryAfter: for the `Retry-After` header, in whole seconds, rounded up; nil means no such header.
    public func failNext(_ code: ErrorCode, retryAfter: Duration? = nil) {
        state.withLock { $0.plannedFailures.append(.init(code: code, retryAfter: retryAfter)) }
    }

    // MARK: Tenants and keys

    /// Lets a key act for a tenant (specification: AUTH & TENANCY). A key that is there already changes hands.
    /// - Precondition: the tenant has 1 to 128 letters, digits, `_`, `.` and `-`.
    public func addAPIKey(_ key: String, tenant: String) {
        precondition(ScopeLevel.isValue(tenant), "LocalAuthority: not a tenant: \(tenant)")
        state.withLock { state in
            state.apiKeys[Array(key.utf8)] = tenant
            if state.tenants[tenant] == nil { state.tenants[tenant] = .init() }
        }
    }

    /// Lets a key act as an administrator: on listing, reading and releasing reservations of any tenant (specification:
    /// AdminKeyAuth).
    public func addAdminAPIKey(_ key: String) {
        state.withLock { state in _ = state.adminKeys.insert(Array(key.utf8)) }
    }

    /// Revokes a key, an administrator's or a tenant's: it is answered with 401 from now on.
    public func removeAPIKey(_ key: String) {
        state.withLock { state in
            state.apiKeys[Array(key.utf8)] = nil
            state.adminKeys.remove(Array(key.utf8))
        }
    }

    /// Suspends, closes or reopens a tenant, and sets its defaults. A parameter that is nil changes nothing; a tenant that
    /// is new is active and has no defaults.
    ///
    /// The keys of a suspended or closed tenant are answered with 401. With ``Options/Behavior/specification`` those of a
    /// suspended tenant are answered with 403; a closed tenant's changes are refused with TENANT_CLOSED, its preflights and
    /// dry runs say DENY, and reading goes on (specification: ERROR SEMANTICS, TENANT_CLOSED).
    /// - Parameters:
    ///   - tenant: the name of the tenant.
    ///   - status: the new status.
    ///   - defaultTimeToLive: the lease of a reservation whose request has no `ttl_ms`, instead of 60 s.
    ///   - defaultOveragePolicy: the policy of reservations and events whose request has none, instead of
    ///     ALLOW_IF_AVAILABLE.
    ///   - maxExtensions: how often a reservation made from now on may be extended, instead of ``Options/maxExtensions``.
    /// - Precondition: no number is negative.
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

    /// Sets up the budget of a scope in the unit of `allocated`, or changes it: what is spent, reserved and owed stays.
    ///
    /// Another allocation puts the scope over its limit if the debt exceeds the limit, and otherwise reconciles it. With
    /// ``Options/Behavior/specification`` another limit does the same (specification: OVERDRAFT RECONCILIATION).
    /// - Parameters:
    ///   - scope: the canonical scope, such as `tenant:acme/agent:bot`.
    ///   - allocated: how much there is in all, 0 or more.
    ///   - overdraftLimit: how much debt may be run up, 0 or more; 0 permits none.
    ///   - caps: what comes with permission to use this budget, as ALLOW_WITH_CAPS; nil for none.
    ///   - status: frozen and closed budgets give nothing new, and still settle what was reserved before.
    /// - Precondition: the scope is canonical, the unit is one of the protocol's, and no number is negative.
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

    /// Adds to the allocation of a budget, which ends at `Int64.max`. Debt stays as it is; use ``repayDebt(scope:_:)``.
    /// With ``Options/Behavior/specification`` debt is repaid first, and the rest is allocated (specification: `Balance`,
    /// DEBT SEMANTICS).
    ///
    /// The scope is no longer over its limit if its debt is within the limit.
    /// - Returns: Whether the budget was funded. A frozen or closed budget is not, except with
    ///   ``Options/Behavior/specification``.
    /// - Precondition: the scope has a budget in this unit, and the amount is not negative.
    @discardableResult
    public func fund(scope: String, _ amount: Amount) -> Bool {
        change(scope, amount) { $0.fund(amount.amount, $1) }
    }

    /// Repays debt. What exceeds the debt is added to the allocation. Reconciles like ``fund(scope:_:)``.
    /// - Returns: Whether the budget took the amount, as for ``fund(scope:_:)``.
    /// - Precondition: the scope has a budget in this unit, and the amount is not negative.
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

    /// The books as they stand now, without what has run out.
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

    /// Publishes a set of public keys, or none for nil, which is how an authority begins (specification:
    /// getEvidenceJwks).
    /// - Parameter document: the JWK Set as it is to be served, such as `["keys": []]`.
    public func setEvidenceKeys(_ document: JSONValue?) {
        state.withLock { $0.evidence.keys = document }
    }

    // MARK: Looking inside

    /// Every balance, in the order of its path and unit, as an answer would have it (specification: `Balance`).
    /// `scopePath` is the whole path of the scope.
    public func balances() -> [Balance] {
        withLedger { ledger in
            return ledger.balances(of: ledger.budgets.keys.sorted())
        }
    }

    /// The reservations that hold budget now, those in their grace period included, in the order in which they were
    /// made.
    public var activeReservations: [ReservationID] {
        withLedger { ledger in
            return ledger.active.sorted().map { ReservationID(ledger.reservations[$0].id) }
        }
    }

    /// Everything that the authority knows, as JSON: budgets, reservations, answers kept for replays, the status and the
    /// defaults of tenants, and evidence. Equal states have equal bytes.
    ///
    /// API keys and ``Options`` are not in it, nor are errors lined up by ``failNext(_:retryAfter:)``.
    public func snapshot() -> [UInt8] {
        state.withLock { state in
            state.ledger.expire(at: clock.nowMilliseconds)
            return state.snapshot.encoded
        }
    }
}
