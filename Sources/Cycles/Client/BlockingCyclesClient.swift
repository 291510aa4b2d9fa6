/// A client of one Cycles server for threads that may block.
///
/// The counterpart of ``CyclesClient`` without Swift concurrency. Each call runs on the calling thread, and needs
/// neither a task nor a free thread of the concurrency runtime. Heartbeats, retries and the settlements of dropped
/// guards run on the client's own threads: those of ``CurlTransport``, or at most eight for any other transport.
///
/// A client can be used by any number of threads at once.
public final class BlockingCyclesClient: Sendable {
    /// The configuration that the client was created with.
    public var configuration: CyclesConfiguration { scope.configuration }

    package let scope: ClientScope

    /// Creates a client with the default settings.
    /// - Parameters:
    ///   - baseURL: The server's `http` or `https` URL, with an optional path prefix.
    ///   - apiKey: The key that authenticates the client.
    ///   - tenant: The default tenant of subjects.
    /// - Throws: ``CyclesError/configuration(_:)`` if the URL or the key cannot be used.
    public convenience init(baseURL: String, apiKey: String, tenant: String? = nil) throws(CyclesError) {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: apiKey)
        configuration.tenant = tenant
        try self.init(configuration: configuration)
    }

    /// Creates a client with a configuration, and with libcurl unless another transport is given.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the invalid setting.
    public convenience init(
        configuration: CyclesConfiguration,
        transport: (any BlockingHTTPTransport)? = nil
    ) throws(CyclesError) {
        try self.init(
            configuration: configuration,
            environment: ClientEnvironment(transport: .make(configuration, transport))
        )
    }

    package init(configuration: CyclesConfiguration, environment: ClientEnvironment) throws(CyclesError) {
        scope = try ClientScope(configuration, environment)
    }

    init(_ scope: ClientScope) { self.scope = scope }

    // MARK: Guarding work

    /// Reserves budget for work that is about to start, as ``CyclesClient/reserve(_:)`` does (specification:
    /// `createReservation`).
    /// - Returns: The guard that settles the reservation. A discarded guard releases the hold.
    /// - Throws: ``CyclesError``.
    public func reserve(_ request: ReservationCreateRequest) throws(CyclesError) -> BlockingReservationGuard {
        BlockingReservationGuard(try scope.reserveBlocking(request))
    }

    /// Waits until background work has finished, as ``CyclesClient/flush(timeout:includesReplays:)`` does. Measures the
    /// timeout by the system's clock.
    @discardableResult
    public func flush(timeout: Duration? = nil, includesReplays: Bool = true) -> FlushReport {
        scope.flushBlocking(timeout: timeout, includesReplays: includesReplays)
    }

    /// Replaces the API key, as ``CyclesClient/updateAPIKey(_:)`` does.
    /// - Throws: ``CyclesError/configuration(_:)`` if the key cannot be sent; the client then continues to use the old
    ///   key.
    public func updateAPIKey(_ apiKey: String) throws(CyclesError) {
        try blocking { done in scope.updateAPIKey(apiKey, done) }.get()
    }

    /// Returns the unfinished settlements: in progress, waiting for their next attempt, or found in the journal.
    public func pendingSettlements() -> [PendingSettlement] { scope.pendingSettlements }

    /// Flushes, then closes the connections, as ``CyclesClient/shutdown(timeout:includesReplays:)`` does.
    /// - Parameters:
    ///   - timeout: The maximum duration of the flush; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait, too, for settlements that an earlier process left in the journal.
    public func shutdown(timeout: Duration? = nil, includesReplays: Bool = true) {
        scope.flushBlocking(timeout: timeout, includesReplays: includesReplays)
        blocking { done in scope.shutDown { done(()) } }
    }

    // MARK: Deciding and reserving

    /// Asks whether an action would be allowed, without holding budget (specification: `decide`).
    ///
    /// Returns every decision, including DENY and unknown ones. Check ``Decision/isAllowed``.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func decide(
        _ request: DecisionRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<DecisionResponse> {
        try scope.performer.performBlocking(.decide(request, scope.defaults), options)
    }

    /// Reserves budget, or evaluates the request with `dryRun` (specification: `createReservation`).
    ///
    /// Returns every decision, including DENY and unknown ones. Check ``Decision/isAllowed``. A hold that is not
    /// committed or released expires after its time to live.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createReservation(
        _ request: ReservationCreateRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationCreateResponse> {
        try scope.performer.performBlocking(.createReservation(request, scope.defaults), options)
    }

    // MARK: Settling

    /// Commits the actual spend of a reservation and frees the rest of the hold (specification: `commitReservation`).
    /// - Throws: ``CyclesError``.
    public func commitReservation(
        _ id: ReservationID,
        _ request: CommitRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<CommitResponse> {
        try scope.performer.performBlocking(.commitReservation(id, request), options)
    }

    /// Releases the whole hold of a reservation (specification: `releaseReservation`). Uses the admin key if one is
    /// set.
    /// - Throws: ``CyclesError``.
    public func releaseReservation(
        _ id: ReservationID,
        _ request: ReleaseRequest = ReleaseRequest(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReleaseResponse> {
        try scope.performer.performBlocking(.releaseReservation(id, request), options)
    }

    /// Extends the lease of a reservation, counted from its present expiry (specification: `extendReservation`).
    /// - Throws: ``CyclesError``.
    public func extendReservation(
        _ id: ReservationID,
        _ request: ExtendRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ExtendResponse> {
        try scope.performer.performBlocking(.extendReservation(id, request), options)
    }

    /// Charges spend that has no reservation (specification: `createEvent`).
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createEvent(
        _ request: EventCreateRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EventCreateResponse> {
        try scope.performer.performBlocking(.createEvent(request, scope.defaults), options)
    }

    /// Charges spend that has no reservation, with the durability of a settlement, as ``CyclesClient/record(_:)`` does
    /// (specification: `createEvent`).
    /// - Throws: ``CyclesError``: `validation` for an invalid request, and for a key under which spend is being recorded;
    ///   the server's final refusal, such as `denied`.
    @discardableResult
    public func record(_ request: EventCreateRequest) throws(CyclesError) -> Settlement {
        try blocking { done in scope.record(request, done) }.get()
    }

    // MARK: Looking up

    /// Looks up a reservation (specification: `getReservation`). The server answers 410 for an expired reservation.
    /// Uses the admin key if one is set.
    /// - Throws: ``CyclesError``.
    public func getReservation(
        _ id: ReservationID,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationDetail> {
        try scope.performer.performBlocking(.getReservation(id), options)
    }

    /// Fetches one page of reservations (specification: `listReservations`). Uses the admin key if one is set.
    /// - Throws: ``CyclesError``.
    public func listReservations(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationListResponse> {
        try scope.performer.performBlocking(.listReservations(query, scope.defaults), options)
    }

    /// Fetches one page of balances (specification: `getBalances`).
    /// - Throws: ``CyclesError``.
    public func getBalances(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<BalanceResponse> {
        try scope.performer.performBlocking(.getBalances(query, scope.defaults), options)
    }

    /// Calls `body` with each reservation of a query, beginning at the query's cursor. Fetches each page when its first
    /// row is needed.
    /// - Throws: ``CyclesError`` if a page cannot be fetched; errors of `body`, which end the iteration.
    public func forEachReservation(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions(),
        _ body: (ReservationSummary) throws -> Void
    ) throws {
        try forEachRow(Paging(operation: "listReservations", start: query.cursor), body) { cursor throws(CyclesError) in
            var query = query
            query.cursor = cursor
            return ResultPage(try listReservations(query, options: options))
        }
    }

    /// Calls `body` with each balance of a query, beginning at the query's cursor. Fetches each page when its first row
    /// is needed.
    /// - Throws: ``CyclesError`` if a page cannot be fetched; errors of `body`, which end the iteration.
    public func forEachBalance(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions(),
        _ body: (Balance) throws -> Void
    ) throws {
        try forEachRow(Paging(operation: "getBalances", start: query.cursor), body) { cursor throws(CyclesError) in
            var query = query
            query.cursor = cursor
            return ResultPage(try getBalances(query, options: options))
        }
    }

    private func forEachRow<Row>(
        _ start: Paging<Row>,
        _ body: (Row) throws -> Void,
        fetch: (_ cursor: String?) throws(CyclesError) -> ResultPage<Row>
    ) throws {
        var paging = start
        while true {
            switch paging.next() {
            case .row(let row): try body(row)
            case .end: return
            case .fetch(let cursor): try paging.accept(try fetch(cursor))
            }
        }
    }

    // MARK: Evidence

    /// Fetches a signed evidence envelope by its content hash (specification: `getEvidence`). Sends no API key.
    ///
    /// An envelope may become available shortly after its reference: the call retries a 404 until `limit` has passed.
    /// - Throws: ``CyclesError``.
    public func getEvidence(
        _ id: EvidenceID,
        waitingUpTo limit: Duration = .zero,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EvidenceEnvelope> {
        let operation = try Operation.getEvidence(id)
        var patience = EvidencePatience(start: scope.time.monotonic, limit: limit)
        while true {
            do throws(CyclesError) {
                return try scope.performer.performBlocking(operation, options)
            } catch {
                guard error.status == 404, let wait = patience.nextWait(at: scope.time.monotonic) else { throw error }
                scope.time.block(for: wait)
            }
        }
    }

    /// Fetches the keys with which the server signs evidence (specification: `getEvidenceJwks`). Sends no API key. A
    /// server that publishes no keys answers 404.
    /// - Throws: ``CyclesError``.
    public func getEvidenceKeys(
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EvidenceKeySet> {
        try scope.performer.performBlocking(.getEvidenceKeys(), options)
    }
}

extension BlockingCyclesClient: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The server and the settings, without keys.
    public var description: String { "BlockingCyclesClient(\(configuration))" }

    /// The server and the settings, without keys.
    public var debugDescription: String { description }

    /// The settings, without keys.
    public var customMirror: Mirror {
        Mirror(self, children: ["configuration": configuration], displayStyle: .class)
    }
}
