/// A client of one Cycles server for threads that may block.
///
/// The same as ``CyclesClient``, without Swift concurrency: each call is performed on the thread that makes it, and needs
/// neither a task nor a free thread of the concurrency runtime to make progress. Heartbeats, retries and what dropped
/// guards leave behind happen on the client's own threads: those of ``CurlTransport``, or at most eight for any other
/// transport.
///
/// A client can be used by any number of threads at once.
public final class BlockingCyclesClient: Sendable {
    /// What the client was made from.
    public let configuration: CyclesConfiguration

    private let core: ClientCore

    /// A client with the default settings.
    /// - Parameters:
    ///   - baseURL: Where the server is, `http` or `https`, with a path prefix if need be.
    ///   - apiKey: The key that authenticates the client.
    ///   - tenant: The tenant of subjects that name none.
    /// - Throws: ``CyclesError/configuration(_:)`` if the URL or the key cannot be used.
    public convenience init(baseURL: String, apiKey: String, tenant: String? = nil) throws(CyclesError) {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: apiKey)
        configuration.tenant = tenant
        try self.init(configuration: configuration)
    }

    /// A client with a configuration, and a transport other than libcurl if one is given.
    /// - Throws: ``CyclesError/configuration(_:)`` that names the setting which cannot be used.
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
        self.configuration = configuration
        core = try ClientCore(configuration, environment)
    }

    // MARK: Guarding work

    /// Holds budget for work that is about to happen, as ``CyclesClient/reserve(_:)`` (specification:
    /// `createReservation`).
    /// - Returns: The guard that settles it. A result that is not used gives the hold back.
    /// - Throws: ``CyclesError``.
    public func reserve(_ request: ReservationCreateRequest) throws(CyclesError) -> BlockingReservationGuard {
        BlockingReservationGuard(try core.reserveBlocking(request))
    }

    /// Holds budget, runs the body, and commits what the body says that it cost, as ``CyclesClient/withCycles(_:_:)``.
    ///
    /// A body on a thread cannot be cancelled: under ``HeartbeatPolicy/cancel`` a lost lease fails at its end.
    /// - Throws: What the body throws; ``CyclesError``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount)
    ) throws -> Value {
        let (value, result, ending) = try guarding(options) { context in
            let (value, actual) = try body(context)
            return (value, .success(actual))
        }
        if let failure = GuardedWork.failure(result, ending) { throw failure }
        return value
    }

    /// Holds budget, runs the body, and commits what its value cost, as ``CyclesClient/withCycles(_:actual:_:)``.
    /// - Throws: What the body throws; ``CyclesError``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) throws -> Value
    ) throws -> Value {
        let (value, result, ending) = try guarding(options) { context in
            let value = try body(context)
            return (value, Result { try actual(value) })
        }
        if let failure = GuardedWork.failure(result, ending) { throw failure }
        return value
    }

    /// As ``withCycles(_:_:)``, and says how the work was settled.
    /// - Throws: What the body throws; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount)
    ) throws -> (Value, Result<Settlement, CyclesError>) {
        let (value, result, _) = try guarding(options) { context in
            let (value, actual) = try body(context)
            return (value, .success(actual))
        }
        return (value, result)
    }

    /// As ``withCycles(_:actual:_:)``, and says how the work was settled.
    /// - Throws: What the body throws; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) throws -> Value
    ) throws -> (Value, Result<Settlement, CyclesError>) {
        let (value, result, _) = try guarding(options) { context in
            let value = try body(context)
            return (value, Result { try actual(value) })
        }
        return (value, result)
    }

    private func guarding<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Result<Amount, any Error>)
    ) throws -> (Value, Result<Settlement, CyclesError>, GuardedWork.Ending) {
        let work = GuardedWork(core, try core.reserveBlocking(options.request), options)
        let context = CyclesContext(work.held)
        let value: Value
        let actual: Result<Amount, any Error>
        do {
            (value, actual) = try CyclesContext.$current.withValue(context) { try body(context) }
        } catch {
            _ = work.endBlocking(work.endingAfterFailure)
            throw error
        }
        let ending = work.ending(actual: actual)
        return (value, work.endBlocking(ending), ending)
    }

    /// Waits until background work has finished, as ``CyclesClient/flush(timeout:includesReplays:)``. Waits by the system's
    /// clock.
    @discardableResult
    public func flush(timeout: Duration? = nil, includesReplays: Bool = true) -> FlushReport {
        core.flushBlocking(timeout: timeout, includesReplays: includesReplays)
    }

    /// Uses another API key from now on, as ``CyclesClient/updateAPIKey(_:)``.
    /// - Throws: ``CyclesError/configuration(_:)`` if the key cannot be sent; the old one is used on.
    public func updateAPIKey(_ apiKey: String) throws(CyclesError) {
        try blocking { done in core.updateAPIKey(apiKey, done) }.get()
    }

    /// Settlements that are not certain yet: under way, waiting for their next attempt, or found in the journal.
    public func pendingSettlements() -> [PendingSettlement] { core.engine.pendingSettlements }

    /// Flushes, then closes the connections, as ``CyclesClient/shutdown(timeout:includesReplays:)``.
    /// - Parameters:
    ///   - timeout: The longest flush; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait for settlements that an earlier process left in the journal, too.
    public func shutdown(timeout: Duration? = nil, includesReplays: Bool = true) {
        core.flushBlocking(timeout: timeout, includesReplays: includesReplays)
        blocking { done in core.shutDown { done(()) } }
    }

    // MARK: Deciding and reserving

    /// Asks whether something would be allowed, without holding budget (specification: `decide`).
    ///
    /// Returns every decision, DENY and those that this client does not know included: look at
    /// ``Decision/isAllowed``.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func decide(
        _ request: DecisionRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<DecisionResponse> {
        try core.performer.performBlocking(.decide(request, core.defaults), options)
    }

    /// Holds budget, or evaluates with `dryRun` (specification: `createReservation`).
    ///
    /// Returns every decision, DENY and those that this client does not know included: look at
    /// ``Decision/isAllowed``. A hold that is not committed or released runs out after its time to live.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createReservation(
        _ request: ReservationCreateRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationCreateResponse> {
        try core.performer.performBlocking(.createReservation(request, core.defaults), options)
    }

    // MARK: Settling

    /// Settles a reservation at what was really spent; the rest of the hold is freed (specification:
    /// `commitReservation`).
    /// - Throws: ``CyclesError``.
    public func commitReservation(
        _ id: ReservationID,
        _ request: CommitRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<CommitResponse> {
        try core.performer.performBlocking(.commitReservation(id, request), options)
    }

    /// Gives a whole reservation back (specification: `releaseReservation`). Uses the admin key if there is one.
    /// - Throws: ``CyclesError``.
    public func releaseReservation(
        _ id: ReservationID,
        _ request: ReleaseRequest = ReleaseRequest(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReleaseResponse> {
        try core.performer.performBlocking(.releaseReservation(id, request), options)
    }

    /// Keeps a reservation alive for longer, counted from its present expiry (specification: `extendReservation`).
    /// - Throws: ``CyclesError``.
    public func extendReservation(
        _ id: ReservationID,
        _ request: ExtendRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ExtendResponse> {
        try core.performer.performBlocking(.extendReservation(id, request), options)
    }

    /// Charges something that happened without a reservation (specification: `createEvent`).
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createEvent(
        _ request: EventCreateRequest,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EventCreateResponse> {
        try core.performer.performBlocking(.createEvent(request, core.defaults), options)
    }

    // MARK: Looking up

    /// What the server knows of a reservation (specification: `getReservation`). One that has expired is a 410. Uses
    /// the admin key if there is one.
    /// - Throws: ``CyclesError``.
    public func getReservation(
        _ id: ReservationID,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationDetail> {
        try core.performer.performBlocking(.getReservation(id), options)
    }

    /// One page of reservations (specification: `listReservations`). Uses the admin key if there is one.
    /// - Throws: ``CyclesError``.
    public func listReservations(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<ReservationListResponse> {
        try core.performer.performBlocking(.listReservations(query, core.defaults), options)
    }

    /// One page of balances (specification: `getBalances`).
    /// - Throws: ``CyclesError``.
    public func getBalances(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<BalanceResponse> {
        try core.performer.performBlocking(.getBalances(query, core.defaults), options)
    }

    /// Calls `body` with all reservations of a query, page after page, each page fetched when it is needed. The query's
    /// cursor is where the first page begins.
    /// - Throws: ``CyclesError`` if a page cannot be fetched; what `body` throws, which ends it.
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

    /// Calls `body` with all balances of a query, page after page, each page fetched when it is needed. The query's
    /// cursor is where the first page begins.
    /// - Throws: ``CyclesError`` if a page cannot be fetched; what `body` throws, which ends it.
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

    /// A signed evidence envelope by its content hash (specification: `getEvidence`). Public: no key is sent.
    ///
    /// An envelope may appear shortly after its reference: with `limit`, a 404 is asked again until that much time has
    /// passed.
    /// - Throws: ``CyclesError``.
    public func getEvidence(
        _ id: EvidenceID,
        waitingUpTo limit: Duration = .zero,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EvidenceEnvelope> {
        let operation = try Operation.getEvidence(id)
        var patience = EvidencePatience(start: core.time.monotonic, limit: limit)
        while true {
            do throws(CyclesError) {
                return try core.performer.performBlocking(operation, options)
            } catch {
                guard error.status == 404, let wait = patience.nextWait(at: core.time.monotonic) else { throw error }
                core.time.block(for: wait)
            }
        }
    }

    /// The keys with which the server signs evidence (specification: `getEvidenceJwks`). Public: no key is sent. A
    /// server that does not publish any answers 404.
    /// - Throws: ``CyclesError``.
    public func getEvidenceKeys(
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> APIResponse<EvidenceKeySet> {
        try core.performer.performBlocking(.getEvidenceKeys(), options)
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
