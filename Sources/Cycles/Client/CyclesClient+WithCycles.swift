extension CyclesClient {
    /// Holds budget, runs the body, and commits what the body says that it cost.
    ///
    /// The hold is kept alive while the body runs. If the body throws, its error is thrown on unchanged once the hold is
    /// given back, or, if spend was recorded through the context, that is settled. Within the body
    /// ``CyclesContext/current`` is its context; calls may be nested.
    ///
    /// A settlement that fails does not cost the value: it is in ``CyclesContext/settlement``, and goes to the observer.
    /// - Parameters:
    ///   - options: What to reserve.
    ///   - body: The work; returns its value and what it cost. An amount that cannot be committed is made up for as
    ///     ``CyclesOptions/whenActualUnknown`` says.
    /// - Throws: What the body throws; ``CyclesError`` if budget is not granted, and `leaseLost` under the policies
    ///   ``HeartbeatPolicy/failOnFinalize`` and ``HeartbeatPolicy/cancel``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount)
    ) async throws -> Value {
        let (value, result, ending) = try await guarding(options) { context in
            let (value, actual) = try await body(context)
            return (value, .success(actual))
        }
        if let failure = GuardedWork.failure(result, ending) { throw failure }
        return value
    }

    /// Holds budget, runs the body, and commits what its value cost.
    ///
    /// As ``withCycles(_:_:)``, for work whose cost is part of its value.
    /// - Parameters:
    ///   - options: What to reserve.
    ///   - actual: What a value cost. If it throws, that is made up for as ``CyclesOptions/whenActualUnknown`` says.
    ///   - body: The work.
    /// - Throws: As ``withCycles(_:_:)``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> Value {
        let (value, result, ending) = try await guarding(options) { context in
            let value = try await body(context)
            return (value, Result { try actual(value) })
        }
        if let failure = GuardedWork.failure(result, ending) { throw failure }
        return value
    }

    /// As ``withCycles(_:_:)``, and says how the work was settled.
    /// - Returns: The body's value, and the settlement or why there is none.
    /// - Throws: What the body throws; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount)
    ) async throws -> (Value, Result<Settlement, CyclesError>) {
        let (value, result, _) = try await guarding(options) { context in
            let (value, actual) = try await body(context)
            return (value, .success(actual))
        }
        return (value, result)
    }

    /// As ``withCycles(_:actual:_:)``, and says how the work was settled.
    /// - Returns: The body's value, and the settlement or why there is none.
    /// - Throws: What the body throws; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> (Value, Result<Settlement, CyclesError>) {
        let (value, result, _) = try await guarding(options) { context in
            let value = try await body(context)
            return (value, Result { try actual(value) })
        }
        return (value, result)
    }

    private func guarding<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Result<Amount, any Error>)
    ) async throws -> (Value, Result<Settlement, CyclesError>, GuardedWork.Ending) {
        let work = GuardedWork(core, try await core.reserve(options.request), options)
        let context = CyclesContext(work.held)
        let value: Value
        let actual: Result<Amount, any Error>
        do {
            (value, actual) = try await CyclesContext.$current.withValue(context) {
                guard core.heartbeat == .cancel else { return try await body(context) }
                return try await GuardedWork.runCancellable(work.held, isolation: #isolation) {
                    try await body(context)
                }
            }
        } catch {
            let settlement = await work.end(work.endingAfterFailure)
            if case CyclesError.leaseLost(var loss) = error, loss.reservationID == work.held.reservationID {
                loss.settlement = loss.settlement ?? (try? settlement.get())
                throw CyclesError.leaseLost(loss)
            }
            throw error
        }
        let ending = work.ending(actual: actual)
        return (value, await work.end(ending), ending)
    }
}
