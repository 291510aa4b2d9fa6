/// A rarely used member of an answer, kept as received and decoded at each access.
///
/// Decoding cannot fail: a malformed member decodes to the value of an absent one.
package struct Deferred<Value: Hashable & Sendable>: Sendable {
    // Shared with the answer that contains the member, not copied.
    private let body: [UInt8]
    private let position: Int?
    private let absent: Value
    private let decode: @Sendable (UnsafeRawBufferPointer) -> Value?

    /// Creates a member that is decoded on access.
    /// - Parameters:
    ///   - position: The position of the member's first byte in the body; nil if there is none.
    ///   - absent: The value of an absent or malformed member.
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
    /// The description of the decoded value.
    package var description: String { "\(value)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(reflecting: value) }
}
