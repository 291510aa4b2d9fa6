/// A JSON number that keeps its digits, so that no value is rounded.
public struct JSONNumber: Hashable, Sendable, CustomStringConvertible {
    /// The text, valid by the grammar of RFC 8259 section 6. Numbers compare by this text: `1` and `1.0` differ.
    public let digits: String

    /// Creates a number from its JSON text; nil unless the text is exactly one JSON number.
    public init?(digits: String) {
        guard JSONNumber.isValid(digits) else { return nil }
        self.digits = digits
    }

    package init(validatedDigits: String) { digits = validatedDigits }

    /// Creates a whole number.
    public init(_ value: Int64) { digits = String(value) }

    /// Creates a number from the shortest text that reads back as the same value; nil for infinities and NaN.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        digits = value.description
    }

    /// The value of a number within `Int64` that is written without fraction and exponent; nil for any other.
    public var int64: Int64? { Int64(digits) }

    /// The nearest `Double`; infinite when out of range.
    public var double: Double { Double(digits) ?? .nan }

    /// The text of the number.
    public var description: String { digits }

    private static func isValid(_ text: String) -> Bool {
        var copy = text
        return copy.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            return JSONNumber.end(in: raw, from: 0) == raw.count
        }
    }

    /// Returns the end of the number that begins at `start`; nil if none begins there.
    package static func end(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start
        func digits() -> Bool {
            let first = position
            while position < bytes.count, bytes[position] &- 0x30 < 10 { position += 1 }
            return position > first
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        guard position < bytes.count else { return nil }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else if !digits() {
            return nil
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            position += 1
            guard digits() else { return nil }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            guard digits() else { return nil }
        }
        return position
    }
}

/// A JSON value, as in metadata, custom metrics, error details and evidence.
///
/// Literals write metadata: `["model": "gpt-4o", "retries": 2, "cached": false]`. Nesting is limited to
/// ``JSONValue/maximumDepth`` levels, both in values that are read and in values that are sent. Of several members with
/// one name, the last one counts.
public enum JSONValue: Hashable, Sendable {
    /// JSON `null`.
    case null
    /// JSON `true` or `false`.
    case bool(Bool)
    /// A JSON number, with its digits.
    case number(JSONNumber)
    /// A JSON string.
    case string(String)
    /// A JSON array.
    case array([JSONValue])
    /// A JSON object: members by name.
    case object([String: JSONValue])

    /// The maximum nesting of arrays and objects: 128 levels.
    public static let maximumDepth = 128

    /// The member of an object; nil if it is absent or the value is not an object.
    public subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { return members[name] }
        return nil
    }

    /// The element of an array; nil outside its bounds or if the value is not an array.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let elements) = self, elements.indices.contains(index) { return elements[index] }
        return nil
    }

    /// The text of a string; nil for other values.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The value of a whole number in the range of `Int64`; nil for other values.
    public var int64: Int64? { if case .number(let number) = self { number.int64 } else { nil } }

    /// The value of a number as a `Double`; nil for other values.
    public var double: Double? { if case .number(let number) = self { number.double } else { nil } }

    /// The value of a Boolean; nil for other values.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The elements of an array; nil for other values.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

    /// The members of an object; nil for other values.
    public var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// Creates `null`.
    public init(nilLiteral: ()) { self = .null }
    /// Creates `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Creates a whole number.
    public init(integerLiteral value: Int64) { self = .number(JSONNumber(value)) }
    /// Creates a number. A literal too large for `Double` becomes `null`.
    public init(floatLiteral value: Double) { self = JSONNumber(value).map(JSONValue.number) ?? .null }
    /// Creates a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Creates an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Creates an object. Of several members with one name, the last one counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }
}

extension Redactor {
    package func redact(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(redact(text))
        case .array(let elements): .array(elements.map(redact))
        case .object(let members): .object(redact(members))
        case .null, .bool, .number: value
        }
    }

    package func redact(_ members: [String: JSONValue]) -> [String: JSONValue] {
        Dictionary(members.map { (redact($0.key), redact($0.value)) }, uniquingKeysWith: { $1 })
    }
}
