import Cycles

/// Formats balances for `watch`: with bars on a terminal, or as lines of a log.
enum BalanceBoard {
    /// The characters of a bar.
    struct Style: Hashable, Sendable {
        var spent: Character
        var reserved: Character
        var remaining: Character

        static let blocks = Style(spent: "█", reserved: "▒", remaining: "░")
        static let ascii = Style(spent: "#", reserved: "=", remaining: ".")
    }

    /// The lines of a screen.
    /// - Parameter note: The last line, such as the reason why the figures are old; nil for a legend.
    static func screen(
        _ balances: [Balance],
        title: String,
        note: String?,
        size: (columns: Int, rows: Int),
        style: Style
    ) -> [String] {
        let widest = balances.map(\.scopePath.escapedForTerminal.terminalColumns).max() ?? 0
        // A small screen has no empty lines.
        let isTight = size.rows < 9
        var lines = isTight ? [title] : [title, ""]
        let legend = "\(style.spent) spent  \(style.reserved) reserved  \(style.remaining) remaining   Ctrl-C ends"
        var footer = [note ?? legend]
        if isTight, note == nil, size.rows < 6 { footer = [] }
        if !isTight { footer.insert("", at: 0) }
        // Leaves a line for the number of balances that do not fit.
        let room = max(1, (size.rows - lines.count - footer.count - 1) / 2)
        let shown = balances.count <= room ? balances : Array(balances.prefix(room))
        for balance in shown {
            let scope = balance.scopePath.escapedForTerminal
            let name = scope + String(repeating: " ", count: widest - scope.terminalColumns)
            lines.append("\(name)  \(figures(balance))")
            lines.append(bar(balance, width: max(10, size.columns), style))
        }
        if shown.count < balances.count { lines.append("and \(balances.count - shown.count) more: the screen is full") }
        if balances.isEmpty { lines.append("There are no such balances.") }
        return (lines + footer).prefix(size.rows).map { $0.escapedForTerminal.prefix(terminalColumns: size.columns) }
    }

    private static func figures(_ balance: Balance) -> String {
        var text = "spent \(grouped(balance.spent?.amount)), reserved \(grouped(balance.reserved?.amount)), "
        text += "remaining \(grouped(balance.remaining.amount)) \(balance.remaining.unit)"
        if let debt = balance.debt?.amount, debt > 0 { text += ", debt \(grouped(debt))" }
        return balance.isOverLimit ? text + ", OVER LIMIT" : text
    }

    /// A bar in which each amount above zero has at least one cell.
    static func bar(_ balance: Balance, width: Int, _ style: Style) -> String {
        let spent = max(0, balance.spent?.amount ?? 0)
        let reserved = max(0, balance.reserved?.amount ?? 0)
        let remaining = max(0, balance.remaining.amount)
        let total = Double(spent) + Double(reserved) + Double(remaining)
        guard total > 0 else { return String(repeating: style.remaining, count: width) }
        let exact = [spent, reserved, remaining].map { Double($0) / total * Double(width) }
        var parts = exact.map { $0 == 0 ? 0 : max(1, Int($0)) }
        // Cells that rounding left over go to the parts that lost most; surplus cells are taken from the longest part.
        while parts.reduce(0, +) < width {
            let losses = parts.indices.filter { exact[$0] > 0 }.map { (index: $0, loss: exact[$0] - Double(parts[$0])) }
            guard let most = losses.max(by: { $0.loss < $1.loss }) else { break }
            parts[most.index] += 1
        }
        while parts.reduce(0, +) > width, let most = parts.max(), let index = parts.firstIndex(of: most) {
            parts[index] -= 1
        }
        return zip(parts, [style.spent, style.reserved, style.remaining]).map { String(repeating: $1, count: $0) }
            .joined()
    }

    /// One line of a log.
    static func line(_ balance: Balance, at time: String) -> String {
        func number(_ amount: Amount?) -> String { amount.map { String($0.amount) } ?? "-" }
        var text = "\(time) \(balance.scopePath) \(balance.remaining.unit) allocated=\(number(balance.allocated))"
        text +=
            " spent=\(number(balance.spent)) reserved=\(number(balance.reserved)) remaining=\(balance.remaining.amount)"
        if let debt = balance.debt, debt.amount > 0 { text += " debt=\(debt.amount)" }
        return balance.isOverLimit ? text + " over_limit" : text
    }

    /// Digits in groups of three.
    static func grouped(_ number: Int64?) -> String {
        guard let number else { return "-" }
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(" ") }
            text.append(digit)
        }
        return text
    }
}
