/// What can be read from JSON by itself.
package protocol WireDecodable {
    init(from reader: inout JSONReader) throws(JSONError)
}

extension String: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) { self = try reader.readString() }
}

extension Int64: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) { self = try reader.readInt64() }
}

extension Bool: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) { self = try reader.readBool() }
}

extension JSONValue: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) { self = try reader.readValue() }
}

extension WireDecodable where Self: _OpenEnumeration {
    package init(from reader: inout JSONReader) throws(JSONError) { self.init(rawValue: try reader.readString()) }
}

extension BudgetUnit: WireDecodable {}
extension Decision: WireDecodable {}
extension ReservationStatus: WireDecodable {}
extension EventStatus: WireDecodable {}
extension ReasonCode: WireDecodable {}
extension ErrorCode: WireDecodable {}
extension EvidenceArtifact: WireDecodable {}

extension WireDecodable where Self: _CyclesIdentifier {
    package init(from reader: inout JSONReader) throws(JSONError) { self.init(try reader.readString()) }
}

extension ReservationID: WireDecodable {}
extension EventID: WireDecodable {}
extension EvidenceID: WireDecodable {}
extension IdempotencyKey: WireDecodable {}

extension Array: WireDecodable where Element: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self = []
        try reader.beginArray()
        while try reader.nextElement() {
            do throws(JSONError) {
                append(try Element(from: &reader))
            } catch {
                throw error.inside(count)
            }
        }
    }
}

extension Dictionary: WireDecodable where Key == String, Value: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self = [:]
        try reader.beginObject()
        while let name = try reader.nextName() { self[name.text] = try Value(from: &reader) }
    }
}

/// In whole milliseconds, zero or more.
extension Duration: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self = .milliseconds(try reader.readNonNegative("zero or more milliseconds"))
    }
}

/// A whole number that is zero or more.
package struct WireCount: WireDecodable {
    package let value: Int64

    package init(from reader: inout JSONReader) throws(JSONError) {
        value = try reader.readNonNegative("a whole number of zero or more")
    }
}

/// The names of scopes: each entry is a text, or an object that has the name as `scope`.
package struct WireScopes: WireDecodable {
    private struct Entry: WireDecodable {
        let name: String

        init(from reader: inout JSONReader) throws(JSONError) {
            let isObject = reader.peek() == UInt8(ascii: "{")
            name = isObject ? try WireObject(from: &reader).required("scope") : try reader.readString()
        }
    }

    package let names: [String]

    package init(from reader: inout JSONReader) throws(JSONError) {
        names = try [Entry](from: &reader).map(\.name)
    }
}

extension JSONReader {
    /// A value that makes the document invalid if it is not what it should be. Errors name it.
    @inline(__always)
    package mutating func required<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value {
        do throws(JSONError) {
            return try Value(from: &self)
        } catch {
            throw error.inside(name)
        }
    }

    /// As required; null stands for absence.
    @inline(__always)
    package mutating func optional<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        if try readNullIfPresent() { return nil }
        return try required(name)
    }

    /// A value of which anything unexpected counts as absent.
    package mutating func informational<Value: WireDecodable>() throws(JSONError) -> Value? {
        try lenient { reader throws(JSONError) in try Value(from: &reader) }
    }

    /// As informational; a blank text counts as absent, too.
    package mutating func informationalText() throws(JSONError) -> String? {
        let text: String? = try informational()
        return text.flatMap { $0.isBlank ? nil : $0 }
    }

    /// A value that has to be the expected one: any other does not report success.
    package mutating func required<Value: WireDecodable & _OpenEnumeration>(
        _ name: StaticString,
        expecting expected: Value
    ) throws(JSONError) -> Value {
        let start = valueStart()
        let value: Value = try required(name)
        guard value == expected else {
            throw JSONError(reason: .mismatch(expected: expected.rawValue), offset: start, path: ["\(name)"])
        }
        return value
    }

    /// Passes over a value, which may be decoded later.
    package mutating func skippedRange() throws(JSONError) -> Range<Int> {
        let start = valueStart()
        try skipValue()
        return start..<offset
    }

    package mutating func readNonNegative(_ expected: String) throws(JSONError) -> Int64 {
        let start = valueStart()
        let value = try readInt64()
        guard value >= 0 else { throw JSONError(reason: .mismatch(expected: expected), offset: start) }
        return value
    }
}
