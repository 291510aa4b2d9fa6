import Cycles

/// The usage report of a command. Each line has a name and a value.
///
/// `tokens 42`, `credits 3`, `usd 0.05`, `usd_microcents 1500` and `risk_points 1` are amounts. Amounts are summed.
/// `tokens_input 400`, `tokens_output 20` and `model_version gpt-4o` become metrics. Empty lines and lines that begin
/// with `#` are ignored.
struct UsageReport: Hashable, Sendable {
    /// The sum in the reserved unit; nil if no line has an amount in this unit.
    private(set) var spend: Amount?
    private(set) var metrics = CyclesMetrics()
    /// The lines that could not be used, with reasons.
    private(set) var problems: [String] = []

    /// The maximum length of a line.
    private static let maxLineBytes = 4_096
    /// The maximum number of problems that are kept. Further problems are only counted.
    private static let maxProblems = 20

    private let unit: BudgetUnit
    private var lineNumber = 0
    /// The beginning of an incomplete line.
    private var rest: [UInt8] = []
    private(set) var moreProblems = 0

    /// - Parameter unit: The reserved unit. Other units cannot be settled.
    init(unit: BudgetUnit) { self.unit = unit }

    /// Parses the next piece of a report. Memory use does not grow with the length of the report.
    mutating func add(_ bytes: [UInt8]) {
        var bytes = bytes[...]
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            add(line: rest + bytes[..<end])
            rest = []
            bytes = bytes[(end + 1)...]
        }
        // One byte more than the maximum is kept, to detect a line that is too long.
        rest += bytes.prefix(max(0, UsageReport.maxLineBytes + 1 - rest.count))
    }

    /// Parses the last line if it has no line break.
    mutating func finish() {
        if !rest.isEmpty { add(line: rest) }
        rest = []
    }

    private mutating func add(line bytes: [UInt8]) {
        lineNumber += 1
        let bytes = lineNumber == 1 ? Values.withoutByteOrderMark(bytes) : bytes
        let line = String(decoding: bytes.prefix(80), as: UTF8.self).filter { !$0.isNewline }
        guard bytes.count <= UsageReport.maxLineBytes else {
            note("line \(lineNumber), \"\(line)…\": it is too long")
            return
        }
        let text = String(decoding: bytes, as: UTF8.self)
        let words = text.split(maxSplits: 1, whereSeparator: { $0 == " " || $0 == "\t" })
        let name = words.first.map { $0.filter { !$0.isNewline }.lowercased() } ?? ""
        guard !name.isEmpty, !name.hasPrefix("#") else { return }
        let value = words.count == 2 ? String(words[1].reversed().drop { $0.isWhitespace }.reversed()) : ""
        if let problem = read(name, value, unit) { note("line \(lineNumber), \"\(line)\": \(problem)") }
    }

    private mutating func note(_ problem: String) {
        if problems.count < UsageReport.maxProblems { problems.append(problem) } else { moreProblems += 1 }
    }

    /// Applies a line. Returns the problem with the line; nil if there is none.
    private mutating func read(_ name: String, _ value: String, _ unit: BudgetUnit) -> String? {
        if name == "model_version" {
            metrics.modelVersion = value
            return value.isEmpty ? "it has no value" : nil
        }
        if name == "usd" { return readDollars(value, unit) }
        let counted = Values.unit(name)
        guard counted != nil || name == "tokens_input" || name == "tokens_output" else {
            return "it does not begin with a unit or a metric"
        }
        guard let number = Values.wholeNumber(value), number >= 0 else {
            return "its value is not a whole number from 0 to \(Int64.max)"
        }
        switch name {
        case "tokens_input": metrics.tokensInput = UsageReport.sum(metrics.tokensInput, number)
        case "tokens_output": metrics.tokensOutput = UsageReport.sum(metrics.tokensOutput, number)
        default:
            guard counted == unit else { return UsageReport.otherUnit(unit) }
            spend = Amount(UsageReport.sum(spend?.amount, number), unit)
        }
        return nil
    }

    private mutating func readDollars(_ value: String, _ unit: BudgetUnit) -> String? {
        guard let amount = try? Amount(parsing: value + " USD") else { return "its value is not a number such as 0.05" }
        guard unit == amount.unit else { return UsageReport.otherUnit(unit) }
        spend = Amount(UsageReport.sum(spend?.amount, amount.amount), unit)
        return nil
    }

    private static func otherUnit(_ unit: BudgetUnit) -> String {
        "\(unit) are reserved, and no other unit can be settled"
    }

    /// The sum, at most `Int64.max`.
    private static func sum(_ known: Int64?, _ number: Int64) -> Int64 {
        let (sum, overflow) = (known ?? 0).addingReportingOverflow(number)
        return overflow ? .max : sum
    }
}
