extension BlockingCyclesClient {
    // MARK: The value

    /// Reserves budget, runs the body, and commits the cost that the body returns, as the `withCycles` of
    /// ``CyclesClient`` does.
    ///
    /// A body on a thread cannot be cancelled: under ``HeartbeatPolicy/cancel``, the call throws `leaseLost` after the
    /// body has returned.
    /// - Throws: Errors of the body; ``CyclesError``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount)
    ) throws -> Value {
        try guarding(options) { context in
            let (value, actual) = try body(context)
            return (value, .success(actual))
        }.get()
    }

    /// Reserves budget, runs the body, and commits the cost of its value. ``CyclesOptions/whenActualUnknown`` applies if
    /// `actual` throws.
    /// - Throws: Errors of the body; ``CyclesError``.
    public func withCycles<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) throws -> Value
    ) throws -> Value {
        try guarding(options) { context in
            let value = try body(context)
            return (value, Result { try actual(value) })
        }.get()
    }

    /// Reserves budget, runs the body, and commits the spend that the body records in its context. A recorded zero is a
    /// cost. ``CyclesOptions/whenActualUnknown`` applies to a body that records no spend.
    /// - Throws: Errors of the body; ``CyclesError``.
    @_disfavoredOverload
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> Value
    ) throws -> Value {
        try guarding(options) { context in
            (try body(context), nil)
        }.get()
    }

    /// Warns that an integer without a unit is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "the cost is not charged: return an Amount, such as .tokens(count)")
    public func withCycles<Value, Number: BinaryInteger>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Number)
    ) throws -> (Value, Number) {
        try guarding(options) { context in
            (try body(context), nil)
        }.get()
    }

    /// Warns that an optional amount is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "an optional cost is not charged: unwrap the Amount")
    public func withCycles<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount?)
    ) throws -> (Value, Amount?) {
        try guarding(options) { context in
            (try body(context), nil)
        }.get()
    }

    // MARK: The value and the settlement

    /// Behaves as the form of `withCycles` whose body returns the cost, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount)
    ) throws -> (Value, Result<Settlement, CyclesError>) {
        try guarding(options) { context in
            let (value, actual) = try body(context)
            return (value, .success(actual))
        }.outcome
    }

    /// Behaves as the form of `withCycles` with a closure for the cost, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        actual: (Value) throws -> Amount,
        _ body: (CyclesContext) throws -> Value
    ) throws -> (Value, Result<Settlement, CyclesError>) {
        try guarding(options) { context in
            let value = try body(context)
            return (value, Result { try actual(value) })
        }.outcome
    }

    /// Behaves as the form of `withCycles` whose body records its spend, and also returns the settlement.
    /// - Returns: The body's value, and the settlement or the error that prevented it.
    /// - Throws: Errors of the body; ``CyclesError`` if budget is not granted.
    @_disfavoredOverload
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> Value
    ) throws -> (Value, Result<Settlement, CyclesError>) {
        try guarding(options) { context in
            (try body(context), nil)
        }.outcome
    }

    /// Warns that an integer without a unit is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "the cost is not charged: return an Amount, such as .tokens(count)")
    public func withCyclesOutcome<Value, Number: BinaryInteger>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Number)
    ) throws -> ((Value, Number), Result<Settlement, CyclesError>) {
        try guarding(options) { context in
            (try body(context), nil)
        }.outcome
    }

    /// Warns that an optional amount is not charged. Otherwise behaves as the form whose body returns a value.
    @_disfavoredOverload
    @available(*, deprecated, message: "an optional cost is not charged: unwrap the Amount")
    public func withCyclesOutcome<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Amount?)
    ) throws -> ((Value, Amount?), Result<Settlement, CyclesError>) {
        try guarding(options) { context in
            (try body(context), nil)
        }.outcome
    }

    // MARK: The work

    private func guarding<Value>(
        _ options: CyclesOptions,
        _ body: (CyclesContext) throws -> (Value, Result<Amount, any Error>?)
    ) throws -> GuardedWork.Ended<Value> {
        let work = GuardedWork(try scope.reserveBlocking(options.request), options)
        let context = CyclesContext(work.held)
        let value: Value
        let actual: Result<Amount, any Error>?
        do {
            (value, actual) = try CyclesContext.$current.withValue(context) { try body(context) }
        } catch {
            _ = work.endBlocking(work.endingAfterFailure)
            throw error
        }
        let ending = work.ending(actual: actual)
        return GuardedWork.Ended(value: value, ending: ending, result: work.endBlocking(ending))
    }
}
