extension CyclesClient {
    /// Reserves budget, runs the body, and commits the cost that it returns.
    ///
    /// The lease is extended while the body runs. If the body throws, recorded spend above zero is committed; without
    /// any, ``CyclesOptions/whenBodyFails`` applies. The error is then rethrown unchanged. Within the body,
    /// ``CyclesContext/current`` is its context; calls may be nested.
    ///
    /// A failed settlement does not discard the value: the error is in ``CyclesContext/settlement``, and is reported to
    /// the observer.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///   - body: The work; returns its value and its cost. ``CyclesOptions/whenActualUnknown`` applies to a negative
    ///     amount and to one in another unit than the estimate.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted, `validation` for an invalid amount under
    ///   ``UnknownActualPolicy/fail``, and `leaseLost` under the policies ``HeartbeatPolicy/failOnFinalize`` and
    ///   ``HeartbeatPolicy/cancel``.
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

    /// Reserves budget, runs the body, and commits the cost of its value.
    ///
    /// Behaves like ``withCycles(_:_:)``, for work whose cost is part of its value.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///   - actual: Returns the cost of a value. ``CyclesOptions/whenActualUnknown`` applies if it throws.
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

    /// Behaves like ``withCycles(_:_:)``, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
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

    /// Behaves like ``withCycles(_:actual:_:)``, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
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
        let work = GuardedWork(try await core.reserve(options.request), options)
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
