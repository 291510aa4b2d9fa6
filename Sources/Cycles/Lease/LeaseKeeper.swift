/// Keeps the leases of a client alive: all of them with one heap of deadlines and one alarm.
///
/// It carries out what each lease's ``HeartbeatSchedule`` decides: sends, waits, and tells. Every change of a lease is one
/// step under the lock; what it leads to happens after that.
package final class LeaseKeeper: Sendable {
    private struct State {
        var waiting = DeadlineHeap<Lease>()
        /// Those that stopped because the key was not accepted, whether they wait for their end or none is known.
        var unauthorized: [ObjectIdentifier: Lease] = [:]
        /// The number of API keys that the client has had.
        var keyGeneration = 0
        var isShutDown = false
        /// The time that the alarm is set to, as far as it has not passed.
        var alarm: Duration?

        mutating func removeUnauthorized(_ lease: Lease) {
            if !unauthorized.isEmpty { unauthorized[ObjectIdentifier(lease)] = nil }
        }
    }

    /// What a step leads to.
    private enum Effect {
        case send(Lease, ExtendRequest, timeout: Duration)
        case tell(CyclesEvent)
        case lose(LeaseLoss, (@Sendable (LeaseLoss) -> Void)?)
    }

    private let performer: OperationPerformer
    private let state = Lock(State())
    private let alarm: any Alarm

    package init(_ performer: OperationPerformer) {
        self.performer = performer
        let target = WeakBox<LeaseKeeper>()
        alarm = performer.time.makeAlarm { target.value?.attend() }
        target.value = self
    }

    // MARK: From the lifecycle

    /// Begins to keep a lease.
    package func keep(_ lease: Lease, _ first: HeartbeatSchedule.Step) {
        change { state, effects in
            lease.isKept = true
            if lease.schedule.isTooShortToKeep { effects.append(.tell(.leaseAtRisk(lease.reservationID, .tooShort))) }
            take(first, lease, &state, &effects)
        }
    }

    /// Ends it: what it protects is settled, or needs no protection any more.
    package func end(_ lease: Lease) {
        change { state, _ in finish(lease, &state) }
    }

    /// What it protects is about to be settled. It is kept until that is over, but that the server calls the
    /// reservation finalized is no news from now on.
    package func beginSettling(_ lease: Lease) { state.withLock { _ in lease.isSettling = true } }

    /// How a lease was lost, if it is by now: the server said so, or what was known of it has run out.
    package func loss(_ lease: Lease) -> LeaseLoss? {
        let now = performer.time.monotonic
        return state.withLock { _ in
            if let message = lease.lossMessage {
                return LeaseLoss(reservationID: lease.reservationID, message: message)
            }
            return lease.hasRunOut(at: now) ? lease.loss(nil) : nil
        }
    }

    /// Takes an extension into account that somebody else asked for.
    package func extended(_ lease: Lease, _ response: ExtendResponse, _ report: LeaseReport) {
        change { state, effects in
            guard lease.phase != .ended else { return }
            note(response, lease, &effects)
            let step = lease.schedule.extendedByHand(report)
            // An attempt on its way goes on: what becomes of it is judged by the new lease.
            if lease.phase == .attempting {
                wait(lease, until: lease.knownEnd, &state)
            } else if lease.isKept {
                take(step, lease, &state, &effects)
            }
        }
    }

    /// Lets somebody know when a lease is lost, possibly at once.
    package func notify(_ lease: Lease, whenLost: @escaping @Sendable (LeaseLoss) -> Void) {
        let message = state.withLock { _ in
            if lease.lossMessage == nil, lease.phase != .ended { lease.whenLost = whenLost }
            return lease.lossMessage
        }
        if let message { whenLost(LeaseLoss(reservationID: lease.reservationID, message: message)) }
    }

    /// When a lease runs out by the server's clock, as last heard.
    package func expiry(_ lease: Lease) -> Int64 { state.withLock { _ in lease.expiresAtMilliseconds } }

    /// When a lease will have run out by what is known; nil if nothing is.
    package func knownEnd(_ lease: Lease) -> Duration? { state.withLock { _ in lease.knownEnd } }

    /// Goes on with the leases whose extension was refused for want of a key that is accepted, and that still last.
    package func resumeAfterNewKey() {
        let now = performer.time.monotonic
        change { state, effects in
            state.keyGeneration += 1
            for lease in state.unauthorized.values where !lease.hasRunOut(at: now) {
                take(.attempt(at: now, withFreshKey: true), lease, &state, &effects)
            }
        }
        attend()
    }

    /// Extends nothing any more.
    package func shutDown() {
        change { state, _ in
            state.isShutDown = true
            for lease in state.waiting.all + state.unauthorized.values { finish(lease, &state) }
        }
    }

    // MARK: Driving

    /// Changes leases in one step, sets the alarm accordingly, and carries out what that leads to.
    private func change(_ body: (inout State, inout [Effect]) -> Void) {
        var effects: [Effect] = []
        state.withLock { state in
            body(&state, &effects)
            // An alarm that is set too early finds nothing due; setting it anew for each lease would cost more.
            guard let next = state.waiting.nextDeadline, state.alarm.map({ next < $0 }) ?? true else { return }
            state.alarm = next
            // Within the lock, so that an older time does not replace a newer one.
            alarm.set(to: next)
        }
        for effect in effects { carryOut(effect) }
    }

    private func carryOut(_ effect: Effect) {
        switch effect {
        case .tell(let event): performer.observer.observe(event)
        case .lose(let loss, let whenLost):
            performer.observer.observe(.leaseLost(loss))
            whenLost?(loss)
        case .send(let lease, let request, let timeout): send(lease, request, timeout)
        }
    }

    private func send(_ lease: Lease, _ request: ExtendRequest, _ timeout: Duration) {
        let operation: Operation<ExtendResponse>
        do throws(CyclesError) {
            operation = try .extendReservation(lease.reservationID, request)
        } catch {
            failed(lease, error)
            return
        }
        performer.start(operation, CallOptions(timeout: timeout), trace: lease.trace) { [weak self] attempt in
            // Without a keeper nobody holds the reservation any more.
            switch attempt.result {
            case .success(let response): self?.succeeded(lease, response.value, attempt)
            case .failure(let error): self?.failed(lease, error)
            }
        }
    }

    private func attend() {
        let now = performer.time.monotonic
        change { state, effects in
            if let time = state.alarm, time <= now { state.alarm = nil }
            while let lease = state.waiting.popFirst(dueAt: now) {
                switch lease.phase {
                case .waiting: attempt(lease, &state, &effects)
                case .attempting, .stopped: lose(lease, nil, &effects)
                case .ended: break
                }
            }
        }
    }

    private func succeeded(_ lease: Lease, _ response: ExtendResponse, _ attempt: Attempt<ExtendResponse>) {
        change { state, effects in
            guard lease.phase == .attempting else { return }
            lease.key = nil
            note(response, lease, &effects)
            let step = lease.schedule.succeeded(LeaseReport(response, attempt))
            if !lease.schedule.isPrimary, lease.schedule.suspectsLeadLimit, !lease.hasReportedLimit {
                lease.hasReportedLimit = true
                effects.append(.tell(.leaseAtRisk(lease.reservationID, .limited)))
            }
            take(step, lease, &state, &effects)
        }
    }

    private func failed(_ lease: Lease, _ error: CyclesError) {
        let now = performer.time.monotonic
        change { state, effects in
            // A settlement that was faster makes the answer meaningless.
            guard lease.phase == .attempting else { return }
            if lease.isSettling, error.errorCode == .reservationFinalized {
                finish(lease, &state)
                return
            }
            var step = lease.schedule.failed(ExtendFailure(error), at: now)
            // What an earlier key was refused for is attempted at once with the one that there is now.
            if case .stop(.refused(401, _)) = step, lease.keyGeneration < state.keyGeneration, !lease.hasRunOut(at: now)
            {
                step = .attempt(at: now, withFreshKey: true)
            }
            let disposition: LeaseAttemptFailure.Disposition =
                switch step {
                case .attempt(let time, _): .retrying(after: max(.zero, time - now))
                case .stop(let reason): .stopped(reason)
                }
            let failure = LeaseAttemptFailure(
                reservationID: lease.reservationID,
                error: error,
                disposition: disposition
            )
            effects.append(.tell(.leaseAttemptFailed(failure)))
            take(step, lease, &state, &effects)
        }
    }

    // MARK: Steps, under the lock

    private func take(
        _ step: HeartbeatSchedule.Step,
        _ lease: Lease,
        _ state: inout State,
        _ effects: inout [Effect]
    ) {
        guard lease.phase != .ended, !state.isShutDown else { return }
        switch step {
        case .attempt(let time, let withFreshKey):
            if withFreshKey { lease.key = nil }
            lease.phase = .waiting
            state.removeUnauthorized(lease)
            wait(lease, until: time, &state)
        case .stop(let reason):
            lease.phase = .stopped
            lease.key = nil
            // One that stops for another reason by now is not helped by a key.
            state.removeUnauthorized(lease)
            if case .refused(401, _) = reason { state.unauthorized[ObjectIdentifier(lease)] = lease }
            effects.append(.tell(.leaseStopped(lease.reservationID, reason)))
            if reason.isLoss {
                state.waiting.remove(lease)
                lose(lease, reason, &effects)
            } else {
                wait(lease, until: lease.knownEnd, &state)
            }
        }
    }

    private func attempt(_ lease: Lease, _ state: inout State, _ effects: inout [Effect]) {
        guard !state.isShutDown else { return }
        let key = lease.key ?? .random()
        lease.key = key
        lease.keyGeneration = state.keyGeneration
        lease.phase = .attempting
        // That the lease runs out meanwhile must not go unnoticed.
        wait(lease, until: lease.knownEnd, &state)
        let extending = Duration.milliseconds(lease.schedule.extensionMilliseconds)
        effects.append(
            .send(lease, ExtendRequest(by: extending, idempotencyKey: key), timeout: lease.schedule.attemptTimeout)
        )
    }

    /// Waits for a moment, instead of the one before; for none if the lease is lost already.
    private func wait(_ lease: Lease, until time: Duration?, _ state: inout State) {
        state.waiting.remove(lease)
        guard let time, lease.phase == .waiting || lease.lossMessage == nil else { return }
        state.waiting.insert(lease, until: time)
    }

    private func note(_ response: ExtendResponse, _ lease: Lease, _ effects: inout [Effect]) {
        lease.expiresAtMilliseconds = response.expiresAtMilliseconds
        // The server has extended it: what was known of it was too little.
        lease.lossMessage = nil
        effects.append(
            .tell(
                .leaseExtended(
                    LeaseExtension(
                        reservationID: lease.reservationID,
                        expiresAtMilliseconds: response.expiresAtMilliseconds,
                        remainingTimeToLive: response.remainingTimeToLive
                    )
                )
            )
        )
    }

    private func lose(_ lease: Lease, _ reason: LeaseStop?, _ effects: inout [Effect]) {
        guard lease.lossMessage == nil else { return }
        let loss = lease.loss(reason)
        lease.lossMessage = loss.message
        effects.append(.lose(loss, lease.whenLost))
        lease.whenLost = nil
    }

    private func finish(_ lease: Lease, _ state: inout State) {
        lease.phase = .ended
        lease.key = nil
        lease.whenLost = nil
        state.waiting.remove(lease)
        state.removeUnauthorized(lease)
    }
}

/// One lease. What changes belongs to its keeper, and is touched under the keeper's lock only.
package final class Lease: DeadlineHeapElement, @unchecked Sendable {
    fileprivate enum Phase {
        /// For the next attempt, or, before it is kept, for nothing.
        case waiting
        case attempting
        /// It is not extended any more.
        case stopped
        case ended
    }

    package let reservationID: ReservationID
    /// The trace that extensions belong to.
    let trace: TraceContext?

    fileprivate var schedule: HeartbeatSchedule
    fileprivate var expiresAtMilliseconds: Int64
    /// The key of the extension that has not succeeded yet.
    fileprivate var key: IdempotencyKey?
    fileprivate var phase = Phase.waiting
    /// Whether it is extended at all.
    fileprivate var isKept = false
    fileprivate var isSettling = false
    fileprivate var hasReportedLimit = false
    /// Which API key its last attempt carried.
    fileprivate var keyGeneration = 0
    /// How it was lost; nil unless it was.
    fileprivate var lossMessage: String?
    fileprivate var whenLost: (@Sendable (LeaseLoss) -> Void)?
    // Sound: only the heap uses it, one statement at a time.
    @exclusivity(unchecked) var heapPosition: Int?

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

    fileprivate func hasRunOut(at now: Duration) -> Bool { knownEnd.map { $0 <= now } ?? false }

    fileprivate func loss(_ reason: LeaseStop?) -> LeaseLoss {
        LeaseLoss(
            reservationID: reservationID,
            message: reason.map { "\($0)" } ?? "it ran out before its work was settled"
        )
    }
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
        case .transport, .ambiguous, .invalidResponse, .cancelled, .leaseLost: self = .transient
        case .api(let answer):
            self.init(status: answer.status, code: answer.code, retryAfter: answer.retryAfter)
        case .denied(let denial):
            self.init(status: denial.status, code: denial.errorCode, retryAfter: denial.retryAfter)
        // The request could not even be made: asking again would change nothing.
        case .validation, .configuration: self = .refused(status: 0, nil)
        }
    }
}
