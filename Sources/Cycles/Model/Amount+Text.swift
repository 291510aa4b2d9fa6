extension Amount {
    /// The decimal places of a dollar in microcents.
    static let dollarPlaces = 8

    /// Creates an amount of US dollars in microcents: `.usd(0.05)` is 5 000 000.
    ///
    /// Takes the shortest decimal that denotes the number, and converts this decimal exactly: 0.07 is 7 000 000. Rounds
    /// a fraction of a microcent away from zero. NaN, infinities and amounts beyond `Int64` become `Int64.min`, which
    /// is refused like every negative amount.
    /// `Int64.min`, which is refused as every negative amount is.
    public static func usd(_ dollars: Double) -> Amount {
        guard dollars.isFinite, let value = DecimalNumeral(dollars)?.rounded(toPlaces: dollarPlaces) else {
            return .usdMicrocents(Int64.min)
        }
        return .usdMicrocents(dollars < 0 ? -value : value)
    }

    /// Parses a number and a unit: `0.05 USD`, `1000 TOKENS`, `420tokens`.
    ///
    /// The number consists of digits, optionally followed by a point and digits, without a sign, an exponent or
    /// separators. Spaces may follow. The unit is `USD` or one of ``BudgetUnit``'s known texts, in any letter case.
    /// Dollars become microcents, rounded up to the next whole microcent; no other unit may have decimals. The
    /// description of every non-negative amount of a known unit can be parsed.
    /// - Throws: ``CyclesError/validation(_:)`` for other texts, unknown units and numbers beyond `Int64`.
    public init(parsing text: String) throws(CyclesError) {
        func refuse(_ message: String) -> CyclesError {
            .validation(ValidationIssue(field: "amount", message: message))
        }
        let bytes = text.utf8
        let number = bytes.prefix { $0 &- 0x30 < 10 || $0 == UInt8(ascii: ".") }
        let name = bytes.dropFirst(number.count).drop { $0 == UInt8(ascii: " ") }
        let isDollars = Amount.isSame(name, "USD")
        let unit = isDollars ? .usdMicrocents : BudgetUnit._known.first { Amount.isSame(name, $0.rawValue) }
        guard let unit else {
            throw refuse("has no known unit; write a number and a unit, such as 0.05 USD or 1000 TOKENS")
        }
        guard let numeral = DecimalNumeral(number) else {
            throw refuse("has no number such as 1000 or 0.05; write it without a sign, an exponent or separators")
        }
        guard isDollars || numeral.fractionDigits == 0 else {
            throw refuse("has decimals, which only USD can have; write a whole number of \(unit)")
        }
        guard let value = numeral.rounded(toPlaces: isDollars ? Amount.dollarPlaces : 0) else {
            throw refuse("is more than \(Int64.max) \(unit), the most that the protocol carries")
        }
        self.init(value, unit)
    }

    /// Whether a text is equal to a name, ignoring the case of ASCII letters.
    private static func isSame(_ text: some Collection<UInt8>, _ name: String) -> Bool {
        text.elementsEqual(name.utf8) { $0 == $1 || $0 &- UInt8(ascii: "a") < 26 && $0 & 0xdf == $1 }
    }

    /// Returns the sum; nil if the units differ or the sum is beyond `Int64`.
    public func adding(_ other: Amount) -> Amount? {
        let (sum, overflow) = amount.addingReportingOverflow(other.amount)
        return unit == other.unit && !overflow ? Amount(sum, unit) : nil
    }
}
