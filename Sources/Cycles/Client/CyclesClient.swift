/// A client of one Cycles server.
///
/// ``reserve(_:)``, `withCycles` and ``metered(_:usage:_:)`` guard work: they hold budget for the work, extend the
/// lease while the work runs, and settle the spend, across failures and restarts.
///
/// The methods for single operations send their request once, without retries or journal. Cancelling the task aborts
/// the request. They throw ``CyclesError``: `validation`, before anything is sent, for a request that breaks a rule of
/// the specification.
///
/// A client can be used by any number of tasks at once.
public final class CyclesClient: Sendable {
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
        transport: (any HTTPTransport)? = nil
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

    /// Reserves budget for work that is about to start (specification: `createReservation`).
    ///
    /// A request whose outcome is unknown is sent once more with the same key: after a transport failure, a 5xx or an
    /// invalid success. When the task is cancelled, the call throws `cancelled` at once, and a hold that the request
    /// obtains is released in the background.
    ///
    /// An idempotency key given by the caller makes one reservation, which is settled once. While the settlement of a
    /// guard is pending, another guard of the same reservation can neither commit nor release it.
    /// - Returns: The guard that settles the reservation. A discarded guard releases the hold.
    /// - Throws: ``CyclesError``: `denied` for a DENY and for the equivalent 409 codes; `ambiguous` if two attempts
    ///   leave open whether budget is held; `invalidResponse` for a decision that is unknown or was only observed, and
    ///   for a key whose reservation is being settled or has ended; `validation` for a dry run, and for a key whose
    ///   reservation has a guard of this client.
    public func reserve(_ request: ReservationCreateRequest) async throws(CyclesError) -> ReservationGuard {
        ReservationGuard(try await scope.reserve(request))
    }

    /// Waits until background work has finished: settlements, releases, and requests of cancelled tasks.
    ///
    /// A settlement that waits for its next attempt is attempted immediately, unless the server asked to wait. The call
    /// returns as soon as no attempt is in progress and none can begin in time.
    /// - Parameters:
    ///   - timeout: The maximum wait; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait, too, for settlements that an earlier process left in the journal. Their
    ///     attempts are made either way.
    @discardableResult
    public func flush(timeout: Duration? = nil, includesReplays: Bool = true) async -> FlushReport {
        await scope.flush(timeout: timeout, includesReplays: includesReplays)
    }

    /// Replaces the API key.
    ///
    /// Settlements that were answered 401 or 403 are attempted again. Leases that stopped with a 401 and have not run
    /// out are extended again. Without a configured tenant, the journal's records move to the folder of the new key
    /// before the call returns; records that cannot be moved stay, and are reported. ``configuration`` does not change.
    /// - Throws: ``CyclesError/configuration(_:)`` if the key cannot be sent; the client then continues to use the old
    ///   key.
    public func updateAPIKey(_ apiKey: String) async throws(CyclesError) {
        try await awaiting { done in scope.updateAPIKey(apiKey, done) }.get()
    }

    /// Returns the unfinished settlements: in progress, waiting for their next attempt, or found in the journal.
    public func pendingSettlements() async -> [PendingSettlement] { scope.pendingSettlements }

    /// Flushes, then closes the connections. Requests in flight fail, and further requests are refused. A transport
    /// that was passed to the client stays open.
    ///
    /// Leases are no longer extended. A settlement that is unfinished after the flush fails, unless it is in the
    /// journal. The call always waits until the journal's writes have finished, even beyond the timeout.
    /// - Parameters:
    ///   - timeout: The maximum duration of the flush; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait, too, for settlements that an earlier process left in the journal.
    ///     Short-lived tools pass false, so that an old settlement that keeps failing does not delay every run.
    public func shutdown(timeout: Duration? = nil, includesReplays: Bool = true) async {
        await scope.flush(timeout: timeout, includesReplays: includesReplays)
        await awaiting { done in scope.shutDown { done(()) } }
    }

    // MARK: Deciding and reserving

    /// Asks whether an action would be allowed, without holding budget (specification: `decide`).
    ///
    /// Returns every decision, including DENY and unknown ones. Check ``Decision/isAllowed``.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func decide(
        _ request: DecisionRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<DecisionResponse> {
        try await scope.performer.perform(.decide(request, scope.defaults), options)
    }

    /// Reserves budget, or evaluates the request with `dryRun` (specification: `createReservation`).
    ///
    /// Returns every decision, including DENY and unknown ones. Check ``Decision/isAllowed``. A hold that is not
    /// committed or released expires after its time to live.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createReservation(
        _ request: ReservationCreateRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationCreateResponse> {
        try await scope.performer.perform(.createReservation(request, scope.defaults), options)
    }

    // MARK: Settling

    /// Commits the actual spend of a reservation and frees the rest of the hold (specification: `commitReservation`).
    /// - Throws: ``CyclesError``.
    public func commitReservation(
        _ id: ReservationID,
        _ request: CommitRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<CommitResponse> {
        try await scope.performer.perform(.commitReservation(id, request), options)
    }

    /// Releases the whole hold of a reservation (specification: `releaseReservation`). Uses the admin key if one is
    /// set.
    /// - Throws: ``CyclesError``.
    public func releaseReservation(
        _ id: ReservationID,
        _ request: ReleaseRequest = ReleaseRequest(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReleaseResponse> {
        try await scope.performer.perform(.releaseReservation(id, request), options)
    }

    /// Extends the lease of a reservation, counted from its present expiry (specification: `extendReservation`).
    /// - Throws: ``CyclesError``.
    public func extendReservation(
        _ id: ReservationID,
        _ request: ExtendRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ExtendResponse> {
        try await scope.performer.perform(.extendReservation(id, request), options)
    }

    /// Charges spend that has no reservation (specification: `createEvent`).
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createEvent(
        _ request: EventCreateRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<EventCreateResponse> {
        try await scope.performer.perform(.createEvent(request, scope.defaults), options)
    }

    /// Charges spend that has no reservation, with the durability of a settlement (specification: `createEvent`).
    ///
    /// The event is written to the journal before it is sent, retried with the same key, and sent by the next client
    /// after a restart. The call waits for retries up to ``RetryPolicy/inlineBudget``. After that time, or if the next
    /// retry comes later, the event continues in the background and the outcome is `queued`. Cancelling the task does
    /// not stop the event. Use ``createEvent(_:options:)`` for an event that is sent once.
    /// - Parameter request: The spend. The client's defaults complete its subject.
    /// - Returns: The settlement, `recorded` if the server has charged the spend.
    /// - Throws: ``CyclesError``: `validation` for an invalid request, and for a key under which spend is being recorded;
    ///   the server's final refusal, such as `denied`. The journal then sets the record aside.
    @discardableResult
    public func record(_ request: EventCreateRequest) async throws(CyclesError) -> Settlement {
        try await awaiting { done in scope.record(request, done) }.get()
    }

    // MARK: Looking up

    /// Looks up a reservation (specification: `getReservation`). The server answers 410 for an expired reservation.
    /// Uses the admin key if one is set.
    /// - Throws: ``CyclesError``.
    public func getReservation(
        _ id: ReservationID,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationDetail> {
        try await scope.performer.perform(.getReservation(id), options)
    }

    /// Fetches one page of reservations (specification: `listReservations`). Uses the admin key if one is set.
    /// ``reservations(_:options:)`` iterates over all pages.
    /// - Throws: ``CyclesError``.
    public func listReservations(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationListResponse> {
        try await scope.performer.perform(.listReservations(query, scope.defaults), options)
    }

    /// Fetches one page of balances (specification: `getBalances`). ``balances(_:options:)`` iterates over all pages.
    /// - Throws: ``CyclesError``.
    public func getBalances(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<BalanceResponse> {
        try await scope.performer.perform(.getBalances(query, scope.defaults), options)
    }

    /// Returns all reservations of a query, beginning at the query's cursor. Each page is fetched when its first row is
    /// needed.
    public func reservations(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions()
    ) -> PagedSequence<ReservationSummary> {
        PagedSequence(operation: "listReservations", start: query.cursor) { [self] cursor throws(CyclesError) in
            var query = query
            query.cursor = cursor
            return ResultPage(try await listReservations(query, options: options))
        }
    }

    /// Returns all balances of a query, beginning at the query's cursor. Each page is fetched when its first row is
    /// needed.
    public func balances(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions()
    ) -> PagedSequence<Balance> {
        PagedSequence(operation: "getBalances", start: query.cursor) { [self] cursor throws(CyclesError) in
            var query = query
            query.cursor = cursor
            return ResultPage(try await getBalances(query, options: options))
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
    ) async throws(CyclesError) -> APIResponse<EvidenceEnvelope> {
        let operation = try Operation.getEvidence(id)
        var patience = EvidencePatience(start: scope.time.monotonic, limit: limit)
        while true {
            do throws(CyclesError) {
                return try await scope.performer.perform(operation, options)
            } catch {
                guard error.status == 404, let wait = patience.nextWait(at: scope.time.monotonic) else { throw error }
                do throws(CancellationError) {
                    try await scope.time.sleep(for: wait)
                } catch {
                    throw .cancelled
                }
            }
        }
    }

    /// Fetches the keys with which the server signs evidence (specification: `getEvidenceJwks`). Sends no API key. A
    /// server that publishes no keys answers 404.
    /// - Throws: ``CyclesError``.
    public func getEvidenceKeys(
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<EvidenceKeySet> {
        try await scope.performer.perform(.getEvidenceKeys(), options)
    }
}

extension CyclesClient: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The server and the settings, without keys.
    public var description: String { "CyclesClient(\(configuration))" }

    /// The server and the settings, without keys.
    public var debugDescription: String { description }

    /// The settings, without keys.
    public var customMirror: Mirror {
        Mirror(self, children: ["configuration": configuration], displayStyle: .class)
    }
}
