/// A number as JSON spells it: its digits are kept, so nothing is rounded on the way through.
public struct JSONNumber: Hashable, Sendable, CustomStringConvertible {
    /// The text, valid by the grammar of RFC 8259 section 6. Numbers compare by this text: `1` and `1.0` differ.
    public let digits: String

    /// A number from its JSON text; nil unless the text is exactly one JSON number.
    public init?(digits: String) {
        guard JSONNumber.isValid(digits) else { return nil }
        self.digits = digits
    }

    package init(validatedDigits: String) { digits = validatedDigits }

    /// A whole number.
    public init(_ value: Int64) { digits = String(value) }

    /// A fraction, in the shortest text that reads back as the same value; nil for infinities and NaN.
    public init?(_ value: Double) {
        guard value.isFinite else { return nil }
        digits = value.description
    }

    /// The value, if it is a whole number in the range of `Int64` written without fraction and exponent.
    public var int64: Int64? { Int64(digits) }

    /// The nearest `Double`, infinite when out of range.
    public var double: Double { Double(digits) ?? .nan }

    /// The text.
    public var description: String { digits }

    private static func isValid(_ text: String) -> Bool {
        var copy = text
        return copy.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            return JSONNumber.end(in: raw, from: 0) == raw.count
        }
    }

    /// Where the number that begins at `start` ends; nil if none begins there.
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

/// Any JSON value. Used for metadata, custom metrics, error details and evidence.
///
/// Metadata is written with literals: `["model": "gpt-4o", "retries": 2, "cached": false]`. Nesting is limited to
/// ``JSONValue/maximumDepth`` levels, in what is read and in what is sent. Of several members with one name, the last
/// counts.
public enum JSONValue: Hashable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number with its digits.
    case number(JSONNumber)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// Members by name.
    case object([String: JSONValue])

    /// How deep arrays and objects may be nested: 128 levels.
    public static let maximumDepth = 128

    /// The member of an object; nil for anything else.
    public subscript(name: String) -> JSONValue? {
        if case .object(let members) = self { return members[name] }
        return nil
    }

    /// The element of an array; nil for anything else and outside its bounds.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let elements) = self, elements.indices.contains(index) { return elements[index] }
        return nil
    }

    /// The text, if this is one.
    public var string: String? { if case .string(let text) = self { text } else { nil } }

    /// The whole number, if this is one in the range of `Int64`.
    public var int64: Int64? { if case .number(let number) = self { number.int64 } else { nil } }

    /// The number as a `Double`, if this is one.
    public var double: Double? { if case .number(let number) = self { number.double } else { nil } }

    /// The truth value, if this is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }

    /// The elements, if this is an array.
    public var array: [JSONValue]? { if case .array(let elements) = self { elements } else { nil } }

    /// The members, if this is an object.
    public var object: [String: JSONValue]? { if case .object(let members) = self { members } else { nil } }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .number(JSONNumber(value)) }
    /// A fraction; a literal too large for `Double` becomes `null`.
    public init(floatLiteral value: Double) { self = JSONNumber(value).map(JSONValue.number) ?? .null }
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Members by name; of several with one name the last counts.
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
