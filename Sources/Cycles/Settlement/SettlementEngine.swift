/// Gets spend to the ledger and holds given back, whatever becomes of the tasks that asked for it.
///
/// It carries out what ``SettlementStateMachine`` and ``ReleaseStateMachine`` decide: sends, waits, and tells. It is
/// driven by the answers of the transport and by one alarm.
package final class SettlementEngine: Sendable {
    /// How a settlement stands.
    package enum Progress: Sendable {
        /// It goes on in the background; whether it survives the end of the process.
        case queued(isDurable: Bool)
        /// It is over.
        case finished(Result<Settlement, CyclesError>)
    }

    private struct State {
        /// For their next attempt.
        var waiting = DeadlineHeap<SettlementJob>()
        /// Those for which somebody waits, by when they wait no longer.
        var awaited = DeadlineHeap<Awaited>()
        /// Settlements that are not over.
        var active: [ReservationID: SettlementJob] = [:]
        /// Those that do not hurry, and wait for others of their kind.
        var backlog: [SettlementJob] = []
        var slowInFlight = 0
        /// How many of those are sent at a time: one, until its answer shows that the key is accepted.
        var slowLimit = 1
        /// How many API keys there have been.
        var keyGeneration = 0
        var isShutDown = false

        /// Where nobody is in line or on the way a round begins, with one that probes the key.
        mutating func addToBacklog(_ jobs: [SettlementJob]) {
            if backlog.isEmpty, slowInFlight == 0 { slowLimit = 1 }
            backlog += jobs
        }

        var nextDeadline: Duration? {
            guard let attempt = waiting.nextDeadline else { return awaited.nextDeadline }
            return min(attempt, awaited.nextDeadline ?? attempt)
        }
    }

    private let performer: OperationPerformer
    private let policy: RetryPolicy
    private let pending: PendingWork
    private let journal: CommitJournal?
    /// How many that do not hurry are sent at a time, at most.
    private static let maxSlowInFlight = 8
    private let state = Lock(State())
    private let alarm: any Alarm

    package init(
        _ performer: OperationPerformer,
        policy: RetryPolicy,
        pending: PendingWork,
        journal: CommitJournal?
    ) {
        self.performer = performer
        self.journal = journal
        self.policy = policy
        self.pending = pending
        // The alarm exists before the engine does.
        let target = WeakBox<SettlementEngine>()
        alarm = performer.time.makeAlarm { target.value?.attend() }
        target.value = self
    }

    // MARK: From the lifecycle

    /// Settles what a record says.
    /// - Parameters:
    ///   - record: What to settle.
    ///   - trace: The trace that its requests belong to.
    ///   - isAwaited: Whether a caller waits, for whom the first attempt is made, and who is told when the inline budget is
    ///     over, or as soon as the next attempt cannot begin within it.
    ///   - progress: Is told at most once that the settlement goes on in the background, and once how it ended: from any
    ///     thread, possibly before this returns. How it ended may come first.
    package func settle(
        _ record: SettlementRecord,
        trace: TraceContext?,
        isAwaited: Bool,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        let process = SettlementStateMachine(record.mode, policy)
        let job = begin(record.reservationID, .settlement(record, process), trace, isAwaited, progress)
        guard job.isFirst else {
            refuse(job)
            return
        }
        guard let journal else {
            send(job, job.nextRequest, isAwaited: isAwaited)
            return
        }
        // The record is on disk before the first request leaves.
        let entry = record.journalRecord(baseURL: journal.baseURL, notBeforeMilliseconds: nil)
        if isAwaited, !performer.transport.blocksCallers {
            journal.write(entry) { [self] isWritten in
                note(job, isWritten: isWritten)
                send(job, job.nextRequest)
            }
        } else {
            // Whoever blocks waits for it here, and so does a guard that is dropped: as the process may end next, nothing
            // else would.
            let isWritten = WaitableLock<Bool?>(nil)
            journal.write(entry) { answer in isWritten.withLock { $0 = answer } }
            note(job, isWritten: isWritten.wait { $0 })
            send(job, job.nextRequest, isAwaited: isAwaited)
        }
    }

    /// Goes on with what a journal holds, apart from what is under way already.
    /// - Parameter cause: What it follows from, for those who wait for that.
    package func replay(_ records: [JournalRecord], after cause: PendingWork.Ticket? = nil) {
        let now = performer.time.monotonic
        let wall = performer.time.wallMilliseconds
        var ready: [SettlementJob] = []
        for entry in records {
            let record = SettlementRecord(entry)
            let job = SettlementJob(
                record.reservationID,
                .settlement(record, SettlementStateMachine(record.mode, policy)),
                trace: nil,
                ticket: pending.begin(after: cause, isReplay: true)
            ) { _ in }
            let floor = entry.remainingWait(at: wall)
            let isReady: Bool? = state.withLock { state in
                guard state.active[record.reservationID] == nil, !state.isShutDown else { return nil }
                state.active[record.reservationID] = job
                job.isDurable = true
                job.isSlow = true
                guard floor > .zero else { return true }
                job.floor = now + floor
                job.engine = self
                park(job, until: now + floor, in: &state)
                alarm.set(to: state.nextDeadline)
                return false
            }
            switch isReady {
            case true?: ready.append(job)
            case false?: break
            case nil: pending.end(job.ticket)
            }
        }
        // All of them are in line before the first is sent, whose answer may concern the others.
        let isShutDown = state.withLock { state in
            guard !state.isShutDown else { return true }
            for job in ready { job.engine = self }
            state.addToBacklog(ready)
            return false
        }
        if isShutDown { for job in ready { strand(job) } } else { sendSlow() }
    }

    /// What is not settled yet.
    package var pendingSettlements: [PendingSettlement] {
        let now = performer.time.monotonic
        return state.withLock { state in
            state.active.values.compactMap { job in
                guard case .settlement(let record, let process) = job.kind else { return nil }
                return PendingSettlement(
                    reservationID: job.reservationID,
                    isDurable: job.isDurable,
                    isEvent: process.mode == .event,
                    recordedAtMilliseconds: record.recordedAtMilliseconds,
                    nextAttempt: job.heapPosition == nil ? nil : max(.zero, job.deadline - now),
                    lastError: job.lastError
                )
            }.sorted {
                ($0.recordedAtMilliseconds, $0.reservationID.rawValue) < (
                    $1.recordedAtMilliseconds, $1.reservationID.rawValue
                )
            }
        }
    }

    /// Gives a hold back.
    /// - Parameters:
    ///   - leaseEnd: When there will be nothing left to give back; nil if that is not known.
    ///   - cause: What it follows from, for those who wait for that.
    package func release(
        _ id: ReservationID,
        _ request: ReleaseRequest,
        leaseEnd: Duration?,
        trace: TraceContext?,
        isAwaited: Bool,
        after cause: PendingWork.Ticket? = nil,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        var request = request
        request.idempotencyKey = request.idempotencyKey ?? .random()
        let kind = SettlementJob.Kind.release(request, ReleaseStateMachine(policy), leaseEnd: leaseEnd)
        let job = begin(id, kind, trace, isAwaited, after: cause, progress)
        guard job.isFirst else {
            refuse(job)
            return
        }
        send(job, job.nextRequest, isAwaited: isAwaited)
    }

    /// Whether a reservation's work is done, and its settlement goes on.
    package func isSettling(_ id: ReservationID) -> Bool { state.withLock { $0.active[id] != nil } }

    /// Makes everything that waits by its own choice due at once. What a server asked to wait for goes on waiting.
    package func hurry() {
        let now = performer.time.monotonic
        state.withLock { state in
            for job in state.waiting.all where job.floor < job.deadline {
                state.waiting.remove(job)
                park(job, until: max(now, job.floor), in: &state)
            }
        }
        attend()
    }

    /// Begins a round with another API key, which is in use already. What is refused on account of an earlier one from now
    /// on says nothing about this one.
    package func resumeAfterNewKey() {
        state.withLock { state in
            state.keyGeneration += 1
            state.slowLimit = 1
        }
        hurry()
    }

    /// Attempts nothing any more. What waits for its next attempt has failed, unless a journal keeps it for later.
    package func shutDown() {
        let stranded = state.withLock { state in
            state.isShutDown = true
            let stranded = state.waiting.all + state.backlog
            for job in stranded { state.waiting.remove(job) }
            state.backlog = []
            alarm.set(to: state.nextDeadline)
            return stranded
        }
        for job in stranded {
            job.engine = nil
            strand(job)
        }
    }

    /// Ends a job that is not attempted any more.
    private func strand(_ job: SettlementJob) {
        let (isDurable, isAwaited) = state.withLock { state in
            guard job.isDurable else { return (false, false) }
            state.active[job.reservationID] = nil
            let isAwaited = job.awaited?.heapPosition != nil
            if let awaited = job.awaited { state.awaited.remove(awaited) }
            return (true, isAwaited)
        }
        guard isDurable else {
            // Nobody refused it: should its file be there in spite of what the disk said, it stays.
            finish(job, .failure(job.lastError ?? .cancelled), keepsRecord: true)
            return
        }
        // The next client goes on with it.
        if isAwaited { tellQueued(job) }
        pending.end(job.ticket)
    }

    // MARK: Driving

    /// What is on disk once stays there, even if writing it anew fails.
    private func note(_ job: SettlementJob, isWritten: Bool) {
        if isWritten { state.withLock { _ in job.isDurable = true } }
    }

    private func begin(
        _ id: ReservationID,
        _ kind: SettlementJob.Kind,
        _ trace: TraceContext?,
        _ isAwaited: Bool,
        after cause: PendingWork.Ticket? = nil,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) -> SettlementJob {
        let job = SettlementJob(id, kind, trace: trace, ticket: pending.begin(after: cause), progress: progress)
        let awaited = isAwaited ? Awaited(job, until: performer.time.monotonic + policy.inlineBudget) : nil
        job.awaited = awaited
        state.withLock { state in
            // One key and one record for all that settles a reservation: what came first stands.
            job.isFirst = state.active[id] == nil
            guard job.isFirst else { return }
            if case .settlement = kind { state.active[id] = job }
            guard let awaited else { return }
            state.awaited.insert(awaited)
            alarm.set(to: state.nextDeadline)
        }
        return job
    }

    /// Ends a job before it begins: another that settles its reservation is not over.
    private func refuse(_ job: SettlementJob) {
        let error = CyclesError.validation(
            ValidationIssue(
                field: "reservationID",
                message:
                    "is \(job.reservationID), whose settlement is under way already: neither is it settled again nor given back"
            )
        )
        performer.observer.observe(.settlementFailed(job.reservationID, error))
        job.progress(.finished(.failure(error)))
        pending.end(job.ticket)
    }

    /// Sends what is due, and tells those who have waited long enough.
    private func attend() {
        let now = performer.time.monotonic
        var due: [(SettlementJob, SettlementJob.Request)] = []
        var queued: [SettlementJob] = []
        state.withLock { state in
            while let job = state.waiting.popFirst(dueAt: now) {
                pending.rest(job.ticket, until: nil)
                job.engine = nil
                due.append((job, job.nextRequest))
            }
            while let awaited = state.awaited.popFirst(dueAt: now) { queued.append(awaited.job) }
            // Within the lock: the alarm must not be set by what has become old in between.
            alarm.set(to: state.nextDeadline)
        }
        for job in queued { tellQueued(job) }
        for (job, request) in due where !enlist(job, request) { send(job, request) }
        sendSlow()
    }

    /// Lets a job wait for its next attempt. Who waits for what goes on need not wait for it, if that is too late, unless
    /// the disk is still to be told.
    private func park(_ job: SettlementJob, until deadline: Duration, in state: inout State) {
        job.deadline = deadline
        state.waiting.insert(job)
        if !job.isStoring { pending.rest(job.ticket, until: deadline) }
    }

    private func tellQueued(_ job: SettlementJob) {
        let isDurable = state.withLock { _ in job.isDurable }
        performer.observer.observe(.settled(job.reservationID, .queued(isDurable: isDurable)))
        job.progress(.queued(isDurable: isDurable))
    }

    /// Puts a job in line, if it is one that does not hurry. After a shutdown it has come to its end.
    private func enlist(_ job: SettlementJob, _ request: SettlementJob.Request) -> Bool {
        let (isEnlisted, isShutDown) = state.withLock { state in
            if state.isShutDown { return (true, true) }
            guard job.isSlow else { return (false, false) }
            job.nextRequest = request
            job.engine = self
            state.addToBacklog([job])
            return (true, false)
        }
        if isShutDown { strand(job) }
        return isEnlisted
    }

    /// Sends as many that do not hurry as there are places.
    private func sendSlow() {
        while true {
            let next: SettlementJob? = state.withLock { state in
                guard state.slowInFlight < state.slowLimit, !state.backlog.isEmpty else { return nil }
                state.slowInFlight += 1
                let job = state.backlog.removeFirst()
                job.holdsPlace = true
                return job
            }
            guard let next else { return }
            next.engine = nil
            send(next, next.nextRequest)
        }
    }

    /// Gives the place of a job that does not hurry to the next.
    ///
    /// A key that is not accepted will not be for the others, either: they wait for as long as the one that found out.
    private func passOn(_ job: SettlementJob, _ error: CyclesError?, delay: Duration?) {
        let now = performer.time.monotonic
        state.withLock { state in
            guard job.holdsPlace else { return }
            job.holdsPlace = false
            state.slowInFlight -= 1
            guard let error, error.status == 401, let delay, !isOutdated(job, error, state) else {
                if SettlementEngine.provesKey(error), job.keyGeneration == state.keyGeneration {
                    state.slowLimit = SettlementEngine.maxSlowInFlight
                }
                return
            }
            state.slowLimit = 1
            for other in state.backlog {
                other.lastError = error
                park(other, until: max(other.floor, now + delay), in: &state)
            }
            state.backlog = []
            alarm.set(to: state.nextDeadline)
        }
        sendSlow()
    }

    /// Whether a refusal is about an earlier key: it is attempted at once with the one that there is now.
    private func isOutdated(_ job: SettlementJob, _ error: CyclesError, _ state: State) -> Bool {
        (error.status == 401 || error.status == 403) && job.keyGeneration < state.keyGeneration
    }

    /// Whether an answer shows that the key was accepted: a success, or the server's own refusal for another reason.
    /// Whatever a gateway refuses says nothing about the key.
    private static func provesKey(_ error: CyclesError?) -> Bool {
        guard let error else { return true }
        guard let status = error.status, (400..<500).contains(status), ![401, 403, 429].contains(status) else {
            return false
        }
        return error.errorCode?.isOfProtocol == true
    }

    private func send(
        _ job: SettlementJob,
        _ request: SettlementJob.Request,
        isAwaited: Bool = false
    ) {
        state.withLock { job.keyGeneration = $0.keyGeneration }
        switch (job.kind, request) {
        case (.settlement(let record, _), .settlement(.commit)):
            guard let body = record.commitBody else { preconditionFailure("a record in commit mode has a commit") }
            perform(job, isAwaited: isAwaited) { () throws(CyclesError) in
                try .commitReservation(
                    record.reservationID,
                    body: body,
                    key: record.idempotencyKey,
                    unit: record.unit
                )
            } then: { process, result, randomness in
                process.committed(result, randomness: randomness)
            }
        case (.settlement(let record, _), .settlement(.event)):
            guard let body = record.eventBody else {
                finish(job, .failure(job.lastError ?? SettlementEngine.noEvent(record)))
                return
            }
            perform(job, isAwaited: isAwaited) {
                .createEvent(
                    insteadOf: record.reservationID,
                    body: body,
                    key: record.idempotencyKey,
                    unit: record.unit
                )
            } then: { process, result, randomness in
                process.charged(result, randomness: randomness)
            }
        case (.settlement(let record, _), .settlement(.lookUp)):
            perform(job, isAwaited: isAwaited) { () throws(CyclesError) in
                var operation = try Operation.getReservation(record.reservationID)
                // An operator's key never takes part in settlement.
                operation.authentication = .apiKey
                operation.priority = .settlement
                return operation
            } then: { process, result, randomness in
                process.lookedUp(result, randomness: randomness)
            }
        case (.release(let request, _, _), _): performRelease(job, request, isAwaited: isAwaited)
        case (.settlement, .release): preconditionFailure("a settlement is not a release")
        }
    }

    private func perform<Output>(
        _ job: SettlementJob,
        isAwaited: Bool,
        _ make: () throws(CyclesError) -> Operation<Output>,
        then decide:
            @escaping @Sendable (
                inout SettlementStateMachine, Result<APIResponse<Output>, CyclesError>, Double
            ) -> SettlementStateMachine.Step
    ) {
        let operation: Operation<Output>
        do throws(CyclesError) {
            operation = try make()
        } catch {
            finish(job, .failure(error))
            return
        }
        performer.start(operation, trace: job.trace, isAwaited: isAwaited) { [self] attempt in
            guard case .settlement(var record, var process) = job.kind else { return }
            let step = decide(&process, attempt.result, performer.randomness())
            let becomesEvent = process.mode != record.mode
            record.mode = process.mode
            state.withLock { _ in
                job.kind = .settlement(record, process)
                if case .failure(let error) = attempt.result { job.lastError = error }
            }
            switch step {
            case .send(let request):
                guard becomesEvent, let journal, record.eventBody != nil else {
                    send(job, .settlement(request))
                    return
                }
                // On disk first: after a restart it must not be committed any more.
                let entry = record.journalRecord(baseURL: journal.baseURL, notBeforeMilliseconds: nil)
                journal.write(entry) { [self] isWritten in
                    note(job, isWritten: isWritten)
                    send(job, .settlement(request))
                }
            case .wait(let request, let delay, let floor, let error):
                wait(job, .settlement(request), delay, floor: floor, error)
            case .settled(let settlement): finish(job, .success(settlement))
            case .rejected(let error): finish(job, .failure(error))
            }
        }
    }

    private func performRelease(
        _ job: SettlementJob,
        _ request: ReleaseRequest,
        isAwaited: Bool
    ) {
        var operation: Operation<ReleaseResponse>
        do throws(CyclesError) {
            operation = try .releaseReservation(job.reservationID, request)
            operation.authentication = .apiKey
        } catch {
            finish(job, .failure(error))
            return
        }
        performer.start(operation, trace: job.trace, isAwaited: isAwaited) { [self] attempt in
            guard case .release(let request, var process, let leaseEnd) = job.kind else { return }
            let timeLeft = leaseEnd.map { $0 - performer.time.monotonic }
            let step = process.attempted(attempt.result, timeLeft: timeLeft, randomness: performer.randomness())
            job.kind = .release(request, process, leaseEnd: leaseEnd)
            switch step {
            case .released: finish(job, .success(.released))
            case .failed(let error): finish(job, .failure(error))
            case .wait(let delay, let floor, let error): wait(job, .release, delay, floor: floor, error)
            }
        }
    }

    private func wait(
        _ job: SettlementJob,
        _ request: SettlementJob.Request,
        _ chosenDelay: Duration,
        floor: Duration,
        _ error: CyclesError
    ) {
        let now = performer.time.monotonic
        let (isDue, isDurable) = state.withLock { state in (isOutdated(job, error, state), job.isDurable) }
        let delay = isDue ? floor : chosenDelay
        performer.observer.observe(
            .retryScheduled(
                ScheduledRetry(
                    reservationID: job.reservationID,
                    operation: request.operation,
                    delay: delay,
                    error: error
                )
            )
        )
        if floor > .zero || !isDurable, let journal, case .settlement(let record, _) = job.kind {
            // What the server asks for holds after a restart, too; and what could not be written may be by now.
            let notBefore =
                floor > .zero ? performer.time.wallMilliseconds + floor.wholeMillisecondsRoundedUp : nil
            state.withLock { _ in job.isStoring = true }
            journal.write(record.journalRecord(baseURL: journal.baseURL, notBeforeMilliseconds: notBefore)) { [self] in
                note(job, isWritten: $0)
                state.withLock { _ in
                    job.isStoring = false
                    if job.heapPosition != nil { pending.rest(job.ticket, until: job.deadline) }
                }
            }
        }
        passOn(job, error, delay: delay)
        let (isShutDown, isQueued) = state.withLock { state in
            job.lastError = error
            // Looked at once more: a key that came in between found nothing waiting.
            let delay = isOutdated(job, error, state) ? floor : chosenDelay
            guard !state.isShutDown else { return (true, false) }
            if case .settlement(_, let process) = job.kind { job.isSlow = job.isSlow || process.isSlow }
            job.nextRequest = request
            job.floor = now + floor
            // What waits keeps the engine, even when the client and all guards are gone.
            job.engine = self
            park(job, until: now + delay, in: &state)
            // Whoever waits is told at once that the next attempt would come too late.
            let isQueued = job.awaited.map { $0.heapPosition != nil && $0.deadline < job.deadline } ?? false
            if isQueued, let awaited = job.awaited { state.awaited.remove(awaited) }
            alarm.set(to: state.nextDeadline)
            return (false, isQueued)
        }
        // From here on the job may be on its way again already.
        if isShutDown { strand(job) }
        if isQueued { tellQueued(job) }
    }

    private static func noEvent(_ record: SettlementRecord) -> CyclesError {
        .invalidResponse(
            InvalidResponse(
                operation: "commitReservation",
                status: 410,
                message:
                    "reservation \(record.reservationID) has expired, and its record has no event to stand in for it",
                idempotencyKey: record.idempotencyKey
            )
        )
    }

    private func finish(
        _ job: SettlementJob,
        _ result: Result<Settlement, CyclesError>,
        keepsRecord: Bool = false
    ) {
        state.withLock { state in
            if let awaited = job.awaited { state.awaited.remove(awaited) }
            if case .settlement = job.kind, state.active[job.reservationID] === job {
                state.active[job.reservationID] = nil
            }
        }
        if case .failure(let error) = result { passOn(job, error, delay: nil) } else { passOn(job, nil, delay: nil) }
        switch result {
        case .success(let settlement): performer.observer.observe(.settled(job.reservationID, settlement))
        case .failure(let error): performer.observer.observe(.settlementFailed(job.reservationID, error))
        }
        job.progress(.finished(result))
        guard let journal, !keepsRecord, case .settlement = job.kind else {
            pending.end(job.ticket)
            return
        }
        // Whoever waits for its end may end the process next: the record must not be found again then.
        let end: @Sendable () -> Void = { [pending] in pending.end(job.ticket) }
        switch result {
        case .success: journal.remove(job.reservationID, end)
        case .failure(let error): journal.setAside(job.reservationID, reason: "\(error)", end)
        }
    }
}

/// One settlement or release on its way.
///
/// It is either being sent, and belongs to the completion of that request, or waits in the engine's heap, and belongs to
/// the engine's lock.
private final class SettlementJob: DeadlineHeapElement, @unchecked Sendable {
    enum Kind {
        case settlement(SettlementRecord, SettlementStateMachine)
        case release(ReleaseRequest, ReleaseStateMachine, leaseEnd: Duration?)
    }

    enum Request {
        case settlement(SettlementStateMachine.Request)
        case release

        var operation: String {
            switch self {
            case .settlement(.commit): "commitReservation"
            case .settlement(.event): "createEvent"
            case .settlement(.lookUp): "getReservation"
            case .release: "releaseReservation"
            }
        }
    }

    let reservationID: ReservationID
    let trace: TraceContext?
    let ticket: PendingWork.Ticket
    let progress: @Sendable (SettlementEngine.Progress) -> Void
    var kind: Kind
    var nextRequest: Request
    /// Set once, before the job is first sent.
    var awaited: Awaited?
    var lastError: CyclesError?
    var deadline: Duration = .zero
    /// Before this the server does not want to be asked.
    var floor: Duration = .zero
    var heapPosition: Int?
    var engine: SettlementEngine?
    /// Whether no other settles its reservation. Set before anything else happens to it.
    var isFirst = true
    /// Whether a journal has it. Under the engine's lock.
    var isDurable = false
    /// Whether it does not hurry, and whether it has one of the places of those. Under the engine's lock.
    var isSlow = false
    var holdsPlace = false
    /// Whether the time before which the server does not want to be asked is on its way to disk. Under the engine's lock.
    var isStoring = false
    /// Which API key its last request carried. Under the engine's lock.
    var keyGeneration = 0

    init(
        _ reservationID: ReservationID,
        _ kind: Kind,
        trace: TraceContext?,
        ticket: PendingWork.Ticket,
        progress: @escaping @Sendable (SettlementEngine.Progress) -> Void
    ) {
        self.reservationID = reservationID
        self.kind = kind
        self.trace = trace
        self.ticket = ticket
        self.progress = progress
        nextRequest =
            switch kind {
            case .settlement(_, let process): .settlement(process.request)
            case .release: .release
            }
    }
}

/// Somebody who waits for a job, until a deadline. Belongs to the engine's lock.
private final class Awaited: DeadlineHeapElement {
    // The job outlives the wait: it has to be finished.
    unowned let job: SettlementJob
    let deadline: Duration
    var heapPosition: Int?

    init(_ job: SettlementJob, until deadline: Duration) {
        self.job = job
        self.deadline = deadline
    }
}
