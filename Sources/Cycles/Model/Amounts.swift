/// How much of a unit, zero or more (specification: `Amount`).
public struct Amount: Hashable, Sendable, CustomStringConvertible {
    /// How much. The protocol allows 0 and up; a negative amount is refused before it is sent.
    public var amount: Int64
    /// Of what.
    public var unit: BudgetUnit

    /// An amount of a unit.
    public init(_ amount: Int64, _ unit: BudgetUnit) {
        self.amount = amount
        self.unit = unit
    }

    /// An amount of a unit.
    @_disfavoredOverload
    public init(_ amount: Int, _ unit: BudgetUnit) { self.init(Int64(amount), unit) }

    /// Millionths of a US cent: 1 USD is 100 000 000.
    public static func usdMicrocents(_ amount: Int64) -> Amount { Amount(amount, .usdMicrocents) }
    /// Millionths of a US cent: 1 USD is 100 000 000.
    @_disfavoredOverload
    public static func usdMicrocents(_ amount: Int) -> Amount { Amount(amount, .usdMicrocents) }
    /// Tokens of a language model.
    public static func tokens(_ amount: Int64) -> Amount { Amount(amount, .tokens) }
    /// Tokens of a language model.
    @_disfavoredOverload
    public static func tokens(_ amount: Int) -> Amount { Amount(amount, .tokens) }
    /// Credits, whose worth the deployment defines.
    public static func credits(_ amount: Int64) -> Amount { Amount(amount, .credits) }
    /// Credits, whose worth the deployment defines.
    @_disfavoredOverload
    public static func credits(_ amount: Int) -> Amount { Amount(amount, .credits) }
    /// Risk points, whose meaning the deployment defines.
    public static func riskPoints(_ amount: Int64) -> Amount { Amount(amount, .riskPoints) }
    /// Risk points, whose meaning the deployment defines.
    @_disfavoredOverload
    public static func riskPoints(_ amount: Int) -> Amount { Amount(amount, .riskPoints) }

    /// The number and the unit, such as `5000 TOKENS`.
    public var description: String { "\(amount) \(unit)" }
}

/// How much of a unit, possibly less than zero (specification: `SignedAmount`): what remains of an overdrawn budget.
public struct SignedAmount: Hashable, Sendable, CustomStringConvertible {
    /// How much; negative when the scope is overdrawn.
    public var amount: Int64
    /// Of what.
    public var unit: BudgetUnit

    /// An amount of a unit.
    public init(_ amount: Int64, _ unit: BudgetUnit) {
        self.amount = amount
        self.unit = unit
    }

    /// An amount of a unit.
    @_disfavoredOverload
    public init(_ amount: Int, _ unit: BudgetUnit) { self.init(Int64(amount), unit) }

    /// Millionths of a US cent: 1 USD is 100 000 000.
    public static func usdMicrocents(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .usdMicrocents) }
    /// Millionths of a US cent: 1 USD is 100 000 000.
    @_disfavoredOverload
    public static func usdMicrocents(_ amount: Int) -> SignedAmount { SignedAmount(amount, .usdMicrocents) }
    /// Tokens of a language model.
    public static func tokens(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .tokens) }
    /// Tokens of a language model.
    @_disfavoredOverload
    public static func tokens(_ amount: Int) -> SignedAmount { SignedAmount(amount, .tokens) }
    /// Credits, whose worth the deployment defines.
    public static func credits(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .credits) }
    /// Credits, whose worth the deployment defines.
    @_disfavoredOverload
    public static func credits(_ amount: Int) -> SignedAmount { SignedAmount(amount, .credits) }
    /// Risk points, whose meaning the deployment defines.
    public static func riskPoints(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .riskPoints) }
    /// Risk points, whose meaning the deployment defines.
    @_disfavoredOverload
    public static func riskPoints(_ amount: Int) -> SignedAmount { SignedAmount(amount, .riskPoints) }

    /// The number and the unit, such as `-120 TOKENS`.
    public var description: String { "\(amount) \(unit)" }
}
