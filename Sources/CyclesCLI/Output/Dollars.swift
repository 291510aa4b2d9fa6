import Cycles

extension Amount {
    /// The description, with dollars after microcents: `5000000 USD_MICROCENTS ($0.05)`.
    var withDollars: String { SignedAmount(amount, unit).withDollars }

    /// The number without its unit, with dollars after microcents: `5000000 ($0.05)`.
    var numberWithDollars: String { SignedAmount(amount, unit).numberWithDollars }
}

extension SignedAmount {
    /// The description, with dollars after microcents: `5000000 USD_MICROCENTS ($0.05)`.
    var withDollars: String { dollars.map { "\(self) (\($0))" } ?? description }

    /// The number without its unit, with dollars after microcents: `5000000 ($0.05)`.
    var numberWithDollars: String { dollars.map { "\(amount) (\($0))" } ?? String(amount) }

    /// Microcents as dollars, with two to eight decimals: `$0.05`, `-$1.50`, `$0.00000001`. Nil for other units.
    var dollars: String? {
        guard unit == .usdMicrocents else { return nil }
        let (whole, rest) = amount.magnitude.quotientAndRemainder(dividingBy: 100_000_000)
        // The leading 1 preserves zeros after the decimal point.
        var decimals = Array(String(100_000_000 + rest).dropFirst())
        while decimals.count > 2, decimals.last == "0" { decimals.removeLast() }
        return "\(amount < 0 ? "-" : "")$\(whole).\(String(decimals))"
    }
}
