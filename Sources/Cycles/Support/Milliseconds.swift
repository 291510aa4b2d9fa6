extension Duration {
    private static var attosecondsInAMillisecond: Int128 { 1_000_000_000_000_000 }

    /// The whole milliseconds, rounded down; saturates at the limits of `Int64`.
    package var wholeMilliseconds: Int64 {
        let (milliseconds, rest) = attoseconds.quotientAndRemainder(dividingBy: Duration.attosecondsInAMillisecond)
        return Int64(clamping: rest < 0 ? milliseconds - 1 : milliseconds)
    }

    /// The whole milliseconds, rounded up; saturates at the limits of `Int64`.
    package var wholeMillisecondsRoundedUp: Int64 {
        let (milliseconds, rest) = attoseconds.quotientAndRemainder(dividingBy: Duration.attosecondsInAMillisecond)
        return Int64(clamping: rest > 0 ? milliseconds + 1 : milliseconds)
    }

    /// The duration as text for people: `5 s`, `1.5 s`, `250 ms`, `40 µs`, `800 ns`.
    package var readable: String {
        let nanoseconds = attoseconds / 1_000_000_000
        if 0 < nanoseconds, nanoseconds < 1_000_000 {
            return nanoseconds < 1_000 ? "\(nanoseconds) ns" : "\(nanoseconds / 1_000) µs"
        }
        let milliseconds = wholeMilliseconds
        if milliseconds % 1_000 == 0 { return "\(milliseconds / 1_000) s" }
        if milliseconds >= 1_000 && milliseconds % 100 == 0 {
            return "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
        }
        return "\(milliseconds) ms"
    }
}

extension Int64 {
    /// Returns the sum, limited to the range of `Int64`.
    package func saturatingAdding(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    /// Returns the difference, limited to the range of `Int64`.
    package func saturatingSubtracting(_ other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}
