/// The work between a reservation and its settlement; shared by `withCycles`, `withCyclesOutcome` and `metered`.
struct GuardedWork {
    let held: HeldReservation
    private let whenActualUnknown: UnknownActualPolicy
    private let whenBodyFails: FailedBodyPolicy
    private let began: Duration

    init(
        _ held: HeldReservation,
        whenActualUnknown: UnknownActualPolicy,
        whenBodyFails: FailedBodyPolicy = .release
    ) {
        self.held = held
        self.whenActualUnknown = whenActualUnknown
        self.whenBodyFails = whenBodyFails
        began = held.scope.time.monotonic
    }

    init(_ held: HeldReservation, _ options: CyclesOptions) {
        self.init(held, whenActualUnknown: options.whenActualUnknown, whenBodyFails: options.whenBodyFails)
    }

    // MARK: Ending

    /// The action that ends the work.
    enum Ending {
        /// Commit `actual`; nil commits the recorded spend, or the estimate.
        case settle(actual: Amount?)
        /// Let the hold expire and fail with the error, since the cost is unknown and the policy forbids charging the
        /// estimate.
        case letExpire(CyclesError)
        /// Release the hold, or commit the recorded spend if it is above zero.
        case release
    }

    /// Returns the ending of work that returned a value.
    /// - Parameter actual: The cost reported by the work, or the error of the `actual` closure; nil if the recorded
    ///   spend is the cost.
    func ending(actual: Result<Amount, any Error>?) -> Ending {
        var problem = "was not reported by the work"
        switch actual {
        case .success(let amount):
            if amount.unit == held.estimate.unit, amount.amount >= 0 { return .settle(actual: amount) }
            problem = "is \(amount), but has to be in \(held.estimate.unit) and 0 or more"
            if !mustLetExpire { return .settle(actual: amount) }
        case .failure(let error):
            problem = "could not be determined: \(error)"
            if !mustLetExpire {
                held.scope.observer.observe(
                    .valueIgnored(held.reservationID, what: "the actual amount, which \(problem)")
                )
            }
        case nil:
            // A recorded zero is a cost.
            if !held.hasSpent, let recorded = held.recordedSpend { return .settle(actual: recorded) }
        }
        guard mustLetExpire else { return .settle(actual: nil) }
        return .letExpire(
            .validation(
                ValidationIssue(
                    field: "actual",
                    message: "\(problem); the hold of reservation \(held.reservationID) is left to expire"
                )
            )
        )
    }

    /// The ending of work that failed. Recorded spend is committed under either policy.
    var endingAfterFailure: Ending {
        switch whenBodyFails {
        case .release: .release
        case .commitEstimate: .settle(actual: nil)
        }
    }

    private var mustLetExpire: Bool { whenActualUnknown == .fail && !held.hasSpent }

    /// Ends the work and returns its settlement. Cancelling the task has no effect.
    func end(_ ending: Ending) async -> Result<Settlement, CyclesError> {
        await awaiting { done in end(ending, done) }
    }

    /// Ends the work on this thread and returns its settlement.
    func endBlocking(_ ending: Ending) -> Result<Settlement, CyclesError> {
        held.latest(blocking { done in end(ending, done) })
    }

    func end(_ ending: Ending, _ completion: HeldReservation.Completion?) {
        let latency = held.scope.time.monotonic - began
        switch ending {
        case .settle(let actual): held.settle(actual: actual, latency: latency, completion)
        case .release:
            held.release(ReleaseRequest(reason: "the guarded work failed"), latency: latency, completion)
        case .letExpire(let error):
            if held.letExpire(error) {
                completion?(.failure(error))
            } else {
                held.settle(actual: nil, latency: latency, completion)
            }
        }
    }

    /// The value of work, and the ending of the work.
    struct Ended<Value> {
        let value: Value
        let ending: Ending
        let result: Result<Settlement, CyclesError>

        /// Returns the value, unless the ending is an error: see ``GuardedWork/failure(_:_:)``.
        func get() throws(CyclesError) -> Value {
            if let failure = GuardedWork.failure(result, ending) { throw failure }
            return value
        }

        var outcome: (Value, Result<Settlement, CyclesError>) { (value, result) }
    }

    /// Returns the error to throw although the work returned a value: `leaseLost`, or an unknown cost under
    /// ``UnknownActualPolicy/fail``. Returns nil for other errors: a failed settlement does not discard the value.
    static func failure(_ result: Result<Settlement, CyclesError>, _ ending: Ending) -> CyclesError? {
        if case .failure(let error) = result {
            if case .leaseLost = error { return error }
            if case .letExpire(let reason) = ending, error == reason { return error }
        }
        return nil
    }

    // MARK: Cancellation

    /// Runs work in a task of its own, and cancels the task when the lease is lost. Replaces the resulting cancellation
    /// error by `leaseLost`.
    static func runCancellable<Value>(
        _ held: HeldReservation,
        isolation: isolated (any Actor)?,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await withoutActuallyEscaping(body) { body in
            // The task inherits the caller's isolation, and the caller waits for the task: `body` is never used
            // concurrently.
            let work = Unchecked(body)
            let task = Task { () -> Unchecked<Value> in
                _ = isolation
                return Unchecked(try await work.value())
            }
            held.notify { _ in task.cancel() }
            do {
                return try await withTaskCancellationHandler {
                    try await task.value.value
                } onCancel: {
                    task.cancel()
                }
            } catch {
                guard let loss = held.loss, isCancellation(error) else { throw error }
                throw CyclesError.leaseLost(loss)
            }
        }
    }

    private static func isCancellation(_ error: any Error) -> Bool {
        if error is CancellationError { return true }
        return (error as? CyclesError) == .cancelled
    }
}

/// Carries a value into or out of a task. Sound, since the creator of the task waits for it with the same isolation.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
