/// A value that JSON represents as an object.
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

/// A JSON object. Finds its members in one pass, and then reads them by name, each in one of these ways:
///
/// - ``required``: a missing or malformed member makes the answer invalid.
/// - ``optional``: the member may be missing or null. A malformed member makes the answer invalid. For members that
///   decide what a caller may do.
/// - ``informational``: a malformed member counts as absent, so that it cannot turn an operation that the server has
///   performed into a failure.
/// - ``balances`` and ``evidence``: like ``informational``, and decoded on access.
///
/// Other members are skipped. Of several members with one name, the last one counts.
package struct WireObject: ~Copyable {
    /// Positioned after the object. Copies read the members.
    private let reader: JSONReader
    /// The range of the object's members among those of the reader.
    private let range: Range<Int>
    /// The body of the answer, if the object is the whole body; empty for a nested object.
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

    /// Reads a member like ``required(_:)``. Any value but the expected one makes the answer invalid, since it does not
    /// report success.
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

    /// Reads a member like ``informational(_:)``. A blank text also counts as absent.
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

    /// Returns a reader positioned before the value of a member; nil if there is no such member.
    private func member(_ name: StaticString) -> JSONReader? {
        guard let place = place(of: name) else { return nil }
        return reader.moved(to: place)
    }

    private func place(of name: StaticString) -> Int? {
        reader.members.pointee.value(of: name, from: range.lowerBound, to: range.upperBound)
    }
}
