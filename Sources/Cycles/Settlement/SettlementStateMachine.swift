/// Settles or releases one reservation: takes the answer to each request and returns the next step.
package struct SettlementStateMachine: Sendable {
    /// The work to perform on the reservation.
    package enum Work: Sendable {
        /// Charge the spend in the record.
        indirect case settle(SettlementRecord)
        /// Release the hold. `leaseEnd` is the known end of the lease, after which no hold remains.
        case release(ReleaseRequest, leaseEnd: Duration?)
    }

    /// A request with all its contents.
    package enum Request: Sendable {
        case commit(SettlementRecord.Body)
        case event(SettlementRecord.Body)
        /// `getReservation`, to find out whether and how a reservation has been settled.
        case lookUp
        case release(ReleaseRequest)

        /// Whether the request belongs to a settlement.
        package var isSettlement: Bool { if case .release = self { false } else { true } }

        /// The operation's identifier in the specification.
        package var operation: String {
            switch self {
            case .commit: "commitReservation"
            case .event: "createEvent"
            case .lookUp: "getReservation"
            case .release: "releaseReservation"
            }
        }
    }

    /// A successful answer to a request.
    package enum Answer: Sendable {
        case settled(Settlement.Outcome)
        /// The state of a reservation that was looked up.
        case found(ReservationStatus)
    }

    /// The next step.
    package enum Step: Sendable {
        /// Send ``request`` now.
        case send
        /// Send ``request`` once the changed record is on disk.
        case storeAndSend
        /// Send ``request`` after a delay. `floor` is the minimum delay that the server requested.
        case wait(Duration, floor: Duration, because: CyclesError)
        /// The reservation is settled or released, or the server has refused permanently.
        case finished(Result<Settlement, CyclesError>)
    }

    private struct Doubt {
        let error: CyclesError
        /// Whether another request may have used the key. If so, only a commit counts as settled.
        let isMismatch: Bool
    }

    private(set) package var work: Work
    private var delays: RetryDelays
    /// The failure that a look-up of the reservation has to explain; nil if no look-up is needed.
    private var doubt: Doubt?
    /// Whether no fast retry is left.
    private(set) package var isSlow = false

    package init(_ work: Work, _ policy: RetryPolicy) {
        self.work = work
        delays = RetryDelays(policy)
    }

    /// The request in flight, or the next one.
    package var request: Request {
        switch work {
        case .release(let request, _): .release(request)
        case .settle where doubt != nil: .lookUp
        case .settle(let record): record.mode == .commit ? .commit(record.body) : .event(record.body)
        }
    }

    /// The record of a settlement; nil for a release.
    package var record: SettlementRecord? { if case .settle(let record) = work { record } else { nil } }

    /// Adopts the record from its file: another process may have switched it to an event.
    /// - Parameter isReplay: Whether the record originally came from a file, so that nothing else is known about it.
    package mutating func reload(_ found: SettlementRecord, isReplay: Bool) {
        guard case .settle(let record) = work else { return }
        switch (record.mode, found.mode) {
        // The switch to an event could not be written. It is not undone.
        case (.event, .commit): return
        case (.commit, .event): doubt = nil
        case (.commit, .commit), (.event, .event): guard isReplay else { return }
        }
        work = .settle(found)
    }

    package var isSettlement: Bool { if case .settle = work { true } else { false } }

    package func settlement(_ outcome: Settlement.Outcome) -> Settlement {
        Settlement(outcome, chargedEstimate: record?.chargesEstimate ?? false)
    }

    /// The error for work on a reservation that is already being settled.
    package func alreadySettling(_ id: ReservationID) -> ValidationIssue {
        if let record, record.mode == .event, let key = record.body.idempotencyKey {
            return ValidationIssue(
                field: "idempotencyKey",
                message: "is \(key), under which spend is being recorded already; use another key for other spend"
            )
        }
        return ValidationIssue(
            field: "reservationID",
            message: "is \(id), which is being settled already: it is neither settled again nor released"
        )
    }

    /// Handles the answer to ``request``.
    /// - Parameter randomness: From 0 up to 1; used for the delay after a failure.
    package mutating func answered(
        _ result: Result<Answer, CyclesError>,
        now: Duration,
        randomness: Double
    ) -> Step {
        let doubt = doubt
        self.doubt = nil
        switch (result, doubt) {
        case (.success(.settled(let outcome)), _): return .finished(.success(settlement(outcome)))
        case (.success(.found(let status)), let doubt?): return found(status, doubt)
        case (.success(.found), nil): return .send
        case (.failure(let error), let doubt?): return lookUpFailed(error, doubt, randomness)
        case (.failure(let error), nil):
            switch work {
            case .settle(let record): return settlementFailed(error, record.mode, randomness)
            case .release(_, let leaseEnd): return releaseFailed(error, timeLeft: leaseEnd.map { $0 - now }, randomness)
            }
        }
    }

    private mutating func settlementFailed(
        _ error: CyclesError,
        _ mode: SettlementRecord.Mode,
        _ randomness: Double
    ) -> Step {
        let failure = FailureClass(error)
        switch (failure, mode) {
        case (.retry, _), (.throttled, _), (.unauthorized, _), (.unclassified, _):
            return wait(for: failure, error, randomness)
        case (.expired, .commit): return becomeEvent(because: error)
        case (.finalized, .commit), (.mismatch, .commit):
            doubt = Doubt(error: error, isMismatch: failure == .mismatch)
            return .send
        case (.rejected, _), (.expired, .event), (.finalized, .event), (.mismatch, .event):
            return .finished(.failure(error))
        }
    }

    private mutating func found(_ status: ReservationStatus, _ doubt: Doubt) -> Step {
        switch status {
        case .committed: .finished(.success(settlement(.alreadySettled)))
        case .released where !doubt.isMismatch, .expired where !doubt.isMismatch: becomeEvent(because: doubt.error)
        default: .finished(.failure(doubt.error))
        }
    }

    private mutating func lookUpFailed(_ error: CyclesError, _ doubt: Doubt, _ randomness: Double) -> Step {
        let failure = FailureClass(error)
        switch failure {
        case .expired where !doubt.isMismatch: return becomeEvent(because: error)
        case .expired, .rejected: return .finished(.failure(doubt.error))
        // The server does not know the reservation. A 404 in another form comes from an intermediary and is
        // inconclusive.
        case .unclassified where error.status == 404 && error.errorCode?.isOfProtocol == true:
            return .finished(.failure(doubt.error))
        case .retry, .throttled, .unauthorized, .unclassified, .finalized, .mismatch:
            // The look-up is inconclusive: the commit is sent again.
            return wait(for: failure, error, randomness)
        }
    }

    private mutating func releaseFailed(_ error: CyclesError, timeLeft: Duration?, _ randomness: Double) -> Step {
        switch FailureClass(error) {
        case .expired, .finalized: return .finished(.success(settlement(.released)))
        case .unauthorized, .mismatch, .unclassified, .rejected: return .finished(.failure(error))
        case .retry, .throttled:
            let floor = RetryDelays.floor(error)
            guard let next = delays.nextFast(isUnlimited: timeLeft != nil, randomness: randomness) else {
                return .finished(.failure(error))
            }
            let delay = max(next, floor)
            if let timeLeft, delay >= timeLeft { return .finished(.failure(error)) }
            return .wait(delay, floor: floor, because: error)
        }
    }

    private mutating func becomeEvent(because error: CyclesError) -> Step {
        guard case .settle(var record) = work, record.becomeEvent() else { return .finished(.failure(error)) }
        work = .settle(record)
        return .storeAndSend
    }

    private mutating func wait(for failure: FailureClass, _ error: CyclesError, _ randomness: Double) -> Step {
        switch failure {
        case .unauthorized, .unclassified: isSlow = true
        default: isSlow = !delays.hasFastRetries
        }
        let floor = RetryDelays.floor(error)
        let delay = isSlow ? delays.nextRound(randomness: randomness) : delays.next(randomness: randomness)
        return .wait(max(delay, floor), floor: floor, because: error)
    }
}
