import Testing

@testable import CyclesCLI

@Suite struct LineSplitterTests {
    /// The lines of a text that arrives in pieces.
    private func lines(_ text: String, limit: Int = 8, pieces: Int) -> [LineSplitter.Line] {
        var splitter = LineSplitter(limit: limit)
        var lines: [LineSplitter.Line] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { lines += splitter.add($0) }
            rest = rest.dropFirst(pieces)
        }
        return lines + splitter.finish()
    }

    private func line(_ text: String) -> LineSplitter.Line { .line(Array(text.utf8)) }

    @Test(arguments: [1, 2, 3, 100]) func linesAreFoundInPiecesOfAnySize(pieces: Int) {
        #expect(lines("ab\n\ncde\r\n12345678\nlast", pieces: pieces) == ["ab", "cde\r", "12345678", "last"].map(line))
    }

    @Test(arguments: [1, 2, 3, 100]) func aLineThatIsTooLongIsSkippedToItsEnd(pieces: Int) {
        #expect(lines("a\n123456789\nb\n", pieces: pieces) == [line("a"), .oversized, line("b")])
        #expect(lines("123456789012345678901234567890", pieces: pieces) == [.oversized])
    }

    @Test func theEndOfTheInputEndsTheLastLine() {
        #expect(lines("a\n", pieces: 1) == [line("a")])
        #expect(lines("", pieces: 1).isEmpty)
    }
}
