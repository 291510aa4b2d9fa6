import Cycles

/// What a command says about what it used: lines of a name and a value.
///
/// `tokens 42`, `credits 3`, `usd_microcents 1500` and `risk_points 1` count, and are summed. `tokens_input 400`,
/// `tokens_output 20` and `model_version gpt-4o` become metrics. Empty lines and those that begin with `#` say nothing.
struct UsageReport: Hashable, Sendable {
    /// The sum, in the unit that is reserved; nil if no line counts in it.
    private(set) var spend: Amount?
    private(set) var metrics = CyclesMetrics()
    /// What could not be used: line and reason.
    private(set) var problems: [String] = []

    /// - Parameter unit: What is reserved. Other units cannot be settled with it.
    init(_ text: String, unit: BudgetUnit) {
        // A line that ends in CR LF is a line: the two are one character to Swift.
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
            guard let name = words.first?.lowercased(), !name.hasPrefix("#") else { continue }
            let value = words.count == 2 ? String(words[1].reversed().drop { $0 == " " || $0 == "\t" }.reversed()) : ""
            if let problem = read(name, value, unit) { problems.append("line \(index + 1), \"\(line)\": \(problem)") }
        }
    }

    /// What is wrong with a line; nil if nothing is.
    private mutating func read(_ name: String, _ value: String, _ unit: BudgetUnit) -> String? {
        if name == "model_version" {
            metrics.modelVersion = value
            return value.isEmpty ? "it has no value" : nil
        }
        let counted = Values.unit(name)
        guard counted != nil || name == "tokens_input" || name == "tokens_output" else {
            return "it begins with no unit and no metric"
        }
        guard let number = Int64(value), number >= 0 else { return "its value is no whole number of zero or more" }
        switch name {
        case "tokens_input": metrics.tokensInput = UsageReport.sum(metrics.tokensInput, number)
        case "tokens_output": metrics.tokensOutput = UsageReport.sum(metrics.tokensOutput, number)
        default:
            guard counted == unit else { return "\(unit) are reserved, and no other unit can be settled" }
            spend = Amount(UsageReport.sum(spend?.amount, number), unit)
        }
        return nil
    }

    /// At most what the protocol can say.
    private static func sum(_ known: Int64?, _ number: Int64) -> Int64 {
        let (sum, overflow) = (known ?? 0).addingReportingOverflow(number)
        return overflow ? .max : sum
    }
}
