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

    /// Whole milliseconds, rounded up; saturates at the ends of `Int64`.
    package var wholeMillisecondsRoundedUp: Int64 {
        let floor = wholeMilliseconds
        return Duration.milliseconds(floor) < self ? floor.saturatingAdding(1) : floor
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

extension Int64 {
    /// The sum, or the end of the range that it lies beyond.
    package func saturatingAdding(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// The difference, or the end of the range that it lies beyond.
    package func saturatingSubtracting(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
