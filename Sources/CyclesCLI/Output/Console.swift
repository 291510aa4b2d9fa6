import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The only way from the tool to a terminal: results go to standard output, messages to standard error.
///
/// A text given here is one line. Control characters and line breaks in it are escaped, whoever wrote them: servers,
/// files and the environment say part of nearly every line. Output is unbuffered, so that a reader sees each line when
/// it is due, and both streams in their order.
enum Console {
    static func line(_ text: String = "") { lines([text]) }

    static func lines(_ lines: [String]) { write(Console.text(lines)) }

    /// A text that is the tool's own throughout, with its line breaks.
    static func page(_ text: String) {
        lines(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// A JSON document on a line of its own. Its bytes are printed as they are, except that line breaks between values
    /// become spaces, and that what a terminal would obey is escaped: the document stays the same.
    static func json(_ document: [UInt8]) {
        // JSON allows raw controls between values only.
        let isBreak = { (byte: UInt8) in byte == 0x0a || byte == 0x0d || byte == 0x09 }
        line(String(decoding: document.map { isBreak($0) ? 0x20 : $0 }, as: UTF8.self))
    }

    static func error(_ text: String) { error([text]) }

    /// What cannot be written to standard error is lost: nobody is left to tell.
    static func error(_ lines: [String]) { SystemCalls.writeAll(STDERR_FILENO, Console.text(lines)) }

    // MARK: Terminal

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// A sequence that the terminal is to obey.
    static func control(_ sequence: StaticString) { write(Array("\(sequence)".utf8)) }

    /// Replaces what is on the screen, line by line, so that it is never empty.
    static func frame(_ lines: [String]) {
        let text = lines.map { $0.escapedForTerminal + "\u{1b}[K" }.joined(separator: "\n")
        write(Array("\u{1b}[H\(text)\u{1b}[J".utf8))
    }

    // MARK: Failure

    /// Why standard output did not take all that was written; nil as long as it did.
    static var failure: SystemFailure? {
        failureCode.withLock { $0 }.map { SystemFailure("write to", "standard output", code: $0) }
    }

    private static let failureCode = Lock<Int32?>(nil)

    private static func write(_ bytes: [UInt8]) {
        failureCode.withLock { code in
            // After a gap nothing more is written: a reader must not take two halves for a whole.
            guard code == nil else { return }
            if !SystemCalls.writeAll(STDOUT_FILENO, bytes) { code = errno }
        }
    }

    private static func text(_ lines: [String]) -> [UInt8] {
        Array(lines.map { $0.escapedForTerminal + "\n" }.joined().utf8)
    }
}
