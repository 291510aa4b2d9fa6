/// A number of units, zero or more (specification: `Amount`).
public struct Amount: Hashable, Sendable, CustomStringConvertible {
    /// The number of units. The protocol allows 0 and up; a negative amount is refused before it is sent.
    public var amount: Int64
    /// The unit.
    public var unit: BudgetUnit

    /// Creates an amount of a unit.
    public init(_ amount: Int64, _ unit: BudgetUnit) {
        self.amount = amount
        self.unit = unit
    }

    /// Creates an amount of a unit.
    @_disfavoredOverload
    public init(_ amount: Int, _ unit: BudgetUnit) { self.init(Int64(amount), unit) }

    /// Creates an amount in millionths of a US cent: 1 USD is 100 000 000.
    public static func usdMicrocents(_ amount: Int64) -> Amount { Amount(amount, .usdMicrocents) }
    /// Creates an amount in millionths of a US cent: 1 USD is 100 000 000.
    @_disfavoredOverload
    public static func usdMicrocents(_ amount: Int) -> Amount { Amount(amount, .usdMicrocents) }
    /// Creates an amount of a language model's tokens.
    public static func tokens(_ amount: Int64) -> Amount { Amount(amount, .tokens) }
    /// Creates an amount of a language model's tokens.
    @_disfavoredOverload
    public static func tokens(_ amount: Int) -> Amount { Amount(amount, .tokens) }
    /// Creates an amount of credits, whose worth the deployment defines.
    public static func credits(_ amount: Int64) -> Amount { Amount(amount, .credits) }
    /// Creates an amount of credits, whose worth the deployment defines.
    @_disfavoredOverload
    public static func credits(_ amount: Int) -> Amount { Amount(amount, .credits) }
    /// Creates an amount of risk points, whose meaning the deployment defines.
    public static func riskPoints(_ amount: Int64) -> Amount { Amount(amount, .riskPoints) }
    /// Creates an amount of risk points, whose meaning the deployment defines.
    @_disfavoredOverload
    public static func riskPoints(_ amount: Int) -> Amount { Amount(amount, .riskPoints) }

    /// The number and the unit, such as `5000 TOKENS`.
    public var description: String { "\(amount) \(unit)" }
}

/// A number of units, possibly less than zero (specification: `SignedAmount`), such as the remainder of an overdrawn
/// budget.
public struct SignedAmount: Hashable, Sendable, CustomStringConvertible {
    /// The number of units; negative when the scope is overdrawn.
    public var amount: Int64
    /// The unit.
    public var unit: BudgetUnit

    /// Creates an amount of a unit.
    public init(_ amount: Int64, _ unit: BudgetUnit) {
        self.amount = amount
        self.unit = unit
    }

    /// Creates an amount of a unit.
    @_disfavoredOverload
    public init(_ amount: Int, _ unit: BudgetUnit) { self.init(Int64(amount), unit) }

    /// Creates an amount in millionths of a US cent: 1 USD is 100 000 000.
    public static func usdMicrocents(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .usdMicrocents) }
    /// Creates an amount in millionths of a US cent: 1 USD is 100 000 000.
    @_disfavoredOverload
    public static func usdMicrocents(_ amount: Int) -> SignedAmount { SignedAmount(amount, .usdMicrocents) }
    /// Creates an amount of a language model's tokens.
    public static func tokens(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .tokens) }
    /// Creates an amount of a language model's tokens.
    @_disfavoredOverload
    public static func tokens(_ amount: Int) -> SignedAmount { SignedAmount(amount, .tokens) }
    /// Creates an amount of credits, whose worth the deployment defines.
    public static func credits(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .credits) }
    /// Creates an amount of credits, whose worth the deployment defines.
    @_disfavoredOverload
    public static func credits(_ amount: Int) -> SignedAmount { SignedAmount(amount, .credits) }
    /// Creates an amount of risk points, whose meaning the deployment defines.
    public static func riskPoints(_ amount: Int64) -> SignedAmount { SignedAmount(amount, .riskPoints) }
    /// Creates an amount of risk points, whose meaning the deployment defines.
    @_disfavoredOverload
    public static func riskPoints(_ amount: Int) -> SignedAmount { SignedAmount(amount, .riskPoints) }

    /// The number and the unit, such as `-120 TOKENS`.
    public var description: String { "\(amount) \(unit)" }
}
