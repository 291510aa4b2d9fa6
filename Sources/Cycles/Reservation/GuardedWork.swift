/// Work between a reservation and its settlement: what `withCycles` and its like have in common.
struct GuardedWork {
    private let core: LifecycleCore
    let held: HeldReservation
    let options: CyclesOptions
    private let began: Duration

    /// Reserves what the work needs.
    static func begin(_ core: LifecycleCore, _ options: CyclesOptions) async throws(CyclesError) -> GuardedWork {
        let held = try await Reserving(core, options.request).run()
        return GuardedWork(
            core: core,
            held: held,
            options: options,
            began: core.time.monotonic
        )
    }

    /// The same on the caller's thread.
    static func beginBlocking(
        _ core: LifecycleCore,
        _ options: CyclesOptions,
        over transport: any BlockingHTTPTransport
    ) throws(CyclesError) -> GuardedWork {
        let held = try core.reserveBlocking(options.request, over: transport)
        return GuardedWork(
            core: core,
            held: held,
            options: options,
            began: core.time.monotonic
        )
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

    /// Ends the work, and says what came of it. Does not obey cancellation: what was spent gets settled.
    func end(_ ending: Ending) async -> Result<Settlement, CyclesError> {
        await withUnsafeContinuation { continuation in
            end(ending, firstOver: nil) { continuation.resume(returning: $0) }
        }
    }

    /// Ends the work from this thread, and says what came of it.
    func endBlocking(_ ending: Ending, over transport: any BlockingHTTPTransport) -> Result<Settlement, CyclesError> {
        let result = WaitableLock<Result<Settlement, CyclesError>?>(nil)
        end(ending, firstOver: InlineCallbackTransport(transport)) { answer in result.withLock { $0 = answer } }
        return held.latest(result.wait { $0 })
    }

    func end(
        _ ending: Ending,
        firstOver transport: (any CallbackTransport)?,
        _ completion: HeldReservation.Completion?
    ) {
        switch ending {
        case .settle(let actual):
            let latency = core.time.monotonic - began
            held.settle(actual: actual, latency: latency, firstOver: transport, completion)
        case .release:
            held.release(
                ReleaseRequest(reason: "the guarded work failed"),
                latency: core.time.monotonic - began,
                firstOver: transport,
                completion
            )
        case .letGo(let error):
            if held.letGo(error) {
                completion?(.failure(error))
            } else {
                end(.settle(actual: nil), firstOver: transport, completion)
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
