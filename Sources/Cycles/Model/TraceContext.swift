/// The place of the current work in a distributed trace, as W3C Trace Context has it (version 00).
///
/// When one is current, every request carries it as `traceparent`, and the server files what it does under its trace
/// id (specification: CORRELATION AND TRACING).
///
/// ```swift
/// try await TraceContext.$current.withValue(TraceContext(parsing: header)) {
///     try await client.decide(request)
/// }
/// ```
public struct TraceContext: Hashable, Sendable, CustomStringConvertible {
    /// The trace, 32 lower-case hexadecimal digits, not all zero.
    public let traceID: String
    /// The span that the request belongs to, 16 lower-case hexadecimal digits, not all zero.
    public let parentID: String
    /// The flags; bit 0 says that the trace is sampled.
    public let flags: UInt8

    /// The context of the current task.
    @TaskLocal public static var current: TraceContext?

    /// Reads a `traceparent` header of version 00; nil for anything else, identifiers of zeros included.
    public init?(parsing header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "00", TraceContext.isLowerHexadecimal(parts[3], length: 2),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        self.init(traceID: String(parts[1]), parentID: String(parts[2]), flags: flags)
    }

    /// A context from its parts; nil unless both identifiers are valid.
    public init?(traceID: String, parentID: String, flags: UInt8 = 1) {
        guard TraceContext.isIdentifier(traceID, length: 32), TraceContext.isIdentifier(parentID, length: 16) else {
            return nil
        }
        self.traceID = traceID
        self.parentID = parentID
        self.flags = flags
    }

    /// The `traceparent` header.
    public var description: String {
        let digits = String(flags, radix: 16)
        return "00-\(traceID)-\(parentID)-\(digits.utf8.count == 1 ? "0" : "")\(digits)"
    }

    package static func isIdentifier(_ text: String, length: Int) -> Bool {
        isLowerHexadecimal(text, length: length) && text.utf8.contains { $0 != UInt8(ascii: "0") }
    }

    package static func isLowerHexadecimal(_ text: some StringProtocol, length: Int) -> Bool {
        text.utf8.count == length && text.utf8.allSatisfy { $0 &- 0x30 < 10 || $0 &- 0x61 < 6 }
    }
}
