/// Sends settlements and releases until they have finished, independently of the tasks that began them.
///
/// Performs the actions of a ``SettlementQueue``. The lock protects changes of the queue. Actions are performed without
/// the lock.
package final class SettlementEngine: Sendable {
    package typealias Progress = SettlementJob.Progress

    private struct State: ~Copyable {
        var queue: SettlementQueue
        /// The engine itself while jobs wait, so that it outlives the client and all guards.
        var keepAlive: SettlementEngine?
        var flushes: UInt64 = 0
    }

    /// The caller that changes the queue. The default values describe an alarm or an answer.
    private struct Caller {
        /// Whether the caller waits for the first attempt.
        var isAwaited = false
        /// Whether the thread waits for the journal. A dropped guard waits, because the process may end next.
        var waitsForDisk = false
    }

    private let time: any TimeSource
    private let randomness: @Sendable () -> Double
    private let blocksCallers: Bool
    private let state: Lock<State>
    private let alarm: any Alarm

    /// - Parameters:
    ///   - randomness: Returns random numbers from 0 up to 1, for jitter.
    ///   - blocksCallers: Whether callers are threads, which may be blocked, rather than tasks.
    package init(
        time: any TimeSource,
        randomness: @escaping @Sendable () -> Double,
        blocksCallers: Bool,
        policy: RetryPolicy,
        hasJournal: Bool
    ) {
        self.time = time
        self.randomness = randomness
        self.blocksCallers = blocksCallers
        state = Lock(State(queue: SettlementQueue(policy, hasJournal: hasJournal)))
        // A box, since the alarm is created before the engine.
        let target = WeakBox<SettlementEngine>()
        alarm = time.makeAlarm { target.value?.attend() }
        target.value = self
    }

    // MARK: Settling

    /// Begins a settlement or release.
    /// - Parameters:
    ///   - isAwaited: Whether a caller waits, and is told when the work continues in the background.
    ///   - errand: The errand that the work belongs to, for flushes.
    ///   - progress: Receives the progress: see ``SettlementJob/progress``. Called on any thread, possibly before this
    ///     call returns.
    package func begin(
        _ work: SettlementStateMachine.Work,
        of id: ReservationID,
        for owner: SettlementOwner,
        trace: TraceParent,
        isAwaited: Bool,
        after errand: Errand? = nil,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        owner.performer.report(.settlementStarted(id))
        let now = time.monotonic
        let caller = Caller(isAwaited: isAwaited, waitsForDisk: !isAwaited || blocksCallers)
        change(by: caller) {
            $0.begin(work, of: id, for: owner, trace: trace, isAwaited: isAwaited, after: errand, now: now, progress)
        }
    }

    /// Begins the settlements in a journal, except those of reservations that are being settled.
    /// - Parameter owner: The first client of the identity.
    package func replay(_ records: [SettlementRecord], for owner: SettlementOwner, after errand: Errand? = nil) {
        let (now, wall) = (time.monotonic, time.wallMilliseconds)
        change { $0.replay(records, for: owner, after: errand, now: now, wall: wall, randomness: randomness) }
    }

    /// The unfinished settlements of an identity, or of all.
    package func pendingSettlements(of identity: Int?) -> [PendingSettlement] {
        let now = time.monotonic
        return state.withLock { $0.queue.pendingSettlements(of: identity, now: now) }
    }

    /// Claims a reservation for a guard or release: see ``SettlementQueue/claim(_:of:)``.
    func claim(_ id: ReservationID, of identity: SettlementIdentity) -> SettlementQueue.Claim {
        state.withLock { $0.queue.claim(id, of: identity.number) }
    }

    func endClaim(_ id: ReservationID, of identity: SettlementIdentity) {
        state.withLock { $0.queue.endClaim(id, of: identity.number) }
    }

    /// Attempts all work of clients whose API key was replaced. The new key is in use already.
    package func resumeAfterNewKey(of credentials: Credentials) {
        let now = time.monotonic
        change { $0.keyChanged(of: ObjectIdentifier(credentials), now: now) }
    }

    /// Ends all retries. A job that waits for an attempt fails, unless its record is in the journal.
    package func shutDown() { change { $0.shutDown() } }

    // MARK: Flushing

    /// Begins an errand, for flushes to wait for.
    /// - Parameter isReplay: Whether it leads to settlements that an earlier process left.
    package func beginErrand(of identity: SettlementIdentity, isReplay: Bool = false) -> Errand {
        state.withLock { $0.queue.beginErrand(of: identity.number, isReplay: isReplay) }
    }

    package func endErrand(_ errand: Errand) { change { $0.endErrand(errand) } }

    /// Attempts all pending work now. Calls back once no present work can finish within the limit.
    /// - Returns: The flush, for ``endFlush(_:)``.
    @discardableResult
    private func flush(
        of identity: Int?,
        atMost limit: Duration,
        includesReplays: Bool,
        _ completion: @escaping @Sendable (FlushReport) -> Void
    ) -> UInt64 {
        let now = time.monotonic
        let id = state.withLock { state in
            state.flushes += 1
            return state.flushes
        }
        change {
            $0.flush(id, of: identity, until: now + limit, includesReplays: includesReplays, now: now, completion)
        }
        // A flush without a wait is answered immediately.
        if limit <= .zero { change { $0.endFlush(id) } }
        return id
    }

    /// Waits for the present background work of an identity, or of all, for a limited time.
    package func flush(of identity: Int?, atMost limit: Duration, includesReplays: Bool) async -> FlushReport {
        let result = Lock<(report: FlushReport?, waiter: UnsafeContinuation<FlushReport, Never>?)>((nil, nil))
        flush(of: identity, atMost: limit, includesReplays: includesReplays) { report in
            let waiter = result.withLock { result in
                result.report = report
                return result.waiter
            }
            waiter?.resume(returning: report)
        }
        while result.withLock({ $0.report == nil }), time.isUnattended {
            _ = time.help()
            await SystemThread.pauseTask(until: .now + .milliseconds(10))
        }
        return await withUnsafeContinuation { waiter in
            let report = result.withLock { result in
                result.waiter = waiter
                return result.report
            }
            if let report { waiter.resume(returning: report) }
        }
    }

    /// The blocking form of `flush`, for threads.
    package func flushBlocking(of identity: Int?, atMost limit: Duration, includesReplays: Bool) -> FlushReport {
        let result = WaitableLock<FlushReport?>(nil)
        let id = flush(of: identity, atMost: limit, includesReplays: includesReplays) { report in
            result.withLock { $0 = report }
        }
        if let report = result.wait(helping: time, atMost: limit, { $0 }) { return report }
        // The system's clock ends the flush, because a test's clock may stand still.
        change { $0.endFlush(id) }
        return result.wait { $0 }
    }

    // MARK: Performing

    private func attend() {
        let now = time.monotonic
        change { $0.attend(now: now) }
    }

    private func change(by caller: Caller = Caller(), _ body: (inout SettlementQueue) -> SettlementActions) {
        let actions = state.withLock { state in
            let actions = body(&state.queue)
            if let time = actions.alarm { alarm.set(to: time) }
            if state.queue.isIdle != (state.keepAlive == nil) { state.keepAlive = state.queue.isIdle ? nil : self }
            return actions
        }
        actions.forEach { perform($0, caller) }
    }

    private func perform(_ action: SettlementAction, _ caller: Caller) {
        switch action {
        case .store(let job, let record, let floor, let isSentNext):
            store(job, record, floor: floor, isSentNext: isSentNext, caller)
        case .send(let job, let request, let claim):
            if claim != .done, request.isSettlement, let journal = job.owner.identity.journal,
                !journal.beginAttempt(job.reservationID)
            {
                claimFile(job, ignoresBackOff: claim == .atOnce)
            } else {
                send(job, request, isAwaited: caller.isAwaited)
            }
        case .endAttempt(let job, let time): job.owner.identity.journal?.endAttempt(job.reservationID, at: time)
        case .sweep(let owner): owner.identity.journal?.load { [self] records, _ in replay(records, for: owner) }
        case .tell(let job, let progress):
            job.owner.performer.observer.observe(CyclesEvent(job.reservationID, progress))
            job.progress(progress)
        case .reportRetry(let job, let retry, let leavesLog):
            if leavesLog { job.owner.identity.journal?.leaveLog(job.reservationID) }
            job.owner.performer.observer.observe(.retryScheduled(retry))
            change { $0.reported(job) }
        case .forget(let job, .success(let settlement)):
            // A repeated commit gets the answer of the first. Servers forget the keys of events sooner.
            let mayReturn = if case .committed = settlement.outcome { true } else { false }
            job.owner.identity.journal?.remove(job.reservationID, mayReturn: mayReturn) { [self] in
                change { $0.forgotten(job) }
            }
        case .forget(let job, .failure(let refusal)):
            let isRefused = refusal.status != nil
            job.owner.identity.journal?.setAside(job.reservationID, reason: "\(refusal)", isRefused: isRefused) {
                [self] in
                change { $0.forgotten(job) }
            }
        case .endFlush(let report, let completion): completion(report)
        }
    }

    private func store(
        _ job: SettlementJob,
        _ record: SettlementRecord,
        floor: Duration?,
        isSentNext: Bool,
        _ caller: Caller
    ) {
        guard let journal = job.owner.identity.journal else { return }
        var record = record
        let wall = time.wallMilliseconds
        record.notBeforeMilliseconds = floor.map { wall + $0.wholeMillisecondsRoundedUp }
        let sendTime = isSentNext ? wall : nil
        guard caller.waitsForDisk else {
            journal.write(record, sentAt: sendTime) { [self] isWritten in
                change { $0.stored(job, isWritten: isWritten) }
            }
            return
        }
        let isWritten = journal.writeBlocking(record, sentAt: sendTime)
        change(by: caller) { $0.stored(job, isWritten: isWritten) }
    }

    /// Claims the record file of a job for an attempt.
    private func claimFile(_ job: SettlementJob, ignoresBackOff: Bool) {
        let wall = time.wallMilliseconds
        job.owner.identity.journal?.claim(job.reservationID, ignoresBackOff: ignoresBackOff, at: wall) { [self] claim in
            let (now, wall) = (time.monotonic, time.wallMilliseconds)
            let randomness = randomness()
            change { $0.claimed(job, claim, now: now, wall: wall, randomness: randomness) }
        }
    }

    private func send(
        _ job: SettlementJob,
        _ request: SettlementStateMachine.Request,
        isAwaited: Bool
    ) {
        let id = job.reservationID
        switch request {
        case .commit(let body):
            start(job, isAwaited: isAwaited) { () throws(CyclesError) in
                try .commitReservation(id, body: body.json, key: body.idempotencyKey, unit: body.unit)
            } answer: {
                .settled(.committed($0))
            }
        case .event(let body):
            start(job, isAwaited: isAwaited) {
                .createEvent(insteadOf: id, body: body.json, key: body.idempotencyKey, unit: body.unit)
            } answer: {
                .settled(.recorded($0))
            }
        case .lookUp:
            start(job, isAwaited: isAwaited) { () throws(CyclesError) in
                var operation = try Operation.getReservation(id)
                operation.priority = .settlement
                return operation
            } answer: {
                .found($0.status)
            }
        case .release(let request):
            start(job, isAwaited: isAwaited) { () throws(CyclesError) in
                try .releaseReservation(id, request)
            } answer: { _ in
                .settled(.released)
            }
        }
    }

    private func start<Output>(
        _ job: SettlementJob,
        isAwaited: Bool,
        _ make: () throws(CyclesError) -> Operation<Output>,
        answer: @escaping @Sendable (Output) -> SettlementStateMachine.Answer
    ) {
        var operation: Operation<Output>
        do throws(CyclesError) {
            operation = try make()
        } catch {
            answered(job, .failure(error), at: .zero, attemptedAt: 0)
            return
        }
        // Settlement never uses the admin key.
        operation.authentication = .apiKey
        let wall = time.wallMilliseconds
        job.owner.performer.start(operation, trace: job.trace, isAwaited: isAwaited) { [self] attempt in
            answered(job, attempt.result.map { answer($0.value) }, at: attempt.received, attemptedAt: wall)
        }
    }

    private func answered(
        _ job: SettlementJob,
        _ result: Result<SettlementStateMachine.Answer, CyclesError>,
        at now: Duration,
        attemptedAt wall: Int64
    ) {
        // Only a failure needs a delay.
        let randomness = if case .failure = result { randomness() } else { 0.5 }
        change { $0.answered(job, result, now: now, randomness: randomness, attemptedAt: wall) }
    }
}

extension CyclesEvent {
    fileprivate init(_ id: ReservationID, _ progress: SettlementJob.Progress) {
        self =
            switch progress {
            case .queued(let settlement), .finished(.success(let settlement), _): .settled(id, settlement)
            case .finished(.failure(let error), _): .settlementFailed(id, error)
            }
    }
}
