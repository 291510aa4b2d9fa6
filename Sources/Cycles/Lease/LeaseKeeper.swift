/// Keeps the leases of a client alive: all of them with one heap of deadlines and one alarm.
///
/// It carries out what each lease's ``HeartbeatSchedule`` decides: sends, waits, and tells.
package final class LeaseKeeper: Sendable {
    private struct State {
        var waiting = DeadlineHeap<Lease>()
        var isShutDown = false
    }

    private let background: BackgroundPerformer
    private let state = Monitor(State())
    private let alarm: any Alarm

    package init(_ background: BackgroundPerformer) {
        self.background = background
        let target = WeakBox<LeaseKeeper>()
        alarm = background.time.makeAlarm { target.value?.attend() }
        target.value = self
    }

    // MARK: From the lifecycle

    /// Begins to keep a lease.
    package func keep(_ lease: Lease, _ first: HeartbeatSchedule.Step) {
        if lease.schedule.isTooShortToKeep {
            background.observer.observe(.leaseAtRisk(lease.reservationID, .tooShort))
        }
        state.withLock { _ in lease.isKept = true }
        carryOut(first, lease)
    }

    /// Ends it: what it protects is settled, or needs no protection any more.
    package func end(_ lease: Lease) {
        state.withLock { state in
            lease.isEnded = true
            state.waiting.remove(lease)
        }
        // The alarm stays as it is: at worst it goes off once for nothing.
    }

    /// What it protects is about to be settled. It is kept until that is over, but that the server calls the
    /// reservation finalized is no news from now on.
    package func beginSettling(_ lease: Lease) { state.withLock { _ in lease.isSettling = true } }

    /// How a lease was lost, if it is by now: the server said so, or what was known of it has run out.
    package func loss(_ lease: Lease) -> LeaseLoss? {
        let now = background.time.monotonic
        let message: String? = state.withLock { _ in
            if let message = lease.lossMessage { return message }
            return lease.knownEnd.map { $0 <= now } ?? false ? "it ran out before its work was settled" : nil
        }
        return message.map { LeaseLoss(reservationID: lease.reservationID, message: $0) }
    }

    /// Takes the extension of a lease that somebody else asked for into account.
    package func extended(_ lease: Lease, _ report: LeaseReport) {
        let step: HeartbeatSchedule.Step? = state.withLock { state in
            lease.expiresAtMilliseconds = report.expiresAtMilliseconds
            guard !lease.isEnded, !lease.isAttempting else { return nil }
            state.waiting.remove(lease)
            let step = lease.schedule.succeeded(report)
            return lease.isKept ? step : nil
        }
        if let step { carryOut(step, lease) }
    }

    // MARK: Driving

    private func attend() {
        let now = background.time.monotonic
        while let lease = state.withLock({ $0.waiting.popFirst(dueAt: now) }) {
            if lease.isStopped { lose(lease) } else { attempt(lease) }
        }
        setAlarm()
    }

    private func setAlarm() { alarm.set(to: state.withLock { $0.waiting.nextDeadline }) }

    private func attempt(_ lease: Lease) {
        let (request, timeout): (ExtendRequest?, Duration) = state.withLock { _ in
            guard !lease.isEnded else { return (nil, .zero) }
            let key = lease.key ?? .random()
            lease.key = key
            lease.isAttempting = true
            let extending = Duration.milliseconds(lease.schedule.extensionMilliseconds)
            return (ExtendRequest(by: extending, idempotencyKey: key), lease.schedule.attemptTimeout)
        }
        guard let request else { return }
        let operation: Operation<ExtendResponse>
        do throws(CyclesError) {
            operation = try .extendReservation(lease.reservationID, request)
        } catch {
            failed(lease, error, at: background.time.monotonic)
            return
        }
        background.start(operation, timeout: timeout, priority: .lease, trace: lease.trace) { [weak self] attempt in
            // Without a keeper nobody holds the reservation any more.
            guard let self else { return }
            switch attempt.result {
            case .success(let response): succeeded(lease, response.value, attempt)
            case .failure(let error): failed(lease, error, at: background.time.monotonic)
            }
        }
    }

    private func succeeded(_ lease: Lease, _ response: ExtendResponse, _ attempt: Attempt<ExtendResponse>) {
        let report = LeaseReport(response, attempt)
        let (step, suspects): (HeartbeatSchedule.Step?, Bool) = state.withLock { _ in
            lease.isAttempting = false
            lease.key = nil
            guard !lease.isEnded else { return (nil, false) }
            lease.expiresAtMilliseconds = response.expiresAtMilliseconds
            let step = lease.schedule.succeeded(report)
            let isNew = !lease.schedule.isPrimary && lease.schedule.suspectsLeadLimit && !lease.hasReportedLimit
            if isNew { lease.hasReportedLimit = true }
            return (step, isNew)
        }
        guard let step else { return }
        background.observer.observe(
            .leaseExtended(
                LeaseExtension(
                    reservationID: lease.reservationID,
                    expiresAtMilliseconds: response.expiresAtMilliseconds,
                    remainingTimeToLive: response.remainingTimeToLive
                )
            )
        )
        if suspects { background.observer.observe(.leaseAtRisk(lease.reservationID, .limited)) }
        carryOut(step, lease)
    }

    private func failed(_ lease: Lease, _ error: CyclesError, at now: Duration) {
        let step: HeartbeatSchedule.Step? = state.withLock { _ in
            lease.isAttempting = false
            guard !lease.isEnded else { return nil }
            if lease.isSettling, error.errorCode == .reservationFinalized {
                lease.isEnded = true
                return nil
            }
            return lease.schedule.failed(ExtendFailure(error), at: now)
        }
        // A settlement that was faster makes the answer meaningless.
        guard let step else { return }
        let disposition: LeaseAttemptFailure.Disposition
        switch step {
        case .attempt(let time, _): disposition = .retrying(after: max(.zero, time - now))
        case .stop(let reason): disposition = .stopped(reason)
        }
        background.observer.observe(
            .leaseAttemptFailed(
                LeaseAttemptFailure(reservationID: lease.reservationID, error: error, disposition: disposition)
            )
        )
        carryOut(step, lease)
    }

    private func carryOut(_ step: HeartbeatSchedule.Step, _ lease: Lease) {
        switch step {
        case .attempt(let time, let withFreshKey):
            state.withLock { state in
                guard !lease.isEnded else { return }
                if withFreshKey { lease.key = nil }
                lease.deadline = time
                state.waiting.insert(lease)
            }
            setAlarm()
        case .stop(let reason):
            background.observer.observe(.leaseStopped(lease.reservationID, reason))
            if reason.isLoss {
                lose(lease, reason)
            } else {
                awaitLoss(lease)
            }
        }
    }

    /// A lease that is not extended any more is lost when what is known of it runs out.
    private func awaitLoss(_ lease: Lease) {
        state.withLock { state in
            guard !lease.isEnded else { return }
            lease.isStopped = true
            lease.key = nil
            guard let end = lease.knownEnd else { return }
            lease.deadline = end
            state.waiting.insert(lease)
        }
        setAlarm()
    }

    private func lose(_ lease: Lease, _ reason: LeaseStop? = nil) {
        let message = reason.map { "\($0)" } ?? "it ran out before its work was settled"
        let whenLost: (@Sendable (LeaseLoss) -> Void)? = state.withLock { _ in
            guard !lease.isEnded, lease.lossMessage == nil else { return nil }
            lease.isStopped = true
            lease.key = nil
            lease.lossMessage = message
            return lease.whenLost ?? { _ in }
        }
        guard let whenLost else { return }
        let loss = LeaseLoss(reservationID: lease.reservationID, message: message)
        background.observer.observe(.leaseLost(loss))
        whenLost(loss)
    }

    /// Lets somebody know when a lease is lost, possibly at once.
    package func notify(_ lease: Lease, whenLost: @escaping @Sendable (LeaseLoss) -> Void) {
        let message = state.withLock { _ in
            if lease.lossMessage == nil { lease.whenLost = whenLost }
            return lease.lossMessage
        }
        if let message { whenLost(LeaseLoss(reservationID: lease.reservationID, message: message)) }
    }

    /// When a lease runs out by the server's clock, as last heard.
    package func expiry(_ lease: Lease) -> Int64 { state.withLock { _ in lease.expiresAtMilliseconds } }

    /// When a lease will have run out by what is known; nil if nothing is.
    package func knownEnd(_ lease: Lease) -> Duration? { state.withLock { _ in lease.knownEnd } }
}

/// One lease. What changes belongs to its keeper, and is touched under the keeper's lock only.
package final class Lease: DeadlineHeapElement, @unchecked Sendable {
    package let reservationID: ReservationID
    /// The trace that extensions belong to.
    let trace: TraceContext?
    fileprivate var schedule: HeartbeatSchedule
    fileprivate var expiresAtMilliseconds: Int64
    /// The key of the extension that has not succeeded yet.
    fileprivate var key: IdempotencyKey?
    /// Whether it is extended at all.
    fileprivate var isKept = false
    fileprivate var isAttempting = false
    fileprivate var isStopped = false
    fileprivate var isSettling = false
    fileprivate var isEnded = false
    fileprivate var hasReportedLimit = false
    /// How it was lost; nil unless it was.
    fileprivate var lossMessage: String?
    fileprivate var whenLost: (@Sendable (LeaseLoss) -> Void)?
    package var deadline: Duration = .zero
    package var heapPosition: Int?

    package init(
        _ reservationID: ReservationID,
        _ schedule: HeartbeatSchedule,
        expiresAtMilliseconds: Int64,
        trace: TraceContext?
    ) {
        self.reservationID = reservationID
        self.schedule = schedule
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.trace = trace
    }

    fileprivate var knownEnd: Duration? { schedule.knownEnd }
}

extension LeaseReport {
    /// What a successful extension says.
    package init(_ response: ExtendResponse, _ attempt: Attempt<ExtendResponse>) {
        self.init(
            remainingMilliseconds: response.remainingTimeToLive?.wholeMilliseconds,
            expiresAtMilliseconds: response.expiresAtMilliseconds,
            sent: attempt.sent,
            received: attempt.received
        )
    }
}

extension ExtendFailure {
    fileprivate init(_ error: CyclesError) {
        switch error {
        case .transport, .ambiguous, .cancelled, .leaseLost: self = .transient
        case .invalidResponse(let response): self.init(status: response.status, code: nil, retryAfter: nil)
        case .api(let answer):
            self.init(status: answer.status, code: answer.code, retryAfter: answer.retryAfter)
        case .denied(let denial):
            self.init(status: denial.status, code: denial.errorCode, retryAfter: denial.retryAfter)
        // The request could not even be made: asking again would change nothing.
        case .validation, .configuration: self = .refused(status: 0, nil)
        }
    }
}
