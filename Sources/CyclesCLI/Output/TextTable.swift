import Cycles

/// Formats rows in aligned columns. Columns of numbers are right-aligned, others left-aligned.
struct TextTable {
    private let heading: [String]
    private var rows: [[String]] = []

    init(_ heading: [String]) { self.heading = heading }

    /// Adds a row. Widths are measured in columns of a terminal.
    mutating func add(_ row: [String]) { rows.append(row.map(\.escapedForTerminal)) }

    /// The lines without trailing spaces.
    var lines: [String] {
        let all = [heading] + rows
        let columns = heading.indices
        let widths = columns.map { column in all.map { $0[column].terminalColumns }.max() ?? 0 }
        let areNumbers = columns.map { column in rows.allSatisfy { TextTable.isNumber($0[column]) } }
        return all.map { row in
            let cells = columns.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].terminalColumns)
                return areNumbers[column] ? padding + row[column] : row[column] + padding
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// Whether a cell is a number, optionally followed by dollars.
    private static func isNumber(_ text: String) -> Bool {
        let parts = text.split(separator: " ", maxSplits: 1)
        return text == "-"
            || parts.first.flatMap { Int64($0) } != nil && parts.dropFirst().allSatisfy { $0.hasPrefix("(") }
    }
}

extension TextTable {
    /// Creates a table of balances, with a row for each scope and unit.
    init(_ balances: [Balance]) {
        // The column of debt appears only if a balance has debt.
        let hasDebt = balances.contains { ($0.debt?.amount ?? 0) > 0 || $0.isOverLimit }
        self.init(["SCOPE", "ALLOCATED", "SPENT", "RESERVED", "REMAINING"] + (hasDebt ? ["DEBT"] : []) + ["UNIT"])
        for balance in balances {
            let amounts =
                [balance.allocated, balance.spent, balance.reserved].map(TextTable.number)
                + [balance.remaining.numberWithDollars]
            let debt = hasDebt ? [TextTable.number(balance.debt) + (balance.isOverLimit ? " (over limit)" : "")] : []
            add([balance.scopePath] + amounts + debt + [balance.remaining.unit.rawValue])
        }
    }

    private static func number(_ amount: Amount?) -> String { amount?.numberWithDollars ?? "-" }
}
