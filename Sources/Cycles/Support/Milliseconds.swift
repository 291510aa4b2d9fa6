extension Duration {
    /// Whole milliseconds, rounded down; saturates at the ends of `Int64`.
    package var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        if overflow { return seconds < 0 ? .min : .max }
        // The attoseconds have the sign of the whole: rounding down takes one more below zero.
        let (fraction, rest) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        let (sum, carried) = product.addingReportingOverflow(rest < 0 ? fraction - 1 : fraction)
        return carried ? (product < 0 ? .min : .max) : sum
    }

    /// Milliseconds for people: `5 s`, `1.5 s`, `250 ms`.
    package var readable: String {
        let milliseconds = wholeMilliseconds
        if milliseconds % 1_000 == 0 { return "\(milliseconds / 1_000) s" }
        if milliseconds >= 1_000 && milliseconds % 100 == 0 {
            return "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
        }
        return "\(milliseconds) ms"
    }
}
