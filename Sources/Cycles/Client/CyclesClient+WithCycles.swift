extension CyclesClient {
    // MARK: The value

    /// Reserves budget, runs the body, and commits the cost that the body returns.
    ///
    /// The client extends the lease while the body runs. If the body throws, the client commits the recorded spend;
    /// without recorded spend above zero, ``CyclesOptions/whenBodyFails`` applies. The call then rethrows the error
    /// unchanged. Within the body, ``CyclesContext/current`` is the context of the work; calls may be nested.
    ///
    /// A failed settlement does not discard the value. Its error is in ``CyclesContext/settlement``, and is reported to
    /// the observer.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///   - body: The work; returns its value and its cost. ``CyclesOptions/whenActualUnknown`` applies to a cost that
    ///     is negative or in another unit than the estimate.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted, `validation` for an invalid amount under
    ///   ``UnknownActualPolicy/fail``, and `leaseLost` under the policies ``HeartbeatPolicy/failOnFinalize`` and
    ///   ``HeartbeatPolicy/cancel``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount)
    ) async throws -> Value {
        try await guarding(options) { context in
            let (value, actual) = try await body(context)
            return (value, .success(actual))
        }.get()
    }

    /// Reserves budget, runs the body, and commits the cost of its value.
    ///
    /// Behaves as the form whose body returns the cost, for work whose cost is part of its value.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///   - actual: Returns the cost of a value. ``CyclesOptions/whenActualUnknown`` applies if it throws.
    ///   - body: The work.
    /// - Throws: As the form whose body returns the cost.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> Value {
        try await guarding(options) { context in
            let value = try await body(context)
            return (value, Result { try actual(value) })
        }.get()
    }

    /// Reserves budget, runs the body, and commits the spend that the body records in its context.
    ///
    /// Behaves as the form whose body returns the cost, for work that records its spend with
    /// ``CyclesContext/addSpend(_:)`` or ``CyclesContext/setSpend(_:)``. A recorded zero is a cost.
    /// - Parameters:
    ///   - options: The reservation request, and the policies for failures and unknown costs.
    ///     ``CyclesOptions/whenActualUnknown`` applies to a body that records no spend.
    ///   - body: The work; returns a value, or nothing.
    /// - Throws: As the form whose body returns the cost.
    @_disfavoredOverload
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> Value {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.get()
    }

    /// Warns that an integer without a unit is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "the cost is not charged: return an Amount, such as .tokens(count)")
    public func withCycles<Value, Number: BinaryInteger>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Number)
    ) async throws -> (Value, Number) {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.get()
    }

    /// Warns that an optional amount is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "an optional cost is not charged: unwrap the Amount")
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount?)
    ) async throws -> (Value, Amount?) {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.get()
    }

    // MARK: The value and the settlement

    /// Behaves as the form of `withCycles` whose body returns the cost, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount)
    ) async throws -> (Value, Result<Settlement, CyclesError>) {
        try await guarding(options) { context in
            let (value, actual) = try await body(context)
            return (value, .success(actual))
        }.outcome
    }

    /// Behaves as the form of `withCycles` with a closure for the cost, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> (Value, Result<Settlement, CyclesError>) {
        try await guarding(options) { context in
            let value = try await body(context)
            return (value, Result { try actual(value) })
        }.outcome
    }

    /// Behaves as the form of `withCycles` whose body records its spend, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    @_disfavoredOverload
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> Value
    ) async throws -> (Value, Result<Settlement, CyclesError>) {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.outcome
    }

    /// Warns that an integer without a unit is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "the cost is not charged: return an Amount, such as .tokens(count)")
    public func withCyclesOutcome<Value, Number: BinaryInteger>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Number)
    ) async throws -> ((Value, Number), Result<Settlement, CyclesError>) {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.outcome
    }

    /// Warns that an optional amount is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "an optional cost is not charged: unwrap the Amount")
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Amount?)
    ) async throws -> ((Value, Amount?), Result<Settlement, CyclesError>) {
        try await guarding(options) { context in
            (try await body(context), nil)
        }.outcome
    }

    // MARK: The work

    private func guarding<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) async throws -> (Value, Result<Amount, any Error>?)
    ) async throws -> GuardedWork.Ended<Value> {
        let work = GuardedWork(try await scope.reserve(options.request), options)
        let context = CyclesContext(work.held)
        let value: Value
        let actual: Result<Amount, any Error>?
        do {
            (value, actual) = try await CyclesContext.$current.withValue(context) {
                guard scope.heartbeat == .cancel else { return try await body(context) }
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
        return GuardedWork.Ended(value: value, ending: ending, result: await work.end(ending))
    }
}
