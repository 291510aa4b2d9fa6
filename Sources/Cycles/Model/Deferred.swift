/// A member that is rarely looked at: kept as the bytes it came in until somebody asks.
///
/// Decoding must not fail; a member that does not make sense decodes to whatever stands for its absence.
package struct Deferred<Value: Hashable & Sendable>: Sendable {
    private enum Storage: Sendable {
        case value(Value)
        case encoded([UInt8], range: Range<Int>, decode: @Sendable (UnsafeRawBufferPointer) -> Value)
    }

    private let storage: Storage

    package init(_ value: Value) { storage = .value(value) }

    /// `body` is shared with the answer that it came in, not copied.
    package init(
        in body: [UInt8],
        range: Range<Int>,
        decode: @escaping @Sendable (UnsafeRawBufferPointer) -> Value
    ) {
        storage = .encoded(body, range: range, decode: decode)
    }

    package var value: Value {
        switch storage {
        case .value(let value): value
        case .encoded(let body, let range, let decode):
            body.withUnsafeBytes { decode(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
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
