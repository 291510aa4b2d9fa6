import Cycles

/// Rows of text in aligned columns: the first column to the left, the others to the right.
struct TextTable {
    private var rows: [[String]]

    init(_ heading: [String]) { rows = [heading] }

    mutating func add(_ row: [String]) { rows.append(row) }

    /// The lines, without spaces at their ends.
    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            let cells = row.enumerated().map { column, text in
                let padding = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 ? text + padding : padding + text
            }
            let line = cells.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}

extension TextTable {
    /// What stands in the ledger, a row for each scope and unit.
    init(_ balances: [Balance]) {
        self.init(["SCOPE", "ALLOCATED", "SPENT", "RESERVED", "REMAINING", "UNIT"])
        for balance in balances {
            let optional = [balance.allocated, balance.spent, balance.reserved].map { amount in
                amount.map { String($0.amount) } ?? "-"
            }
            add([balance.scope] + optional + [String(balance.remaining.amount), balance.remaining.unit.rawValue])
        }
    }
}
