/// Work between a reservation and its settlement: what `withCycles` and its like have in common.
struct GuardedWork {
    private let core: ClientCore
    let held: HeldReservation
    let options: CyclesOptions
    private let began: Duration

    init(_ core: ClientCore, _ held: HeldReservation, _ options: CyclesOptions) {
        self.core = core
        self.held = held
        self.options = options
        began = core.time.monotonic
    }

    // MARK: How it ends

    /// What is to be done when the work has ended.
    enum Ending {
        /// What was spent is known, or made up for.
        case settle(actual: Amount?)
        /// It cannot be said what was spent, and nothing may be made up.
        case letGo(CyclesError)
        /// Nothing was spent.
        case release
    }

    /// The end of work that returned.
    /// - Parameter actual: What it cost, if it could say.
    func ending(actual: Result<Amount, any Error>?) -> Ending {
        var problem = "the work did not say what it cost"
        switch actual {
        case .success(let amount):
            if amount.unit == held.estimate.unit, amount.amount >= 0 { return .settle(actual: amount) }
            problem = "is \(amount), and the reservation is in \(held.estimate.unit), 0 or more"
            if !mustLetGo { return .settle(actual: amount) }
        case .failure(let error):
            problem = "could not be determined: \(error)"
            if !mustLetGo {
                core.observer.observe(.valueIgnored(held.reservationID, what: "the actual amount, which \(problem)"))
            }
        case nil: break
        }
        guard mustLetGo else { return .settle(actual: nil) }
        return .letGo(
            .validation(
                ValidationIssue(
                    field: "actual",
                    message: "\(problem); the hold of reservation \(held.reservationID) is left to run out"
                )
            )
        )
    }

    /// The end of work that failed. Recorded spend is settled in both cases.
    var endingAfterFailure: Ending {
        switch options.whenBodyFails {
        case .release: .release
        case .commitEstimate: .settle(actual: nil)
        }
    }

    private var mustLetGo: Bool { options.whenActualUnknown == .fail && !held.hasSpent }

    /// Ends the work and returns its settlement. Does not obey cancellation: what was spent gets settled.
    func end(_ ending: Ending) async -> Result<Settlement, CyclesError> {
        await awaiting { done in end(ending, done) }
    }

    /// Ends the work from this thread and returns its settlement.
    func endBlocking(_ ending: Ending) -> Result<Settlement, CyclesError> {
        held.latest(blocking { done in end(ending, done) })
    }

    func end(_ ending: Ending, _ completion: HeldReservation.Completion?) {
        let latency = core.time.monotonic - began
        switch ending {
        case .settle(let actual): held.settle(actual: actual, latency: latency, completion)
        case .release:
            held.release(ReleaseRequest(reason: "the guarded work failed"), latency: latency, completion)
        case .letGo(let error):
            if held.letGo(error) {
                completion?(.failure(error))
            } else {
                held.settle(actual: nil, latency: latency, completion)
            }
        }
    }

    /// What a caller has to be told even though the work returned a value: nil for everything that must not cost it.
    static func failure(_ result: Result<Settlement, CyclesError>, _ ending: Ending) -> CyclesError? {
        if case .failure(let error) = result {
            if case .leaseLost = error { return error }
            if case .letGo(let reason) = ending, error == reason { return error }
        }
        return nil
    }

    // MARK: Cancelling it

    /// Runs work so that it is cancelled, and nothing else is, when its lease is lost. A cancellation that this caused
    /// comes out as `leaseLost`.
    static func runCancellable<Value>(
        _ held: HeldReservation,
        isolation: isolated (any Actor)?,
        _ body: () async throws -> Value
    ) async throws -> Value {
        try await withoutActuallyEscaping(body) { body in
            // The task runs where its caller waits for it, so that nothing is used in two places at once.
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

/// Carries something into a task whose creator waits for it.
private struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
