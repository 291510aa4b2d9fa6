/// The parts of a client that its facade and all its guards share.
package final class ClientCore: Sendable {
    let performer: OperationPerformer
    let defaults: RequestDefaults
    let keeper: LeaseKeeper
    let engine: SettlementEngine
    private let journal: JournalWriter?
    let baseURL: String
    let heartbeat: HeartbeatPolicy
    /// Whether a settlement of a lost lease fails with `leaseLost`.
    let failsLostLeases: Bool
    /// The upper limit of an extension's timeout.
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
                environment.files,
                directory: directory,
                identity: JournalIdentity(configuration),
                observer: performer.observer,
                threads: environment.isJournalInline ? .none : environment.threads,
                transport: environment.transport.background
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
            // Resumes the settlements that an earlier process left. Every flush waits until the journal has been read.
            let errand = engine.beginErrand()
            journal.load { [engine] records in
                engine.replay(records, after: errand)
                engine.endErrand(errand)
            }
        }
    }

    private var shortagePlan: ThreadShortagePlan {
        // Weak, since the clock may outlive the client.
        ThreadShortagePlan { [weak self] problem in
            self?.observer.observe(.systemProblem(problem))
        } standIn: { [weak self] delay, work in
            self?.performer.transport.background.lendThread(at: .now + delay, work) ?? false
        }
    }

    var observer: any CyclesObserver { performer.observer }
    var time: any TimeSource { performer.time }

    /// Makes the operation that reserves for a guard. Adds the client's defaults to the subject of the request.
    func reserveOperation(
        _ request: inout ReservationCreateRequest
    ) throws(CyclesError) -> Operation<ReservationCreateResponse> {
        guard !request.dryRun else {
            throw RequestValidation.invalid("dryRun", "holds nothing, and so makes no guard; use createReservation")
        }
        return try .createReservation(completing: &request, defaults)
    }

    /// Claims a granted reservation. A caller that gets nil has to hold or release the reservation.
    /// - Returns: The reason why the reservation cannot have a guard.
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

    /// Holds a granted reservation, and begins to extend its lease.
    func hold(_ grant: ReservationGrant, _ request: ReservationCreateRequest, trace: TraceParent) -> HeldReservation {
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
        performer.report(.reserved(grant.reservationID))
        if heartbeat != .disabled {
            keeper.keep(lease, first)
            // Starts the alarm's thread if it is missing, and reports a failure to do so.
            _ = time.help()
        }
        return held
    }

    /// Releases the hold of an unusable answer, unless the reservation has a guard already.
    /// - Parameter errand: The errand that the release belongs to, for flushes.
    func giveBackUnclaimed(_ id: ReservationID, reason: String, trace: TraceParent, after errand: Errand? = nil) {
        guard engine.claim(id) == .granted else { return }
        giveBack(id, reason: reason, trace: trace, after: errand)
    }

    /// Releases a claimed hold in the background. A failure is reported to the observer.
    /// - Parameter errand: The errand that the release belongs to, for flushes.
    func giveBack(_ id: ReservationID, reason: String, trace: TraceParent, after errand: Errand? = nil) {
        let request = ReleaseRequest(reason: reason, idempotencyKey: .random())
        let work = SettlementStateMachine.Work.release(request, leaseEnd: nil)
        engine.begin(work, of: id, trace: trace, isAwaited: false, after: errand) { _ in }
    }

    /// Waits for the present background work, for a limited time.
    /// - Parameter includesReplays: Whether to wait for settlements that an earlier process left in the journal, too.
    @discardableResult
    func flush(timeout: Duration?, includesReplays: Bool) async -> FlushReport {
        await engine.flush(atMost: timeout ?? flushTimeout, includesReplays: includesReplays)
    }

    /// The form of `flush` for a thread that may block.
    @discardableResult
    func flushBlocking(timeout: Duration?, includesReplays: Bool) -> FlushReport {
        engine.flushBlocking(atMost: timeout ?? flushTimeout, includesReplays: includesReplays)
    }

    /// Replaces the API key, resumes the leases and settlements that the old key held up, and calls `done` on any
    /// thread.
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
        // Records move before the key is used, so that settlements with the new key find them.
        if let journal { journal.changeKey(Secret(key), change) } else { change() }
    }

    /// Stops leases and settlements, closes the transport if it belongs to the client, and finishes the journal's
    /// writes.
    func shutDown(_ done: @escaping @Sendable () -> Void) {
        keeper.shutDown()
        engine.shutDown()
        performer.transport.close { [self] in
            if let journal { journal.close(done) } else { done() }
        }
    }
}

/// The result of `flush` and `shutdown`.
public struct FlushReport: Hashable, Sendable {
    /// The number of settlements and releases that have ended during the call.
    public let settled: Int
    /// The number of settlements and releases that have not ended, reads of the journal and requests of cancelled tasks
    /// included.
    public let stillPending: Int
}
