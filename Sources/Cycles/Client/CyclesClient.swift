/// A client of one Cycles server.
///
/// ``reserve(_:)``, ``withCycles(_:_:)`` and ``metered(_:usage:_:)`` guard work: they hold budget for it, keep the hold
/// alive, and see to it that what was spent gets to the ledger.
///
/// The methods for single operations send their request once: no retry, no journal. Cancelling a task aborts its
/// request. They throw ``CyclesError``, and a request that breaks a rule of the specification throws `validation` before
/// anything is sent.
///
/// A client can be used by any number of tasks at once.
public final class CyclesClient: Sendable {
    /// What the client was made from.
    public let configuration: CyclesConfiguration

    let core: ClientCore

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
        transport: (any HTTPTransport)? = nil
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

    /// Holds budget for work that is about to happen (specification: `createReservation`).
    ///
    /// An answer that does not come, or makes no sense, is asked for once more with the same key. When the task is
    /// cancelled, `cancelled` is thrown at once, and what is held by then is given back in the background.
    ///
    /// An idempotency key of the caller's own makes one reservation, and that is settled once: while a guard's settlement
    /// is pending, another guard of the same reservation can neither commit nor release it.
    /// - Returns: The guard that settles it. A result that is not used gives the hold back.
    /// - Throws: ``CyclesError``: `denied` for a DENY and for the 409 codes that mean the same, `ambiguous` if two
    ///   attempts did not tell whether budget is held, `invalidResponse` for a decision that is unknown or was only
    ///   observed and for a key whose reservation is being settled or over, `validation` for a dry run and for a key
    ///   whose reservation has a guard of this client.
    public func reserve(_ request: ReservationCreateRequest) async throws(CyclesError) -> ReservationGuard {
        ReservationGuard(try await core.reserve(request))
    }

    /// Waits until background work has finished: settlements, releases, and requests of cancelled tasks.
    ///
    /// A settlement that waits for its next attempt is attempted at once, unless the server asked to wait. Returns as soon
    /// as no attempt is under way or can begin in time.
    /// - Parameters:
    ///   - timeout: The longest wait; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait for settlements that an earlier process left in the journal, too. They are
    ///     attempted in any case.
    @discardableResult
    public func flush(timeout: Duration? = nil, includesReplays: Bool = true) async -> FlushReport {
        await core.flush(timeout: timeout, includesReplays: includesReplays)
    }

    /// Uses another API key from now on, without a new client.
    ///
    /// What the old key held back goes on: settlements that were answered 401 or 403, and leases that a 401 stopped and
    /// that still last. Without a configured tenant the journal's records move to the folder of the new key before this
    /// returns; those that cannot be moved stay, which is reported. ``configuration`` stays what the client was made from.
    /// - Throws: ``CyclesError/configuration(_:)`` if the key cannot be sent; the old one is used on.
    public func updateAPIKey(_ apiKey: String) async throws(CyclesError) {
        try await awaiting { done in core.updateAPIKey(apiKey, done) }.get()
    }

    /// Settlements that are not certain yet: under way, waiting for their next attempt, or found in the journal.
    public func pendingSettlements() async -> [PendingSettlement] { core.engine.pendingSettlements }

    /// Flushes, then closes the connections: requests in flight fail, and further ones are refused. A transport that the
    /// client was given stays open.
    ///
    /// Leases are no longer extended. A settlement that is not finished by then has failed, unless the journal has it: the
    /// journal is written to its end, however little time there is.
    /// - Parameters:
    ///   - timeout: The longest flush; nil means ``RetryPolicy/flushTimeout``.
    ///   - includesReplays: Whether to wait for settlements that an earlier process left in the journal, too. Short-lived
    ///     tools pass false: a server that never settles one of those would delay the end of every run.
    public func shutdown(timeout: Duration? = nil, includesReplays: Bool = true) async {
        await core.flush(timeout: timeout, includesReplays: includesReplays)
        await awaiting { done in core.shutDown { done(()) } }
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
    ) async throws(CyclesError) -> APIResponse<DecisionResponse> {
        try await core.performer.perform(.decide(request, core.defaults), options)
    }

    /// Holds budget, or evaluates with `dryRun` (specification: `createReservation`).
    ///
    /// Returns every decision, DENY and those that this client does not know included: look at
    /// ``Decision/isAllowed``. A hold that is not committed or released runs out after its time to live.
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createReservation(
        _ request: ReservationCreateRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationCreateResponse> {
        try await core.performer.perform(.createReservation(request, core.defaults), options)
    }

    // MARK: Settling

    /// Settles a reservation at what was really spent; the rest of the hold is freed (specification:
    /// `commitReservation`).
    /// - Throws: ``CyclesError``.
    public func commitReservation(
        _ id: ReservationID,
        _ request: CommitRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<CommitResponse> {
        try await core.performer.perform(.commitReservation(id, request), options)
    }

    /// Gives a whole reservation back (specification: `releaseReservation`). Uses the admin key if there is one.
    /// - Throws: ``CyclesError``.
    public func releaseReservation(
        _ id: ReservationID,
        _ request: ReleaseRequest = ReleaseRequest(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReleaseResponse> {
        try await core.performer.perform(.releaseReservation(id, request), options)
    }

    /// Keeps a reservation alive for longer, counted from its present expiry (specification: `extendReservation`).
    /// - Throws: ``CyclesError``.
    public func extendReservation(
        _ id: ReservationID,
        _ request: ExtendRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ExtendResponse> {
        try await core.performer.perform(.extendReservation(id, request), options)
    }

    /// Charges something that happened without a reservation (specification: `createEvent`).
    /// - Throws: ``CyclesError``; `denied` for a 409 about the budget, a quota or the kind of action.
    public func createEvent(
        _ request: EventCreateRequest,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<EventCreateResponse> {
        try await core.performer.perform(.createEvent(request, core.defaults), options)
    }

    // MARK: Looking up

    /// What the server knows of a reservation (specification: `getReservation`). One that has expired is a 410. Uses
    /// the admin key if there is one.
    /// - Throws: ``CyclesError``.
    public func getReservation(
        _ id: ReservationID,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationDetail> {
        try await core.performer.perform(.getReservation(id), options)
    }

    /// One page of reservations (specification: `listReservations`). Uses the admin key if there is one.
    /// ``reservations(_:options:)`` goes over all pages.
    /// - Throws: ``CyclesError``.
    public func listReservations(
        _ query: ReservationQuery = ReservationQuery(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<ReservationListResponse> {
        try await core.performer.perform(.listReservations(query, core.defaults), options)
    }

    /// One page of balances (specification: `getBalances`). ``balances(_:options:)`` goes over all pages.
    /// - Throws: ``CyclesError``.
    public func getBalances(
        _ query: BalanceQuery = BalanceQuery(),
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<BalanceResponse> {
        try await core.performer.perform(.getBalances(query, core.defaults), options)
    }

    /// All reservations of a query, page after page, each page fetched when it is needed. The query's cursor is where
    /// the first page begins.
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

    /// All balances of a query, page after page, each page fetched when it is needed. The query's cursor is where the
    /// first page begins.
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

    /// A signed evidence envelope by its content hash (specification: `getEvidence`). Public: no key is sent.
    ///
    /// An envelope may appear shortly after its reference: with `limit`, a 404 is asked again until that much time has
    /// passed.
    /// - Throws: ``CyclesError``.
    public func getEvidence(
        _ id: EvidenceID,
        waitingUpTo limit: Duration = .zero,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<EvidenceEnvelope> {
        let operation = try Operation.getEvidence(id)
        var patience = EvidencePatience(start: core.time.monotonic, limit: limit)
        while true {
            do throws(CyclesError) {
                return try await core.performer.perform(operation, options)
            } catch {
                guard error.status == 404, let wait = patience.nextWait(at: core.time.monotonic) else { throw error }
                do throws(CancellationError) {
                    try await core.time.sleep(for: wait)
                } catch {
                    throw .cancelled
                }
            }
        }
    }

    /// The keys with which the server signs evidence (specification: `getEvidenceJwks`). Public: no key is sent. A
    /// server that does not publish any answers 404.
    /// - Throws: ``CyclesError``.
    public func getEvidenceKeys(
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> APIResponse<EvidenceKeySet> {
        try await core.performer.perform(.getEvidenceKeys(), options)
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
