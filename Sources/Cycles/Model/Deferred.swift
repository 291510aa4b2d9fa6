/// A member that is rarely looked at: kept as the bytes it came in until somebody asks.
///
/// Decoding must not fail; a member that does not make sense decodes to whatever stands for its absence.
package struct Deferred<Value: Hashable & Sendable>: Sendable {
    // Shared with the answer that the member came in, not copied.
    private let body: [UInt8]
    private let position: Int?
    private let absent: Value
    private let decode: @Sendable (UnsafeRawBufferPointer) -> Value?

    /// - Parameters:
    ///   - position: The first byte of the member in the body; nil if there is none.
    ///   - absent: The value that stands for an absent member, and for one that does not make sense.
    package init(
        in body: [UInt8],
        at position: Int?,
        absent: Value,
        decode: @escaping @Sendable (UnsafeRawBufferPointer) -> Value?
    ) {
        (self.body, self.position, self.absent, self.decode) = (body, position, absent, decode)
    }

    package var value: Value {
        guard let position else { return absent }
        return body.withUnsafeBytes { decode(UnsafeRawBufferPointer(rebasing: $0[position...])) } ?? absent
    }
}

extension Deferred: Hashable {
    package static func == (left: Self, right: Self) -> Bool { left.value == right.value }
    package func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

extension Deferred: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What it stands for, rather than the bytes that it is kept as.
    package var description: String { "\(value)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(reflecting: value) }
}
