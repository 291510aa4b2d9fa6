import Testing

@testable import Cycles

@Suite struct TerminalTextTests {
    @Test(arguments: [
        ("plain \\ text ~", "plain \\ text ~"), ("\u{1b}[31m\u{7}\0", "\\u001b[31m\\u0007\\u0000"),
        ("a\nb\r\nc\td\u{8}\u{c}", "a\\nb\\r\\nc\\td\\b\\f"), ("\u{7f}\u{80}\u{9b}2J", "\\u007f\\u0080\\u009b2J"),
        ("\u{85}\u{2028}\u{2029}", "\\u0085\\u2028\\u2029"),
        (
            "\u{202a}\u{202e}\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}",
            "\\u202a\\u202e\\u2066\\u2069\\u200e\\u200f\\u061c"
        ),
        ("a\u{200b}\u{feff}\u{ad}b", "a\\u200b\\ufeff\\u00adb"), ("\u{e0041}", "\\udb40\\udc41"),
        // A mark that joins a control character does not hide it.
        ("\u{1b}\u{301}", "\\u001b\u{301}"),
        ("Grüße, 日本, 👩‍💻, می‌خواهم, עברית", "Grüße, 日本, 👩‍💻, می‌خواهم, עברית"),
    ])
    func terminalsShowItAndDoNotObey(text: String, shown: String) {
        #expect(TerminalText(text).description.unicodeScalars.elementsEqual(shown.unicodeScalars))
        #expect(TerminalText(TerminalText(text)) == TerminalText(text))
    }

    @Test func everyControlAndDirectionIsEscaped() {
        let scalars = [0...0x1f, 0x7f...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069, 0x61c...0x61c]
            .flatMap { $0.compactMap { Unicode.Scalar(UInt32($0)) } }
        for scalar in scalars {
            #expect(TerminalText(String(scalar)).description.hasPrefix("\\"), "U+\(String(scalar.value, radix: 16))")
        }
    }

    @Test func aJSONDocumentStaysTheSame() throws {
        let value = JSONValue.object([
            "a\u{202e}": .string("\u{1b}\n\u{9b}\u{2028}\u{e0041}\\u202e\\\"é👩‍💻"), "b": [1, nil],
        ])
        let escaped = TerminalText(String(decoding: value.encoded, as: UTF8.self)).description
        #expect(escaped.unicodeScalars.allSatisfy { !(0x202a...0x202e).contains($0.value) && $0.value != 0x9b })
        #expect(try JSONValue(parsing: Array(escaped.utf8)) == value)
    }

    @Test func warningsAreOneLineOfText() {
        let lines = Lock([String]())
        let reporter = StandardErrorReporter { line in lines.withLock { $0.append(line) } }
        let hostile = "x\u{1b}]0;t\u{7}\ncycles: warning: \u{202e}"
        reporter.observe(.journalProblem(JournalProblem(path: "/tmp/\(hostile)", message: hostile)))
        reporter.observe(.leaseAtRisk(ReservationID(hostile), .tooShort))
        reporter.observe(.valueIgnored("rsv_1", what: hostile))
        for line in lines.withLock({ $0 }) {
            #expect(line.hasSuffix("\n"))
            #expect(line.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value < 0x7f }, "\(line)")
        }
        #expect(lines.withLock { $0.count } == 3)
    }
}
