/// Gets spend to the ledger and holds given back, whatever becomes of the tasks that asked for it.
///
/// It carries out what ``SettlementProcess`` and ``ReleaseProcess`` decide: sends, waits, and tells. It is driven by the
/// answers of the transport and by one alarm.
package final class SettlementEngine: Sendable {
    /// How a settlement stands.
    package enum Progress: Sendable {
        /// It goes on in the background.
        case queued
        /// It is over.
        case finished(Result<Settlement, CyclesError>)
    }

    private struct State {
        var waiting = DeadlineHeap<SettlementJob>()
    }

    private let background: BackgroundPerformer
    private let policy: RetryPolicy
    private let pending: PendingWork
    private let state = Monitor(State())
    private let alarm: any Alarm

    package init(_ background: BackgroundPerformer, policy: RetryPolicy, pending: PendingWork) {
        self.background = background
        self.policy = policy
        self.pending = pending
        // The alarm exists before the engine does.
        let target = WeakBox<SettlementEngine>()
        alarm = background.time.makeAlarm { target.value?.sendDue() }
        target.value = self
    }

    // MARK: From the lifecycle

    /// Settles what a record says.
    /// - Parameters:
    ///   - record: What to settle.
    ///   - trace: The trace that its requests belong to.
    ///   - isAwaited: Whether somebody waits, who is told as soon as the rest would take longer than the inline budget.
    ///   - transport: Carries the first attempt, if that is to happen elsewhere than the rest.
    ///   - progress: Is told at most once that the settlement goes on in the background, and once how it ended. From
    ///     any thread, possibly before this returns.
    package func settle(
        _ record: SettlementRecord,
        trace: TraceContext?,
        isAwaited: Bool,
        firstOver transport: (any CallbackTransport)? = nil,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        let process = SettlementProcess(record.mode, policy)
        begin(
            SettlementJob(
                record.reservationID,
                .settlement(record, process),
                trace: trace,
                inlineDeadline: isAwaited ? background.time.monotonic + policy.inlineBudget : nil,
                progress: progress
            ),
            over: transport
        )
    }

    /// Gives a hold back.
    /// - Parameter leaseEnd: When there will be nothing left to give back; nil if that is not known.
    package func release(
        _ id: ReservationID,
        _ request: ReleaseRequest,
        leaseEnd: Duration?,
        trace: TraceContext?,
        isAwaited: Bool,
        firstOver transport: (any CallbackTransport)? = nil,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        var request = request
        request.idempotencyKey = request.idempotencyKey ?? .random()
        begin(
            SettlementJob(
                id,
                .release(request, ReleaseProcess(policy), leaseEnd: leaseEnd),
                trace: trace,
                inlineDeadline: isAwaited ? background.time.monotonic + policy.inlineBudget : nil,
                progress: progress
            ),
            over: transport
        )
    }

    /// Makes everything that waits by its own choice due at once. What a server asked to wait for goes on waiting.
    package func hurry() {
        let now = background.time.monotonic
        state.withLock { state in
            for job in state.waiting.all where job.floor < job.deadline {
                state.waiting.remove(job)
                job.deadline = max(now, job.floor)
                state.waiting.insert(job)
            }
        }
        sendDue()
    }

    // MARK: Driving

    private func begin(_ job: SettlementJob, over transport: (any CallbackTransport)?) {
        pending.begin()
        send(job, job.firstRequest, over: transport)
    }

    private func sendDue() {
        let now = background.time.monotonic
        while let job = state.withLock({ $0.waiting.popFirst(dueAt: now) }) {
            job.engine = nil
            send(job, job.nextRequest)
        }
        setAlarm()
    }

    private func setAlarm() { alarm.set(to: state.withLock { $0.waiting.nextDeadline }) }

    private func send(
        _ job: SettlementJob,
        _ request: SettlementJob.Request,
        over transport: (any CallbackTransport)? = nil
    ) {
        switch (job.kind, request) {
        case (.settlement(let record, _), .settlement(.commit)):
            perform(job, over: transport) { () throws(CyclesError) in
                try .commitReservation(
                    record.reservationID,
                    body: record.commitBody,
                    key: record.idempotencyKey,
                    unit: record.unit
                )
            } then: { process, result, randomness in
                process.committed(result, randomness: randomness)
            }
        case (.settlement(let record, _), .settlement(.event)):
            perform(job, over: transport) {
                .createEvent(
                    insteadOf: record.reservationID,
                    body: record.eventBody,
                    key: record.idempotencyKey,
                    unit: record.unit
                )
            } then: { process, result, randomness in
                process.charged(result, randomness: randomness)
            }
        case (.settlement(let record, _), .settlement(.lookUp)):
            perform(job, over: transport) { () throws(CyclesError) in
                var operation = try Operation.getReservation(record.reservationID)
                // An operator's key never takes part in settlement.
                operation.authentication = .apiKey
                return operation
            } then: { process, result, randomness in
                process.lookedUp(result, randomness: randomness)
            }
        case (.release(let request, _, _), _): performRelease(job, request, over: transport)
        case (.settlement, .release): preconditionFailure("a settlement is not a release")
        }
    }

    private func perform<Output>(
        _ job: SettlementJob,
        over transport: (any CallbackTransport)?,
        _ make: () throws(CyclesError) -> Operation<Output>,
        then decide:
            @escaping @Sendable (
                inout SettlementProcess, Result<APIResponse<Output>, CyclesError>, Double
            ) -> SettlementProcess.Step
    ) {
        let operation: Operation<Output>
        do throws(CyclesError) {
            operation = try make()
        } catch {
            finish(job, .failure(error))
            return
        }
        background.start(operation, priority: .settlement, trace: job.trace, over: transport) { [self] attempt in
            guard case .settlement(let record, var process) = job.kind else { return }
            let step = decide(&process, attempt.result, background.randomness())
            job.kind = .settlement(record, process)
            carryOut(step, job)
        }
    }

    private func carryOut(_ step: SettlementProcess.Step, _ job: SettlementJob) {
        switch step {
        case .send(let request): send(job, .settlement(request))
        case .wait(let request, let delay, let floor, let error):
            wait(job, .settlement(request), delay, floor: floor, error)
        case .settled(let settlement): finish(job, .success(settlement))
        case .rejected(let error): finish(job, .failure(error))
        }
    }

    private func performRelease(
        _ job: SettlementJob,
        _ request: ReleaseRequest,
        over transport: (any CallbackTransport)?
    ) {
        var operation: Operation<ReleaseResponse>
        do throws(CyclesError) {
            operation = try .releaseReservation(job.reservationID, request)
            operation.authentication = .apiKey
        } catch {
            finish(job, .failure(error))
            return
        }
        background.start(operation, priority: .settlement, trace: job.trace, over: transport) { [self] attempt in
            guard case .release(let request, var process, let leaseEnd) = job.kind else { return }
            let timeLeft = leaseEnd.map { $0 - background.time.monotonic }
            let step = process.attempted(attempt.result, timeLeft: timeLeft, randomness: background.randomness())
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
        _ delay: Duration,
        floor: Duration,
        _ error: CyclesError
    ) {
        let now = background.time.monotonic
        job.nextRequest = request
        job.floor = now + floor
        job.deadline = now + delay
        if let inlineDeadline = job.inlineDeadline, job.deadline > inlineDeadline {
            job.inlineDeadline = nil
            background.observer.observe(.settled(job.reservationID, .queued(isDurable: false)))
            job.progress(.queued)
        }
        background.observer.observe(
            .retryScheduled(
                ScheduledRetry(
                    reservationID: job.reservationID,
                    operation: request.operation,
                    delay: delay,
                    error: error
                )
            )
        )
        // What waits keeps the engine, even when the client and all guards are gone.
        job.engine = self
        state.withLock { $0.waiting.insert(job) }
        setAlarm()
    }

    private func finish(_ job: SettlementJob, _ result: Result<Settlement, CyclesError>) {
        switch result {
        case .success(let settlement): background.observer.observe(.settled(job.reservationID, settlement))
        case .failure(let error): background.observer.observe(.settlementFailed(job.reservationID, error))
        }
        job.progress(.finished(result))
        pending.end()
    }
}

/// One settlement or release on its way.
///
/// It is either being sent, and belongs to the completion of that request, or waits in the engine's heap.
private final class SettlementJob: DeadlineHeapElement, @unchecked Sendable {
    enum Kind {
        case settlement(SettlementRecord, SettlementProcess)
        case release(ReleaseRequest, ReleaseProcess, leaseEnd: Duration?)
    }

    enum Request {
        case settlement(SettlementProcess.Request)
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
    let progress: @Sendable (SettlementEngine.Progress) -> Void
    var kind: Kind
    var nextRequest: Request
    /// Until when somebody waits; nil if nobody does.
    var inlineDeadline: Duration?
    var deadline: Duration = .zero
    /// Before this the server does not want to be asked.
    var floor: Duration = .zero
    var heapPosition: Int?
    var engine: SettlementEngine?

    init(
        _ reservationID: ReservationID,
        _ kind: Kind,
        trace: TraceContext?,
        inlineDeadline: Duration?,
        progress: @escaping @Sendable (SettlementEngine.Progress) -> Void
    ) {
        self.reservationID = reservationID
        self.kind = kind
        self.trace = trace
        self.inlineDeadline = inlineDeadline
        self.progress = progress
        nextRequest = .release
        nextRequest = firstRequest
    }

    var firstRequest: Request {
        switch kind {
        case .settlement(_, let process): .settlement(process.request)
        case .release: .release
        }
    }
}
