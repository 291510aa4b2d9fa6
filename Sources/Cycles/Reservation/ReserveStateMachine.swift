/// Decides from the result of each create attempt whether the reservation is granted, failed, or requested again.
///
/// An attempt that may have held budget is retried once, immediately and with the same key (specification: HEARTBEAT
/// GUIDANCE, on CREATE).
package struct ReserveStateMachine: Sendable {
    /// The action that follows an attempt.
    package enum Step: Sendable {
        /// Send the same request again immediately.
        case sendAgain
        /// Budget is held.
        case granted(ReservationGrant)
        /// Return the error. `holding` is a reservation that an answer named nevertheless; its hold has to be released.
        case failed(CyclesError, holding: ReservationID?)
    }

    private let key: IdempotencyKey?
    /// Removes secrets from the texts that errors quote.
    private let redactor: Redactor
    /// The result of the first attempt, if it does not tell whether budget is held.
    private var doubt: (error: CyclesError, holding: ReservationID?)?

    package init(key: IdempotencyKey?, redactor: Redactor) {
        self.key = key
        self.redactor = redactor
    }

    package mutating func attempted(_ attempt: Attempt<ReservationCreateResponse>) -> Step {
        switch attempt.result {
        case .success(let response): return answered(response, attempt)
        case .failure(let error): return failed(error, attempt)
        }
    }

    private mutating func answered(
        _ response: APIResponse<ReservationCreateResponse>,
        _ attempt: Attempt<ReservationCreateResponse>
    ) -> Step {
        switch response.decision {
        case .deny: return .failed(.denied(Denial(response, redactor)), holding: response.reservationID)
        case .allow, .allowWithCaps: break
        default:
            let message = "its decision \(response.decision) is unknown, and so permits nothing"
            return .failed(invalid(response, message), holding: response.reservationID)
        }
        guard let id = response.reservationID else {
            // A retry would not hold budget either.
            let message = "it allows without a reservation_id: the decision was only observed, and nothing is held"
            let advice = "set observe_mode of the tenant to ENFORCE to have budget held"
            return .failed(invalid(response, message, advice: advice), holding: doubt?.holding)
        }
        guard let expiry = response.expiresAtMilliseconds else {
            return mayHaveHeld(invalid(response, "it allows without an expires_at_ms"), id)
        }
        if (try? RequestValidation.reservationID(id)) == nil {
            return .failed(invalid(response, "its reservation_id cannot be part of a path"), holding: nil)
        }
        if response.decision == .allowWithCaps, response.caps == nil {
            return .failed(invalid(response, "it allows with caps, but has no caps"), holding: id)
        }
        if response.remainingTimeToLive == .zero {
            let message = "reservation \(id) is no longer active: the idempotency key was used before"
            return .failed(invalid(response, message), holding: id)
        }
        let report = LeaseReport(
            remainingMilliseconds: response.remainingTimeToLive?.wholeMilliseconds,
            expiresAtMilliseconds: expiry,
            sent: attempt.sent,
            received: attempt.received
        )
        return .granted(ReservationGrant(reservationID: id, lease: report, answer: response.body))
    }

    private mutating func failed(_ error: CyclesError, _ attempt: Attempt<ReservationCreateResponse>) -> Step {
        switch error {
        case .transport: return mayHaveHeld(error, nil)
        case .api(let answer) where answer.status >= 500: return mayHaveHeld(error, nil)
        case .invalidResponse(let answer) where (200..<300).contains(answer.status):
            let named = attempt.body.flatMap { try? JSONValue(parsing: $0) }?["reservation_id"]?.string
            return mayHaveHeld(error, named.map { ReservationID($0) })
        case .denied: return .failed(error, holding: doubt?.holding)
        // An inconclusive answer does not tell whether the first attempt held budget.
        case _ where mayBeHeld && FailureClass(error).isInconclusive: return mayHaveHeld(error, nil)
        default: return .failed(error, holding: doubt?.holding)
        }
    }

    /// Whether the first attempt may have held budget.
    private var mayBeHeld: Bool {
        guard let doubt else { return false }
        if case .transport(let cause) = doubt.error { return cause.wasRequestSent != false }
        return true
    }

    private mutating func mayHaveHeld(_ error: CyclesError, _ id: ReservationID?) -> Step {
        guard let first = doubt else {
            doubt = (error, id)
            return .sendAgain
        }
        let holding = id ?? first.holding
        if case .transport(let cause) = error, cause.wasRequestSent == false, !mayBeHeld {
            // Neither attempt was sent, so no budget is held.
            return .failed(error, holding: nil)
        }
        let outcome = AmbiguousOutcome(
            operation: "createReservation",
            message: "\(error)",
            status: error.status,
            requestID: error.requestID,
            traceID: error.traceID,
            idempotencyKey: key
        )
        return .failed(.ambiguous(outcome), holding: holding)
    }

    private func invalid(
        _ response: APIResponse<ReservationCreateResponse>,
        _ message: String,
        advice: String? = nil
    ) -> CyclesError {
        .invalidResponse(
            InvalidResponse(
                operation: "createReservation",
                status: response.http.status,
                message: redactor.redact(message),
                requestID: redactor.redact(response.http.requestID),
                traceID: redactor.redact(response.http.traceID),
                idempotencyKey: key,
                advice: advice
            )
        )
    }
}

/// A granted reservation.
package struct ReservationGrant: Sendable {
    package let reservationID: ReservationID
    package let lease: LeaseReport
    /// The body of the answer. Its less used members are decoded on access.
    package let answer: [UInt8]
}
