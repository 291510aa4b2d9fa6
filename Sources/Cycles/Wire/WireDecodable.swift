/// A value that can be read from JSON without context.
package protocol WireDecodable {
    init(from reader: inout JSONReader) throws(JSONError)
}

extension WireDecodable {
    /// Reads a value from a part of a document; nil if the part is absent or of another form.
    package init?(decoding part: JSONValue?) {
        let value = part.flatMap { part in
            try? JSONReader.document(part.encoded) { reader throws(JSONError) in try Self(from: &reader) }
        }
        guard let value else { return nil }
        self = value
    }
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
    package init(from reader: inout JSONReader) throws(JSONError) {
        let text = try reader.readText()
        self = Self._known.first { text == $0.rawValue } ?? Self(rawValue: text.text)
    }
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
        self = try reader.readArray { reader throws(JSONError) in try Element(from: &reader) }
    }
}

extension Dictionary: WireDecodable where Key == String, Value: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self = [:]
        try reader.beginObject()
        while let name = try reader.nextName() { self[name.text] = try Value(from: &reader) }
    }
}

/// A duration in whole milliseconds, zero or more.
extension Duration: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self = .milliseconds(try reader.readNonNegative("zero or more milliseconds"))
    }
}

/// A whole number, zero or more.
package struct WireCount: WireDecodable {
    package let value: Int64

    package init(from reader: inout JSONReader) throws(JSONError) {
        value = try reader.readNonNegative("a whole number of zero or more")
    }
}

/// The names of scopes. Each entry is a text, or an object with the name as `scope`.
package struct WireScopes: WireDecodable {
    package let names: [String]

    package init(from reader: inout JSONReader) throws(JSONError) {
        names = try reader.readArray { reader throws(JSONError) in
            guard reader.peek() == UInt8(ascii: "{") else { return try reader.readString() }
            return try WireObject(from: &reader).required("scope")
        }
    }
}

extension JSONReader {
    /// Reads a value that makes the document invalid if it is malformed. Errors name the value.
    @inline(__always)
    package mutating func required<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value {
        do throws(JSONError) {
            return try Value(from: &self)
        } catch {
            throw error.inside("\(name)")
        }
    }

    /// Reads a value like ``required(_:)``; null counts as absent.
    @inline(__always)
    package mutating func optional<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        if try readNullIfPresent() { return nil }
        return try required(name)
    }

    fileprivate mutating func readNonNegative(_ expected: String) throws(JSONError) -> Int64 {
        _ = peek()
        let start = position
        let value = try readInt64()
        guard value >= 0 else { throw JSONError(reason: .mismatch(expected: expected), offset: start) }
        return value
    }
}
