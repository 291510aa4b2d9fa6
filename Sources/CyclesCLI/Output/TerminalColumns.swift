import Cycles

extension String {
    var escapedForTerminal: String { TerminalText(self).description }

    /// The number of terminal columns: two for each ideograph and emoji, one for any other character.
    var terminalColumns: Int {
        if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.count }
        return reduce(0) { $0 + $1.terminalColumns }
    }

    /// The longest prefix that fits into a number of columns.
    func prefix(terminalColumns columns: Int) -> String {
        var room = columns
        return String(
            prefix { character in
                room -= character.terminalColumns
                return room >= 0
            }
        )
    }
}

extension Character {
    /// Blocks of East Asian scripts that are two columns wide (Unicode Standard Annex 11).
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2e80...0x303e, 0x3041...0xa4cf, 0xa960...0xa97c, 0xac00...0xd7a3, 0xf900...0xfaff,
        0xfe30...0xfe6f, 0xff01...0xff60, 0xffe0...0xffe6, 0x1_f200...0x1_f2ff, 0x2_0000...0x3_fffd,
    ]

    fileprivate var terminalColumns: Int {
        guard let first = unicodeScalars.first, !first.isASCII else { return 1 }
        let isEmoji = first.properties.isEmojiPresentation || unicodeScalars.contains("\u{fe0f}")
        return isEmoji || Character.wide.contains { $0.contains(first.value) } ? 2 : 1
    }
}
