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

extension WireDecodable where Self: OpenEnumeration {
    package init(from reader: inout JSONReader) throws(JSONError) { self.init(rawValue: try reader.readString()) }
}

extension BudgetUnit: WireDecodable {}
extension Decision: WireDecodable {}
extension ReservationStatus: WireDecodable {}
extension EventStatus: WireDecodable {}
extension ReasonCode: WireDecodable {}
extension ErrorCode: WireDecodable {}
extension EvidenceArtifact: WireDecodable {}

extension WireDecodable where Self: CyclesIdentifier {
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

/// A span in milliseconds, zero or more.
package struct WireMilliseconds: WireDecodable {
    package let duration: Duration

    package init(from reader: inout JSONReader) throws(JSONError) {
        duration = .milliseconds(try reader.readNonNegative("zero or more milliseconds"))
    }
}

/// A whole number that is zero or more.
package struct WireCount: WireDecodable {
    package let value: Int64

    package init(from reader: inout JSONReader) throws(JSONError) {
        value = try reader.readNonNegative("a whole number of zero or more")
    }
}

/// How members are read. What has to be there and is not, or is something else, makes the answer invalid; so does a
/// member that decides what a caller may do, if it is there at all. `null` stands for absence.
extension JSONReader {
    /// A member that has to be there.
    @inline(__always)
    package mutating func required<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value {
        do throws(JSONError) {
            return try Value(from: &self)
        } catch {
            throw error.inside(name)
        }
    }

    /// A member that may be missing or null, but must not be anything else.
    @inline(__always)
    package mutating func optional<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        if try readNullIfPresent() { return nil }
        return try required(name)
    }

    /// A member for information only: anything unexpected counts as absent, so that it cannot turn what the server
    /// has done into a failure.
    package mutating func informational<Value: WireDecodable>() throws(JSONError) -> Value? {
        try lenient { reader throws(JSONError) in try Value(from: &reader) }
    }

    /// Passes over a member and returns where it stands, to be decoded when somebody asks; nil for `null`.
    package mutating func deferredRange() throws(JSONError) -> Range<Int>? {
        if try readNullIfPresent() { return nil }
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

extension Optional {
    /// The member, or the error that it is missing.
    @inline(__always)
    package func required(_ name: StaticString) throws(JSONError) -> Wrapped {
        guard let self else { throw JSONError(reason: .missing, offset: 0, path: ["\(name)"]) }
        return self
    }
}
