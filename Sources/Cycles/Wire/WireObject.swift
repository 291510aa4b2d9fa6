/// A value that is an object in JSON.
package protocol WireObjectDecodable: WireDecodable {
    init(_ object: borrowing WireObject) throws(JSONError)
}

extension WireObjectDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) { try self.init(WireObject(from: &reader)) }
}

/// The body of an answer.
package protocol ResponseDecodable: Sendable {
    init(body: [UInt8]) throws(JSONError)
}

extension ResponseDecodable where Self: WireObjectDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            try Self(WireObject(from: &reader, of: body))
        }
    }
}

/// An object whose members are found in one pass and then read by name, each in one of these ways:
///
/// - ``required``: the member makes the answer invalid if it is missing or not what it should be.
/// - ``optional``: the member may be missing or null, and makes the answer invalid if it is anything unexpected. This is
///   for members that decide what a caller may do.
/// - ``informational``: anything unexpected counts as absent, so that it cannot turn an operation that the server has
///   performed into a failure.
/// - ``balances`` and ``evidence``: as informational, and decoded when they are used.
///
/// Other members are passed over. Of several members with one name, the last counts.
package struct WireObject: ~Copyable {
    /// Stands behind the object; copies read the members.
    private let reader: JSONReader
    /// The place of the members among those of the reader.
    private let range: Range<Int>
    /// The answer that the object is; empty for an object within another.
    private let document: [UInt8]

    init(from reader: inout JSONReader, of document: [UInt8] = []) throws(JSONError) {
        let first = reader.members.pointee.count
        guard reader.peek() == UInt8(ascii: "{") else { throw try reader.mismatch("an object") }
        try reader.skipValue(recordsMembers: true)
        self.reader = reader
        self.document = document
        range = first..<reader.members.pointee.count
    }

    deinit { reader.members.pointee.removeAll(from: range.lowerBound) }

    package func required<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value {
        guard var reader = member(name) else { throw JSONError(reason: .missing, offset: 0, path: ["\(name)"]) }
        return try reader.required(name)
    }

    /// As required; any value but the expected one makes the answer invalid, since it does not report success.
    package func required<Value: WireDecodable & _OpenEnumeration>(
        _ name: StaticString,
        expecting expected: Value
    ) throws(JSONError) -> Value {
        let value: Value = try required(name)
        guard value == expected else {
            let offset = place(of: name) ?? 0
            throw JSONError(reason: .mismatch(expected: expected.rawValue), offset: offset, path: ["\(name)"])
        }
        return value
    }

    package func optional<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        guard var reader = member(name) else { return nil }
        return try reader.optional(name)
    }

    package func informational<Value: WireDecodable>(_ name: StaticString) -> Value? {
        guard var reader = member(name) else { return nil }
        return try? Value(from: &reader)
    }

    /// As informational; a blank text counts as absent, too.
    package func informationalText(_ name: StaticString) -> String? {
        let text: String? = informational(name)
        return text.flatMap { $0.isBlank ? nil : $0 }
    }

    package func balances() -> Deferred<[Balance]> {
        Deferred(in: document, at: place(of: "balances"), absent: []) { bytes in
            try? JSONReader.value(in: bytes) { reader throws(JSONError) in try [Balance](from: &reader) }
        }
    }

    package func evidence() -> Deferred<EvidenceReference?> {
        Deferred(in: document, at: place(of: "cycles_evidence"), absent: nil) { bytes in
            try? JSONReader.value(in: bytes) { reader throws(JSONError) in try EvidenceReference(from: &reader) }
        }
    }

    /// A reader before the value of a member; nil if there is no such member.
    private func member(_ name: StaticString) -> JSONReader? {
        guard let place = place(of: name) else { return nil }
        return reader.moved(to: place)
    }

    private func place(of name: StaticString) -> Int? {
        reader.members.pointee.value(of: name, from: range.lowerBound, to: range.upperBound)
    }
}
