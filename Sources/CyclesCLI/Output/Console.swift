#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// What people see of the tool: results on standard output, errors on standard error.
///
/// Unbuffered, so that a reader sees each line when it is due, and both streams in their order. When nobody reads any
/// more there is nobody to tell, either.
enum Console {
    static func line(_ text: String = "") { write(text + "\n") }

    static func lines(_ lines: [String]) { write(lines.map { $0 + "\n" }.joined()) }

    static func write(_ text: String) { SystemCalls.writeAll(STDOUT_FILENO, Array(text.utf8)) }

    /// Bytes as they are, and the end of the line. Whether they were written.
    @discardableResult
    static func line(_ bytes: [UInt8]) -> Bool { SystemCalls.writeAll(STDOUT_FILENO, bytes + [UInt8(ascii: "\n")]) }

    static func error(_ text: String) { SystemCalls.writeAll(STDERR_FILENO, Array((text + "\n").utf8)) }

    /// Whether standard output is a terminal.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }
}
