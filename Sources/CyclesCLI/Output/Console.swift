import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes all output of the tool: results to standard output, messages to standard error.
///
/// Control characters and line breaks in a line are escaped, because most lines quote servers, files or the
/// environment. Output is unbuffered: readers see each line immediately, and the two streams keep their order.
enum Console {
    static func line(_ text: String = "") { lines([text]) }

    static func lines(_ lines: [String]) { write(Console.text(lines)) }

    /// Prints a text of the tool, including its line breaks.
    static func page(_ text: String) {
        lines(text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }

    /// Prints a JSON document on one line. Line breaks between values become spaces, and control characters are
    /// escaped. The value of the document does not change.
    static func json(_ document: [UInt8]) {
        // JSON allows raw control characters between values only.
        let isBreak = { (byte: UInt8) in byte == 0x0a || byte == 0x0d || byte == 0x09 }
        line(String(decoding: document.map { isBreak($0) ? 0x20 : $0 }, as: UTF8.self))
    }

    /// Prints a message of a protocol, unchanged. Returns false if it could not be written.
    static func message(_ bytes: [UInt8]) -> Bool {
        write(bytes)
        return failure == nil
    }

    static func error(_ text: String) { error([text]) }

    /// Prints messages. A failure to write them is ignored, since it cannot be reported.
    static func error(_ lines: [String]) { SystemCalls.writeAll(STDERR_FILENO, Console.text(lines)) }

    // MARK: Terminal

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Sends a control sequence to the terminal.
    static func control(_ sequence: StaticString) { write(Array("\(sequence)".utf8)) }

    /// Replaces the contents of the screen line by line, which avoids flicker.
    static func frame(_ lines: [String]) {
        let text = lines.map { $0.escapedForTerminal + "\u{1b}[K" }.joined(separator: "\n")
        write(Array("\u{1b}[H\(text)\u{1b}[J".utf8))
    }

    // MARK: Failure

    /// The failure of a write to standard output; nil while all writes have succeeded.
    static var failure: SystemFailure? {
        failureCode.withLock { $0 }.map { SystemFailure("write to", "standard output", code: $0) }
    }

    private static let failureCode = Lock<Int32?>(nil)

    private static func write(_ bytes: [UInt8]) {
        failureCode.withLock { code in
            // After a failed write, nothing more is written: a reader could not notice the gap.
            guard code == nil else { return }
            if !SystemCalls.writeAll(STDOUT_FILENO, bytes) { code = errno }
        }
    }

    private static func text(_ lines: [String]) -> [UInt8] {
        Array(lines.map { $0.escapedForTerminal + "\n" }.joined().utf8)
    }
}
