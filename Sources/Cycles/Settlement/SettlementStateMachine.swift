/// How one reservation gets settled: a value that is told what came of each attempt, and answers with the next step.
package struct SettlementStateMachine: Hashable, Sendable {
    /// What is sent.
    package enum Request: Hashable, Sendable {
        case commit
        case event
        /// `getReservation`, to find out what became of a reservation that is settled already.
        case lookUp
    }

    /// What to do next.
    package enum Step: Sendable {
        /// Send that now.
        case send(Request)
        /// Send that after a delay. Before `floor`, counted from now, the server does not want to be asked.
        case wait(Request, Duration, floor: Duration, because: CyclesError)
        /// It is settled.
        case settled(Settlement)
        /// The server refuses for good.
        case rejected(CyclesError)
    }

    private(set) package var mode: SettlementRecord.Mode
    private var delays: RetryDelays
    /// Why the reservation is being looked up.
    private var doubt: Doubt?
    /// Whether quick retries are over.
    private(set) package var isSlow = false

    private struct Doubt: Hashable, Sendable {
        let error: CyclesError
        /// Whether another request may have used the key, so that only a commit counts as settled.
        let isMismatch: Bool
    }

    package init(_ mode: SettlementRecord.Mode, _ policy: RetryPolicy) {
        self.mode = mode
        delays = RetryDelays(policy)
    }

    /// What to send first, and whenever nothing else is known.
    package var request: Request { mode == .commit ? .commit : .event }

    // MARK: What came of an attempt

    package mutating func committed(
        _ result: Result<APIResponse<CommitResponse>, CyclesError>,
        randomness: Double
    ) -> Step {
        switch result {
        case .success(let response): return .settled(.committed(response.value))
        case .failure(let error): return failed(error, randomness)
        }
    }

    package mutating func charged(
        _ result: Result<APIResponse<EventCreateResponse>, CyclesError>,
        randomness: Double
    ) -> Step {
        switch result {
        case .success(let response): return .settled(.recoveredViaEvent(response.value))
        case .failure(let error): return failed(error, randomness)
        }
    }

    package mutating func lookedUp(
        _ result: Result<APIResponse<ReservationDetail>, CyclesError>,
        randomness: Double
    ) -> Step {
        guard let doubt else { return .send(request) }
        self.doubt = nil
        switch result {
        case .success(let response):
            switch response.status {
            case .committed: return .settled(.alreadySettled)
            case .released, .expired: return doubt.isMismatch ? .rejected(doubt.error) : becomeEvent()
            default: return .rejected(doubt.error)
            }
        case .failure(let error):
            switch FailureClass(error) {
            case .expired: return doubt.isMismatch ? .rejected(doubt.error) : becomeEvent()
            case .rejected: return .rejected(doubt.error)
            // The server does not know it, whatever else it says. A 404 that is no error of the protocol comes from
            // something in between, and says nothing about the reservation.
            case .unclassified where error.status == 404 && error.errorCode?.isOfProtocol == true:
                return .rejected(doubt.error)
            case .retry, .throttled, .unauthorized, .unclassified, .finalized, .mismatch:
                // A look-up that fails decides nothing: the commit is sent again.
                return wait(for: FailureClass(error), error, randomness)
            }
        }
    }

    private mutating func failed(_ error: CyclesError, _ randomness: Double) -> Step {
        let failure = FailureClass(error)
        switch (failure, mode) {
        case (.retry, _), (.throttled, _), (.unauthorized, _), (.unclassified, _):
            return wait(for: failure, error, randomness)
        case (.expired, .commit): return becomeEvent()
        case (.finalized, .commit), (.mismatch, .commit):
            doubt = Doubt(error: error, isMismatch: failure == .mismatch)
            return .send(.lookUp)
        case (.rejected, _), (.expired, .event), (.finalized, .event), (.mismatch, .event): return .rejected(error)
        }
    }

    private mutating func becomeEvent() -> Step {
        mode = .event
        return .send(.event)
    }

    private mutating func wait(for failure: FailureClass, _ error: CyclesError, _ randomness: Double) -> Step {
        let floor = min(max(.zero, error.retryAfter ?? .zero), RetryDelays.longestFloor)
        switch failure {
        case .unauthorized, .unclassified: isSlow = true
        default: isSlow = !delays.hasFastRetries
        }
        let delay = isSlow ? delays.nextRound(randomness: randomness) : delays.next(randomness: randomness)
        return .wait(request, max(delay, floor), floor: floor, because: error)
    }
}

/// What kind of failure an attempt to settle was. The order of the checks is the protocol's.
package enum FailureClass: Hashable, Sendable {
    /// A transport failure, a 5xx, a 408, or a 2xx or 3xx that is no success: it may have been applied.
    case retry
    /// A 429, or LIMIT_EXCEEDED.
    case throttled
    /// A 401 or 403.
    case unauthorized
    /// The reservation has expired.
    case expired
    /// The reservation was settled before.
    case finalized
    /// The key was used for something else.
    case mismatch
    /// A 4xx without a code that says what it means.
    case unclassified
    /// Any other 4xx: the server refuses for good.
    case rejected

    /// Whether the failure leaves open what the server has done with the request, or with the same request before.
    package var isInconclusive: Bool {
        switch self {
        case .retry, .throttled, .unauthorized, .unclassified: true
        case .expired, .finalized, .mismatch, .rejected: false
        }
    }

    package init(_ error: CyclesError) {
        switch error {
        case .transport, .ambiguous, .invalidResponse, .cancelled, .leaseLost: self = .retry
        case .validation, .configuration: self = .rejected
        case .denied(let denial): self = .init(status: denial.status, code: denial.errorCode)
        case .api(let answer): self = .init(status: answer.status, code: answer.code)
        }
    }

    private init(status: Int, code: ErrorCode?) {
        guard (400..<500).contains(status) else {
            self = .retry
            return
        }
        switch (status, code) {
        case (408, _): self = .retry
        case (429, _), (_, .limitExceeded): self = .throttled
        case (401, _), (403, _): self = .unauthorized
        case (410, _), (_, .reservationExpired): self = .expired
        case (_, .reservationFinalized): self = .finalized
        case (_, .idempotencyMismatch): self = .mismatch
        case (_, nil), (_, .internalError), (_, .unauthorized), (_, .forbidden), (_, .unrecognized):
            self = .unclassified
        default: self = .rejected
        }
    }
}

/// How one hold is given back.
package struct ReleaseStateMachine: Hashable, Sendable {
    /// What to do next.
    package enum Step: Sendable {
        /// Send it again after a delay.
        case wait(Duration, floor: Duration, because: CyclesError)
        /// Nothing is held any more.
        case released
        /// It could not be given back, or there is no time left: the lease will run out.
        case failed(CyclesError)
    }

    private var delays: RetryDelays

    package init(_ policy: RetryPolicy) { delays = RetryDelays(policy) }

    /// - Parameter timeLeft: How long the hold is still there to be given back; nil if that is not known.
    package mutating func attempted(
        _ result: Result<APIResponse<ReleaseResponse>, CyclesError>,
        timeLeft: Duration?,
        randomness: Double
    ) -> Step {
        guard case .failure(let error) = result else { return .released }
        switch FailureClass(error) {
        case .expired, .finalized: return .released
        case .retry, .throttled:
            let floor = min(max(.zero, error.retryAfter ?? .zero), RetryDelays.longestFloor)
            guard let next = delays.nextFast(goesOn: timeLeft != nil, randomness: randomness) else {
                return .failed(error)
            }
            let delay = max(next, floor)
            if let timeLeft, delay >= timeLeft { return .failed(error) }
            return .wait(delay, floor: floor, because: error)
        case .unauthorized, .mismatch, .unclassified, .rejected: return .failed(error)
        }
    }
}
