/// Extends the leases of clients that share a core, with one heap of deadlines and one alarm.
///
/// Performs the steps of each lease's ``HeartbeatSchedule``. Changes leases under the lock, and performs the resulting
/// effects without it.
package final class LeaseKeeper: Sendable {
    private struct State {
        var waiting = DeadlineHeap<Lease>()
        /// The leases whose extension stopped with a 401.
        var unauthorized: [ObjectIdentifier: Lease] = [:]
        var isShutDown = false
        /// The pending time of the alarm; nil once it has passed.
        var alarm: Duration?

        mutating func removeUnauthorized(_ lease: Lease) {
            if !unauthorized.isEmpty { unauthorized[ObjectIdentifier(lease)] = nil }
        }
    }

    /// A consequence of a change, performed without the lock.
    private enum Effect {
        case send(Lease, ExtendRequest, timeout: Duration)
        case tell(Lease, CyclesEvent)
        case lose(Lease, LeaseLoss, (@Sendable (LeaseLoss) -> Void)?)
    }

    private let time: any TimeSource
    private let state = Lock(State())
    private let alarm: any Alarm

    package init(_ time: any TimeSource) {
        self.time = time
        let target = WeakBox<LeaseKeeper>()
        alarm = time.makeAlarm { target.value?.attend() }
        target.value = self
    }

    // MARK: Calls of reservations

    /// Begins to extend a lease.
    package func keep(_ lease: Lease, _ first: HeartbeatSchedule.Step) {
        change { state, effects in
            lease.isKept = true
            if lease.schedule.isTooShortToKeep {
                effects.append(.tell(lease, .leaseAtRisk(lease.reservationID, .tooShort)))
            }
            take(first, lease, &state, &effects)
        }
    }

    /// Ends a lease when its reservation is settled or abandoned.
    package func end(_ lease: Lease) {
        change { state, _ in finish(lease, &state) }
    }

    /// Marks a lease as being settled. The keeper still extends the lease, but RESERVATION_FINALIZED ends it without a
    /// report.
    package func beginSettling(_ lease: Lease) { state.withLock { _ in lease.isSettling = true } }

    /// The loss of a lease; nil while the lease lasts. A lease is lost if the server reported its end, or if its known
    /// end has passed.
    package func loss(_ lease: Lease) -> LeaseLoss? {
        let now = time.monotonic
        return state.withLock { _ in
            if let message = lease.lossMessage {
                return LeaseLoss(reservationID: lease.reservationID, message: message)
            }
            return lease.hasRunOut(at: now) ? lease.loss(nil) : nil
        }
    }

    /// Takes the answer to an extension that the caller requested.
    package func extended(_ lease: Lease, _ response: ExtendResponse, _ report: LeaseReport) {
        change { state, effects in
            guard lease.phase != .ended else { return }
            note(response, lease, &effects)
            let step = lease.schedule.extendedByHand(report)
            // An attempt in flight continues; its result applies to the extended lease.
            if lease.phase == .attempting {
                wait(lease, until: lease.knownEnd, &state)
            } else if lease.isKept {
                take(step, lease, &state, &effects)
            }
        }
    }

    /// Calls `whenLost` once when a lease is lost; immediately if the lease is already lost.
    package func notify(_ lease: Lease, whenLost: @escaping @Sendable (LeaseLoss) -> Void) {
        let message = state.withLock { _ in
            if lease.lossMessage == nil, lease.phase != .ended { lease.whenLost = whenLost }
            return lease.lossMessage
        }
        if let message { whenLost(LeaseLoss(reservationID: lease.reservationID, message: message)) }
    }

    /// The end of a lease in the latest answer: milliseconds since 1970, by the server's clock.
    package func expiry(_ lease: Lease) -> Int64 { state.withLock { _ in lease.expiresAtMilliseconds } }

    /// The earliest possible end of a lease; nil if it is not known.
    package func knownEnd(_ lease: Lease) -> Duration? { state.withLock { _ in lease.knownEnd } }

    /// Resumes the leases of clients whose API key was replaced, if the leases stopped with a 401 and have not run out.
    package func resumeAfterNewKey(of credentials: Credentials) {
        let now = time.monotonic
        change { state, effects in
            for lease in state.unauthorized.values
            where lease.performer.credentials === credentials && !lease.hasRunOut(at: now) {
                take(.attempt(at: now, withFreshKey: true), lease, &state, &effects)
            }
        }
        attend()
    }

    /// Ends all leases.
    package func shutDown() {
        change { state, _ in
            state.isShutDown = true
            for lease in state.waiting.all + state.unauthorized.values { finish(lease, &state) }
        }
    }

    // MARK: Driving

    /// Changes leases under the lock, sets the alarm, and then performs the effects.
    private func change(_ body: (inout State, inout [Effect]) -> Void) {
        var effects: [Effect] = []
        state.withLock { state in
            body(&state, &effects)
            // The alarm is set only to earlier times: an early alarm costs less than setting it for each change.
            guard let next = state.waiting.nextDeadline, state.alarm.map({ next < $0 }) ?? true else { return }
            state.alarm = next
            // Set under the lock, so that an older time never replaces a newer one.
            alarm.set(to: next)
        }
        for effect in effects { carryOut(effect) }
    }

    private func carryOut(_ effect: Effect) {
        switch effect {
        case .tell(let lease, let event): lease.performer.observer.observe(event)
        case .lose(let lease, let loss, let whenLost):
            lease.performer.observer.observe(.leaseLost(loss))
            whenLost?(loss)
        case .send(let lease, let request, let timeout): send(lease, request, timeout)
        }
    }

    private func send(_ lease: Lease, _ request: ExtendRequest, _ timeout: Duration) {
        // The lease may have ended while a transport that blocks sent the extension of another lease.
        guard state.withLock({ _ in lease.phase == .attempting }) else { return }
        let operation: Operation<ExtendResponse>
        do throws(CyclesError) {
            operation = try .extendReservation(lease.reservationID, request)
        } catch {
            failed(lease, error)
            return
        }
        lease.performer.start(operation, CallOptions(timeout: timeout), trace: lease.trace) { [weak self] attempt in
            // The keeper no longer exists once the client and all its guards are released.
            switch attempt.result {
            case .success(let response): self?.succeeded(lease, response.value, attempt)
            case .failure(let error): self?.failed(lease, error)
            }
        }
    }

    private func attend() {
        let now = time.monotonic
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
                effects.append(.tell(lease, .leaseAtRisk(lease.reservationID, .limited)))
            }
            take(step, lease, &state, &effects)
        }
    }

    private func failed(_ lease: Lease, _ error: CyclesError) {
        let now = time.monotonic
        change { state, effects in
            // Ignores the answer if the lease has ended in the meantime.
            guard lease.phase == .attempting else { return }
            if lease.isSettling, error.errorCode == .reservationFinalized {
                finish(lease, &state)
                return
            }
            var step = lease.schedule.failed(ExtendFailure(error), at: now)
            // The attempt carried an earlier key: retry immediately with the present key.
            if case .stop(.refused(401, _)) = step, lease.hasOutdatedKey, !lease.hasRunOut(at: now) {
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
            effects.append(.tell(lease, .leaseAttemptFailed(failure)))
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
            // A new key helps only if the latest stop was a 401.
            state.removeUnauthorized(lease)
            if case .refused(401, _) = reason { state.unauthorized[ObjectIdentifier(lease)] = lease }
            effects.append(.tell(lease, .leaseStopped(lease.reservationID, reason)))
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
        lease.keyGeneration = lease.performer.credentials.generation
        lease.phase = .attempting
        // The lease may run out during the attempt.
        wait(lease, until: lease.knownEnd, &state)
        let extending = Duration.milliseconds(lease.schedule.extensionMilliseconds)
        effects.append(
            .send(lease, ExtendRequest(by: extending, idempotencyKey: key), timeout: lease.schedule.attemptTimeout)
        )
    }

    /// Replaces the deadline of a lease. A lost lease that is not due for an attempt gets none.
    private func wait(_ lease: Lease, until time: Duration?, _ state: inout State) {
        state.waiting.remove(lease)
        guard let time, lease.phase == .waiting || lease.lossMessage == nil else { return }
        state.waiting.insert(lease, until: time)
    }

    private func note(_ response: ExtendResponse, _ lease: Lease, _ effects: inout [Effect]) {
        lease.expiresAtMilliseconds = response.expiresAtMilliseconds
        // An extended lease was not lost, even if its known end had passed.
        lease.lossMessage = nil
        effects.append(
            .tell(
                lease,
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
        effects.append(.lose(lease, loss, lease.whenLost))
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

/// The lease of one reservation.
///
/// Unchecked Sendable: only its keeper accesses its variables, under the keeper's lock.
package final class Lease: DeadlineHeapElement, @unchecked Sendable {
    fileprivate enum Phase {
        /// Waits for the next attempt. Before ``LeaseKeeper/keep(_:_:)``, waits for nothing.
        case waiting
        case attempting
        /// Is no longer extended, and may still run out.
        case stopped
        case ended
    }

    package let reservationID: ReservationID
    /// Sends the extensions of the lease, with the client's present key.
    let performer: OperationPerformer
    /// The trace of the extensions.
    let trace: TraceParent

    fileprivate var schedule: HeartbeatSchedule
    fileprivate var expiresAtMilliseconds: Int64
    /// The idempotency key of the extension in progress.
    fileprivate var key: IdempotencyKey?
    fileprivate var phase = Phase.waiting
    /// Whether the keeper extends the lease; false if heartbeats are disabled.
    fileprivate var isKept = false
    fileprivate var isSettling = false
    fileprivate var hasReportedLimit = false
    /// The generation of the API key in the last attempt.
    fileprivate var keyGeneration = 0
    /// The description of the loss; nil if the lease is not lost.
    fileprivate var lossMessage: String?
    fileprivate var whenLost: (@Sendable (LeaseLoss) -> Void)?
    // Sound: only the heap accesses the property, one statement at a time.
    @exclusivity(unchecked) var heapPosition: Int?

    package init(
        _ reservationID: ReservationID,
        of performer: OperationPerformer,
        _ schedule: HeartbeatSchedule,
        expiresAtMilliseconds: Int64,
        trace: TraceParent
    ) {
        self.reservationID = reservationID
        self.performer = performer
        self.schedule = schedule
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.trace = trace
    }

    /// Whether the API key has changed since the last attempt was sent.
    fileprivate var hasOutdatedKey: Bool { keyGeneration < performer.credentials.generation }

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
    /// The lease in a successful answer to an extension.
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
        // The request could not be encoded: a retry would fail again.
        case .validation, .configuration: self = .refused(status: 0, nil)
        }
    }
}
