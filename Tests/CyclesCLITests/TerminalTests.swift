import Cycles
import Testing

@testable import CyclesCLI

@Suite struct TerminalTests {
    private let hostile = "tenant:a\u{1b}[2J\u{202e}\nb"

    private func balance(_ scope: String) -> Balance {
        Balance(scope: scope, scopePath: scope, remaining: .tokens(3), reserved: .tokens(2), spent: .tokens(1))
    }

    @Test(arguments: [
        ("", 0), ("abc", 3), ("é", 1), ("日本", 4), ("한글", 4), ("👩‍💻", 2), ("❤️", 2), ("ｆ", 2), ("█▒░", 3), ("e\u{301}", 1),
    ])
    func aTextTakesItsColumns(text: String, columns: Int) { #expect(text.terminalColumns == columns) }

    @Test func aTextIsCutAtAColumn() {
        #expect("a日本".prefix(terminalColumns: 4) == "a日" && "abc".prefix(terminalColumns: 2) == "ab")
        #expect("日".prefix(terminalColumns: 1).isEmpty && "a".prefix(terminalColumns: 5) == "a")
    }

    @Test func columnsAreAsWideAsWhatIsShown() {
        var table = TextTable(["NAME", "END"])
        for name in [hostile, "日本", "x"] { table.add([name, "|"]) }
        let shown = "tenant:a\\u001b[2J\\u202e\\nb"
        #expect(
            table.lines == [
                "NAME" + String(repeating: " ", count: shown.count - 2) + "END", "\(shown)  |",
                "日本" + String(repeating: " ", count: shown.count - 2) + "|",
                "x" + String(repeating: " ", count: shown.count + 1) + "|",
            ]
        )
    }

    @Test func aScreenHasItsLinesAndColumns() {
        let lines = BalanceBoard.screen(
            [balance(hostile), balance("日本"), balance("x")],
            title: hostile,
            note: hostile,
            size: (40, 20),
            style: .ascii
        )
        #expect(lines.allSatisfy { $0 == TerminalText($0).description && $0.terminalColumns <= 40 }, "\(lines)")
        let names = lines.compactMap { line in
            line.firstRange(of: "spent 1").map { String(line[..<$0.lowerBound]).terminalColumns }
        }
        #expect(names == [28, 28, 28], "\(lines)")
    }
}
