/// The state that the facade of a client and all its guards share.
package final class ClientCore: Sendable {
    let performer: OperationPerformer
    let defaults: RequestDefaults
    let keeper: LeaseKeeper
    let engine: SettlementEngine
    private let journal: JournalWriter?
    let baseURL: String
    let heartbeat: HeartbeatPolicy
    /// Whether a lost lease makes a failure of what was settled all the same.
    let failsLostLeases: Bool
    /// The longest that an attempt to extend may take.
    let longestExtendTimeout: Duration
    let flushTimeout: Duration

    package init(_ configuration: CyclesConfiguration, _ environment: ClientEnvironment) throws(CyclesError) {
        performer = try OperationPerformer(
            configuration,
            transport: environment.transport,
            time: environment.time,
            randomness: environment.randomness
        )
        defaults = RequestDefaults(configuration)
        keeper = LeaseKeeper(performer)
        let directory: String?
        switch configuration.journal {
        case .automatic, .disabled: directory = nil
        case .directory(let path): directory = path
        }
        journal =
            configuration.journal == .disabled
            ? nil
            : JournalWriter(
                RecordStore(
                    files: environment.files,
                    directory: directory,
                    identity: JournalIdentity(configuration)
                ),
                observer: performer.observer,
                threads: environment.isJournalInline ? .none : environment.threads
            )
        baseURL = configuration.baseURL
        engine = SettlementEngine(performer, policy: configuration.retry, journal: journal)
        heartbeat = configuration.heartbeat
        failsLostLeases =
            configuration.heartbeat == .failOnFinalize
            || (configuration.heartbeat == .cancel && environment.transport.blocksCallers)
        longestExtendTimeout = configuration.connectTimeout + configuration.readTimeout
        flushTimeout = configuration.retry.flushTimeout
        time.prepare(shortagePlan)
        if let journal {
            // Settlements that an earlier process left go on. A flush always waits until the journal has been read, which
            // needs no server.
            let errand = engine.beginErrand()
            journal.load { [engine] records in
                engine.replay(records, after: errand)
                engine.endErrand(errand)
            }
        }
    }

    private var shortagePlan: ThreadShortagePlan {
        // The clock may outlive the client for a while, and keeps nothing of it.
        ThreadShortagePlan { [weak self] problem in
            self?.observer.observe(.systemProblem(problem))
        } standIn: { [weak self] delay, work in
            self?.performer.transport.background.lendThread(at: .now + delay, work) ?? false
        }
    }

    var observer: any CyclesObserver { performer.observer }
    var time: any TimeSource { performer.time }

    /// The operation that a guard begins with.
    func reserveOperation(
        _ request: ReservationCreateRequest
    ) throws(CyclesError) -> Operation<ReservationCreateResponse> {
        guard !request.dryRun else {
            throw RequestValidation.invalid("dryRun", "holds nothing, and so makes no guard; use createReservation")
        }
        return try .createReservation(request, defaults)
    }

    /// Claims a reservation that was granted. Whoever gets no error holds it, or gives it back.
    /// - Returns: Why the reservation cannot become a guard; nil if it can.
    func claim(_ grant: ReservationGrant, key: IdempotencyKey?) -> CyclesError? {
        let id = grant.reservationID
        switch engine.claim(id) {
        case .granted: return nil
        case .settling:
            return .invalidResponse(
                InvalidResponse(
                    operation: "createReservation",
                    status: 200,
                    message: "reservation \(id) is being settled: the idempotency key was used before",
                    idempotencyKey: key
                )
            )
        case .guarded:
            var issue = ValidationIssue(
                field: "idempotencyKey",
                message:
                    "\(key.map { "\($0) " } ?? "")was used before, and its reservation \(id) has a guard; use another key for "
                    + "other work"
            )
            issue.wasSent = true
            return .validation(issue)
        }
    }

    /// Begins to keep what was granted.
    func hold(_ grant: ReservationGrant, _ request: ReservationCreateRequest, trace: TraceContext?) -> HeldReservation {
        let (schedule, first) = HeartbeatSchedule.begin(
            extending: request.timeToLive,
            grant: grant.lease,
            longestTimeout: longestExtendTimeout
        )
        let lease = Lease(
            grant.reservationID,
            schedule,
            expiresAtMilliseconds: grant.lease.expiresAtMilliseconds,
            trace: trace
        )
        let held = HeldReservation(self, grant, request, lease: lease, trace: trace)
        if heartbeat != .disabled {
            keeper.keep(lease, first)
            // Says that nobody looks after the lease, if so.
            _ = time.help()
        }
        return held
    }

    /// Releases a hold that an answer names from which no guard can be made. A hold that has a guard already stays.
    /// - Parameter errand: The errand that it follows from, if somebody may wait for that.
    func giveBackUnclaimed(_ id: ReservationID, reason: String, trace: TraceContext?, after errand: Errand? = nil) {
        guard engine.claim(id) == .granted else { return }
        giveBack(id, reason: reason, trace: trace, after: errand)
    }

    /// Releases a claimed hold that nobody will use. Its failure is reported, and not waited for.
    /// - Parameter errand: The errand that it follows from, if somebody may wait for that.
    func giveBack(_ id: ReservationID, reason: String, trace: TraceContext?, after errand: Errand? = nil) {
        let request = ReleaseRequest(reason: reason, idempotencyKey: .random())
        let work = SettlementStateMachine.Work.release(request, leaseEnd: nil)
        engine.begin(work, of: id, trace: trace, isAwaited: false, after: errand) { _ in }
    }

    /// Waits for background work that goes on now, for a limited time.
    /// - Parameter includesReplays: Whether to wait for settlements that an earlier process left in the journal, too.
    @discardableResult
    func flush(timeout: Duration?, includesReplays: Bool) async -> FlushReport {
        await engine.flush(atMost: timeout ?? flushTimeout, includesReplays: includesReplays)
    }

    /// The same for a thread that may block.
    @discardableResult
    func flushBlocking(timeout: Duration?, includesReplays: Bool) -> FlushReport {
        engine.flushBlocking(atMost: timeout ?? flushTimeout, includesReplays: includesReplays)
    }

    /// Uses another API key from now on, goes on with what the old one held back, and then calls back, from any thread.
    func updateAPIKey(_ key: String, _ done: @escaping @Sendable (Result<Void, CyclesError>) -> Void) {
        do throws(CyclesError) {
            try CyclesConfiguration.check(key: key, "apiKey")
        } catch {
            done(.failure(error))
            return
        }
        let change: @Sendable () -> Void = { [performer, keeper, engine] in
            performer.rotate(to: key)
            keeper.resumeAfterNewKey()
            engine.resumeAfterNewKey()
            done(.success(()))
        }
        // Records move before the key is used: what is settled with it finds them.
        if let journal { journal.changeKey(Secret(key), change) } else { change() }
    }

    /// Stops leases and settlements, closes the transport if it belongs to the client, and writes what is to be kept.
    func shutDown(_ done: @escaping @Sendable () -> Void) {
        keeper.shutDown()
        engine.shutDown()
        performer.transport.close { [self] in
            if let journal { journal.drain(done) } else { done() }
        }
    }
}

/// The result of `flush` and `shutdown`.
public struct FlushReport: Hashable, Sendable {
    /// The number of settlements and releases that were under way and have ended.
    public let settled: Int
    /// The number of settlements and releases that were under way and have not ended.
    public let stillPending: Int
}
