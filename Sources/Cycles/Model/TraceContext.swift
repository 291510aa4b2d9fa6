/// A position in a distributed trace, as in W3C Trace Context (version 00).
///
/// Requests carry the current context as `traceparent`, and the server records them under its trace id (specification:
/// CORRELATION AND TRACING).
///
/// ```swift
/// try await TraceContext.$current.withValue(TraceContext(parsing: header)) {
///     try await client.decide(request)
/// }
/// ```
public struct TraceContext: Hashable, Sendable, CustomStringConvertible {
    /// The trace identifier: 32 lower-case hexadecimal digits, not all zero.
    public let traceID: String
    /// The identifier of the span that the request belongs to: 16 lower-case hexadecimal digits, not all zero.
    public let parentID: String
    /// The trace flags. Bit 0 is set if the trace is sampled.
    public let flags: UInt8

    /// The context of the current task.
    @TaskLocal public static var current: TraceContext?

    /// Parses a `traceparent` header of version 00; nil for any other text, including identifiers of zeros.
    public init?(parsing header: String) {
        let parts = header.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "00", TraceContext.isLowerHexadecimal(parts[3], length: 2),
            let flags = UInt8(parts[3], radix: 16)
        else { return nil }
        self.init(traceID: String(parts[1]), parentID: String(parts[2]), flags: flags)
    }

    /// Creates a context from its parts; nil unless both identifiers are valid.
    public init?(traceID: String, parentID: String, flags: UInt8 = 1) {
        guard TraceContext.isIdentifier(traceID, length: 32), TraceContext.isIdentifier(parentID, length: 16) else {
            return nil
        }
        self.traceID = traceID
        self.parentID = parentID
        self.flags = flags
    }

    /// The text of the `traceparent` header.
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
