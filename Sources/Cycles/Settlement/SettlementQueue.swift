/// Decides when to send, store, report and finish each settlement and release of the clients that share a core.
///
/// A value without transport, clock or disk; noncopyable because it owns its jobs. Its methods take inputs and the
/// time, and return actions. ``SettlementEngine`` performs the actions in order.
///
/// Settlements without fast retries left, and settlements that an earlier process left, are slow: see ``SlowLane``.
package struct SettlementQueue: ~Copyable {
    let policy: RetryPolicy
    /// Whether records are stored.
    let hasJournal: Bool
    /// The jobs with a deadline: their next attempt, or the end of their caller's wait.
    var scheduled = DeadlineHeap<SettlementJob>()
    var claims = ReservationClaims()
    var slowLane = SlowLane()
    private(set) var isShutDown = false
    /// The time of the last sweep.
    var lastSweep: Duration?
    /// The pending time of the alarm; nil once it has passed.
    private var alarm: Duration?
    /// The jobs and errands that flushes wait for.
    var ledger = FlushLedger()

    package init(_ policy: RetryPolicy, hasJournal: Bool) {
        self.policy = policy
        self.hasJournal = hasJournal
    }

    /// Whether no job waits for a deadline or in the slow lane.
    package var isIdle: Bool { scheduled.count == 0 && slowLane.isEmpty }

    /// The unfinished settlements of an identity, or of all, in the order in which their spend was recorded.
    package func pendingSettlements(of identity: Int?, now: Duration) -> [PendingSettlement] {
        claims.settlements.filter { $0.belongs(to: identity) }.compactMap { $0.pendingSettlement(now: now) }.sorted {
            ($0.recordedAtMilliseconds, $0.reservationID.rawValue) < (
                $1.recordedAtMilliseconds, $1.reservationID.rawValue
            )
        }
    }

    // MARK: Inputs

    package enum Claim { case granted, guarded, settling }

    /// Claims a reservation for a guard or release. The claim ends with its settlement or release.
    package mutating func claim(_ id: ReservationID, of identity: Int) -> Claim {
        claims.claim(ReservationClaims.Key(id, of: identity))
    }

    /// Ends the claim of a guard that leaves its hold to expire.
    package mutating func endClaim(_ id: ReservationID, of identity: Int) {
        claims.end(ReservationClaims.Key(id, of: identity))
    }

    /// Begins a settlement or release.
    /// - Parameters:
    ///   - isAwaited: Whether a caller waits. The caller receives `queued` once the inline budget has passed, or as
    ///     soon as the next attempt cannot begin within the budget.
    ///   - errand: The errand that the work belongs to, for flushes.
    package mutating func begin(
        _ work: SettlementStateMachine.Work,
        of id: ReservationID,
        for owner: SettlementOwner,
        trace: TraceParent = .none,
        isAwaited: Bool,
        after errand: Errand? = nil,
        now: Duration,
        _ progress: @escaping @Sendable (SettlementJob.Progress) -> Void
    ) -> SettlementActions {
        let job = SettlementJob(id, of: owner, SettlementStateMachine(work, policy), trace: trace, progress)
        return act { queue, actions in
            // A reservation is settled once, under one key and one record: the first settlement wins.
            guard job.machine.isSettlement ? queue.claims.enter(job) : !queue.claims.isSettling(.init(job)) else {
                let refusal = CyclesError.validation(job.machine.alreadySettling(id))
                actions.append(.tell(job, .finished(.failure(refusal), isAwaited: isAwaited)))
                return
            }
            queue.ledger.enter(job, after: errand)
            job.inlineUntil = now + queue.policy.inlineBudget
            if isAwaited { job.awaitedUntil = job.inlineUntil }
            queue.storeAndSend(job, &actions)
        }
    }

    /// Handles the end of a write of a job's record.
    package mutating func stored(_ job: SettlementJob, isWritten: Bool) -> SettlementActions {
        act { queue, actions in
            job.writes -= 1
            // A record on disk stays there if a later write fails.
            if isWritten { job.isDurable = true }
            if case .storing = job.phase, job.writes == 0 { queue.send(job, &actions) }
            queue.tellIfLate(job, &actions)
        }
    }

    /// Handles the observer's return from the report of a retry. A waiting caller is told only now that the retry comes
    /// too late, since the observer may have replaced the key and so started the next attempt.
    package mutating func reported(_ job: SettlementJob) -> SettlementActions {
        act { queue, actions in queue.tellIfLate(job, &actions) }
    }

    /// Handles the result of a job's request.
    /// - Parameters:
    ///   - randomness: From 0 up to 1; used after a failure only.
    ///   - wall: The time at which the request was sent, in milliseconds since 1970.
    package mutating func answered(
        _ job: SettlementJob,
        _ result: Result<SettlementStateMachine.Answer, CyclesError>,
        now: Duration,
        randomness: Double,
        attemptedAt wall: Int64
    ) -> SettlementActions {
        act { queue, actions in
            job.attemptedAtMilliseconds = wall
            if case .failure(let error) = result { job.lastError = error }
            switch job.machine.answered(result, now: now, randomness: randomness) {
            case .send: queue.send(job, &actions)
            case .storeAndSend: queue.storeAndSend(job, &actions)
            case .wait(let delay, let floor, let error):
                let backOff = floor > .zero ? nil : job.backOff(at: wall, randomness: randomness)
                let delay = backOff ?? delay
                queue.wait(job, delay: delay, floor: floor, because: error, now, &actions)
            case .finished(let result): queue.finish(job, result, &actions)
            }
        }
    }

    /// Handles the removal of a job's record.
    package mutating func forgotten(_ job: SettlementJob) -> SettlementActions {
        act { queue, _ in queue.ledger.leave(job) }
    }

    /// Handles the deadlines that have passed.
    package mutating func attend(now: Duration) -> SettlementActions {
        act { queue, actions in queue.attend(now, &actions) }
    }

    /// Attempts all work of clients whose API key was replaced. The new key is in use already.
    package mutating func keyChanged(of key: ObjectIdentifier, now: Duration) -> SettlementActions {
        act { queue, actions in
            queue.slowLane.probeAgain(key)
            queue.makeDue(now, &actions) { $0.owner.keyID == key }
        }
    }

    /// Ends all retries. A job that waits for an attempt fails, unless its record is in the journal.
    package mutating func shutDown() -> SettlementActions {
        act { queue, actions in
            queue.isShutDown = true
            let unsettled = queue.scheduled.all.filter { $0.nextAttempt != nil } + queue.slowLane.removeAll()
            for job in unsettled { queue.endUnsettled(job, &actions) }
        }
    }

    /// Attempts all pending work now. Calls back once no present job or errand, and no job that results from one, can
    /// finish before the deadline.
    /// - Parameters:
    ///   - id: Identifies the flush for ``endFlush(_:)``.
    ///   - identity: The identity whose work is flushed; nil for all.
    ///   - includesReplays: Whether to include settlements that an earlier process left.
    package mutating func flush(
        _ id: UInt64,
        of identity: Int? = nil,
        until deadline: Duration,
        includesReplays: Bool,
        now: Duration,
        _ completion: @escaping @Sendable (FlushReport) -> Void
    ) -> SettlementActions {
        act { queue, actions in
            queue.makeDue(now, &actions) { $0.belongs(to: identity) && (includesReplays || !$0.isReplay) }
            queue.ledger.begin(id, deadline, of: identity, includesReplays: includesReplays, completion)
        }
    }

    /// Ends a flush before its deadline.
    package mutating func endFlush(_ id: UInt64) -> SettlementActions {
        act { queue, _ in queue.ledger.expire { $0.id == id } }
    }

    /// Begins an errand, for flushes to wait for.
    /// - Parameter isReplay: Whether the errand leads to settlements that an earlier process left.
    package mutating func beginErrand(of identity: Int, isReplay: Bool = false) -> Errand {
        ledger.beginErrand(of: identity, isReplay: isReplay)
    }

    package mutating func endErrand(_ errand: Errand) -> SettlementActions {
        act { queue, _ in queue.ledger.endErrand(errand) }
    }

    // MARK: Steps

    mutating func act(_ body: (inout SettlementQueue, inout SettlementActions) -> Void) -> SettlementActions {
        var actions = SettlementActions()
        body(&self, &actions)
        while let job = slowLane.next() { send(job, &actions) }
        for flush in ledger.takeFinished(among: scheduled) { actions.append(.endFlush(flush.report, flush.completion)) }
        // The alarm is moved to earlier times only: an early alarm costs less than setting the alarm for each job.
        if let next = nextEvent, alarm.map({ next < $0 }) ?? true {
            alarm = next
            actions.alarm = next
        }
        return actions
    }

    private var nextEvent: Duration? {
        guard let flush = ledger.nextDeadline else { return scheduled.nextDeadline }
        return min(flush, scheduled.nextDeadline ?? flush)
    }

    private mutating func attend(_ now: Duration, _ actions: inout SettlementActions) {
        if let time = alarm, time <= now { alarm = nil }
        ledger.expire { $0.deadline <= now }
        var due: [SettlementJob] = []
        while let job = scheduled.popFirst(dueAt: now) {
            if let time = job.awaitedUntil, time <= now { tellQueued(job, &actions) }
            if let time = job.nextAttempt, time <= now { due.append(job) } else { schedule(job) }
        }
        for job in due {
            if job.isSlow { putInLine(job) } else { send(job, &actions) }
        }
        sweepIfDue(due, now, &actions)
    }

    /// Makes the matching jobs due now, except those that the server asked to wait.
    private mutating func makeDue(
        _ now: Duration,
        _ actions: inout SettlementActions,
        where matches: (SettlementJob) -> Bool
    ) {
        for job in scheduled.all where job.nextAttempt != nil && matches(job) {
            job.isHurried = true
            park(job, until: max(now, job.floor))
        }
        attend(now, &actions)
    }

    private mutating func storeAndSend(_ job: SettlementJob, _ actions: inout SettlementActions) {
        guard hasJournal, let record = job.machine.record else {
            send(job, &actions)
            return
        }
        job.phase = .storing
        schedule(job)
        store(job, record, floor: nil, isSentNext: true, &actions)
    }

    private func store(
        _ job: SettlementJob,
        _ record: SettlementRecord,
        floor: Duration?,
        isSentNext: Bool,
        _ actions: inout SettlementActions
    ) {
        job.writes += 1
        var record = record
        record.attemptedAtMilliseconds = job.attemptedAtMilliseconds
        actions.append(.store(job, record, floor: floor, isSentNext: isSentNext))
    }

    private mutating func send(_ job: SettlementJob, _ actions: inout SettlementActions) {
        job.phase = .sending
        job.keyGeneration = job.owner.performer.credentials.generation
        schedule(job)
        actions.append(.send(job, job.machine.request, job.isHurried ? .atOnce : .whenDue))
    }

    /// Moves a job to the deadline of its next event.
    private mutating func schedule(_ job: SettlementJob) {
        let time = job.nextEvent
        if scheduled.deadline(of: job) == time { return }
        scheduled.remove(job)
        if let time { scheduled.insert(job, until: time) }
    }

    mutating func park(_ job: SettlementJob, until time: Duration) {
        job.phase = .waiting(until: time)
        schedule(job)
    }

    mutating func putInLine(_ job: SettlementJob) {
        job.phase = .inLine
        schedule(job)
        slowLane.append(job)
    }

    private mutating func wait(
        _ job: SettlementJob,
        delay chosen: Duration,
        floor: Duration,
        because error: CyclesError,
        _ now: Duration,
        _ actions: inout SettlementActions
    ) {
        // A refusal of an earlier key does not delay the present key.
        let isOutdated = error.isAboutKey && job.hasOutdatedKey
        let delay = isOutdated ? floor : chosen
        let retry = ScheduledRetry(
            reservationID: job.reservationID,
            operation: job.machine.request.operation,
            delay: delay,
            error: error
        )
        let isLogged = hasJournal && !job.isReplay && job.machine.isSettlement
        let leavesLog = isLogged && now + delay > job.inlineUntil
        let isStored = hasJournal && (floor > .zero || !job.isDurable)
        if hasJournal, job.machine.isSettlement, !isStored {
            actions.append(.endAttempt(job, at: job.attemptedAtMilliseconds))
        }
        actions.append(.reportRetry(job, retry, leavesLog: leavesLog))
        if isStored, let record = job.machine.record {
            // Stores the delay that the server requested, so that it survives a restart, or repeats a failed write.
            store(job, record, floor: floor > .zero ? floor : nil, isSentNext: false, &actions)
        }
        job.isHurried = false
        leavePlace(job, .failure(error), holdsUp: isOutdated ? nil : now + delay)
        if isShutDown {
            endUnsettled(job, &actions)
            return
        }
        job.isSlow = job.isSlow || job.machine.isSlow
        job.floor = now + floor
        park(job, until: now + delay)
    }

    /// Frees the place of a slow job in the slow lane.
    ///
    /// After a 401, the other jobs with the key wait as long as this job, because the server would refuse their key
    /// too.
    /// - Parameter time: The time of the job's next attempt; nil if there is none, or if the refused key was outdated.
    private mutating func leavePlace(
        _ job: SettlementJob,
        _ result: Result<Settlement, CyclesError>,
        holdsUp time: Duration? = nil
    ) {
        guard slowLane.leave(job) else { return }
        let error: CyclesError? = if case .failure(let error) = result { error } else { nil }
        if error?.provesKey ?? true, !job.hasOutdatedKey { slowLane.isAccepted(job.owner.keyID) }
        guard let error, error.status == 401, let time else { return }
        slowLane.probeAgain(job.owner.keyID)
        for other in slowLane.removeAll(of: job.owner.keyID) {
            other.lastError = error
            park(other, until: max(other.floor, time))
        }
    }

    /// Tells a waiting caller that the next attempt comes too late, once the journal write has ended.
    mutating func tellIfLate(_ job: SettlementJob, _ actions: inout SettlementActions) {
        guard let awaitedUntil = job.awaitedUntil, let nextAttempt = job.nextAttempt, awaitedUntil < nextAttempt,
            job.isDurable || job.writes == 0
        else { return }
        tellQueued(job, &actions)
        schedule(job)
    }

    private func tellQueued(_ job: SettlementJob, _ actions: inout SettlementActions) {
        job.awaitedUntil = nil
        actions.append(.tell(job, .queued(job.machine.settlement(.queued(isDurable: job.isDurable)))))
    }

    mutating func finish(
        _ job: SettlementJob,
        _ result: Result<Settlement, CyclesError>,
        keepsRecord: Bool = false,
        _ actions: inout SettlementActions
    ) {
        if job.machine.isSettlement { claims.leave(job, isOver: true) } else { claims.end(.init(job)) }
        leavePlace(job, result)
        actions.append(.tell(job, .finished(result, isAwaited: job.awaitedUntil != nil)))
        end(job)
        guard hasJournal, job.machine.isSettlement, !keepsRecord else {
            ledger.leave(job)
            return
        }
        // A flush waits until the record is gone: the process may end next, and the record must not be replayed.
        actions.append(.forget(job, result))
    }

    /// Ends a job without a further attempt.
    mutating func endUnsettled(_ job: SettlementJob, _ actions: inout SettlementActions) {
        guard job.isDurable else {
            // The server did not refuse the settlement: a file that exists despite a reported write error stays.
            finish(job, .failure(job.lastError ?? .cancelled), keepsRecord: true, &actions)
            return
        }
        // The next client replays the record.
        claims.leave(job, isOver: false)
        if job.awaitedUntil != nil { tellQueued(job, &actions) }
        end(job)
        ledger.leave(job)
    }

    mutating func end(_ job: SettlementJob) {
        job.phase = .over
        job.awaitedUntil = nil
        schedule(job)
    }
}
