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

    /// The lines of a screen. Texts wider than the screen are wrapped.
    /// - Parameter note: The last lines, such as the reason why the figures are old; nil for a legend.
    static func screen(
        _ balances: [Balance],
        title: String,
        note: String?,
        size: (columns: Int, rows: Int),
        style: Style
    ) -> [String] {
        // A small screen has no empty lines.
        let isTight = size.rows < 9
        var lines = isTight ? [title] : [title, ""]
        let legend = "\(style.spent) spent  \(style.reserved) reserved  \(style.remaining) remaining   q ends"
        let words = note?.escapedForTerminal.split(separator: " ").map { "\($0) " }
        var footer = words.map { Array(wrapped($0, to: size.columns).prefix(3)) } ?? [legend]
        if isTight, note == nil, size.rows < 6 { footer = [] }
        if !isTight { footer.insert("", at: 0) }
        // Leaves a line for the number of balances that do not fit.
        let room = size.rows - lines.count - footer.count - 1
        let blocks = blocks(balances, columns: max(10, size.columns), style)
        var shown = 0
        var height = 0
        for block in blocks where shown == 0 || height + block.count <= room {
            lines += block
            (shown, height) = (shown + 1, height + block.count)
        }
        if shown < balances.count { lines.append("and \(balances.count - shown) more: the screen is full") }
        if balances.isEmpty { lines.append("There are no such balances.") }
        return (lines + footer).prefix(size.rows).map { $0.escapedForTerminal.prefix(terminalColumns: size.columns) }
    }

    /// The lines of each balance: its figures and a bar.
    private static func blocks(_ balances: [Balance], columns: Int, _ style: Style) -> [[String]] {
        let names = balances.map(\.scopePath.escapedForTerminal)
        let widest = names.map(\.terminalColumns).max() ?? 0
        let lines = zip(names, balances).map { name, balance in
            name + String(repeating: " ", count: widest - name.terminalColumns + 2) + figures(balance).joined()
        }
        let fit = lines.allSatisfy { $0.terminalColumns <= columns }
        // Short names are aligned in a column on narrow screens too; long ones are split into their levels.
        let isColumn = balances.allSatisfy { balance in
            widest + 2 + (figures(balance).first?.terminalColumns ?? 0) <= columns
        }
        return zip(zip(names, lines), balances).map { text, balance in
            let (name, line) = text
            let padding = String(repeating: " ", count: isColumn ? widest - name.terminalColumns + 2 : 2)
            let levels = isColumn ? [name[...]] : name.split(separator: "/")
            let path = levels.dropLast().map { "\($0)/" } + levels.suffix(1).map { $0 + padding }
            let figures = fit ? [line] : wrapped(path + figures(balance), to: columns)
            return figures + [bar(balance, width: columns, style)]
        }
    }

    /// The figures of a balance, each with its separator.
    private static func figures(_ balance: Balance) -> [String] {
        func number(_ amount: SignedAmount?) -> String {
            grouped(amount?.amount) + (amount?.dollars.map { " (\($0))" } ?? "")
        }
        func number(_ amount: Amount?) -> String { number(amount.map { SignedAmount($0.amount, $0.unit) }) }
        var figures = [
            "spent \(number(balance.spent))", "reserved \(number(balance.reserved))",
            "remaining \(number(balance.remaining)) \(balance.remaining.unit)",
        ]
        if let debt = balance.debt, debt.amount > 0 { figures.append("debt \(number(debt))") }
        if balance.isOverLimit { figures.append("OVER LIMIT") }
        return figures.dropLast().map { $0 + ", " } + figures.suffix(1)
    }

    /// Joins pieces of text to lines of at most `columns` columns, unless a piece is wider. Lines after the first are
    /// indented.
    private static func wrapped(_ pieces: [String], to columns: Int) -> [String] {
        func trimmed(_ text: String) -> String { String(text.reversed().drop { $0 == " " }.reversed()) }
        var lines: [String] = []
        var line = ""
        for piece in pieces {
            if !line.isEmpty, trimmed(line + piece).terminalColumns > columns {
                lines.append(trimmed(line))
                line = "  "
            }
            line += piece
        }
        return lines + [trimmed(line)]
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
        // Spare cells go to the parts that rounding reduced most. Surplus cells are taken from the longest part.
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
