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
        try reader.beginObject()
        while let name = try reader.nextName() {
            let start = reader.valueStart()
            try reader.skipValue()
            reader.members.pointee.append(JSONMembers.Member(name: name, value: start..<reader.offset))
        }
        self.reader = reader
        self.document = document
        range = first..<reader.members.pointee.count
    }

    deinit { reader.members.pointee.removeAll(from: range.lowerBound) }

    package func required<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value {
        guard var reader = member(name) else { throw JSONError(reason: .missing, offset: 0, path: ["\(name)"]) }
        return try reader.required(name)
    }

    package func required<Value: WireDecodable & _OpenEnumeration>(
        _ name: StaticString,
        expecting expected: Value
    ) throws(JSONError) -> Value {
        guard var reader = member(name) else { return try required(name) }
        return try reader.required(name, expecting: expected)
    }

    package func optional<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        guard var reader = member(name) else { return nil }
        return try reader.optional(name)
    }

    package func informational<Value: WireDecodable>(_ name: StaticString) throws(JSONError) -> Value? {
        guard var reader = member(name) else { return nil }
        return try reader.informational()
    }

    /// As informational; a blank text counts as absent, too.
    package func informationalText(_ name: StaticString) throws(JSONError) -> String? {
        guard var reader = member(name) else { return nil }
        return try reader.informationalText()
    }

    package func balances() -> Deferred<[Balance]> {
        Deferred(balancesIn: document, at: place(of: "balances"))
    }

    package func evidence() -> Deferred<EvidenceReference?> {
        Deferred(evidenceIn: document, at: place(of: "cycles_evidence"))
    }

    /// A reader before the value of a member; nil if there is no such member.
    private func member(_ name: StaticString) -> JSONReader? {
        guard let place = place(of: name) else { return nil }
        return reader.moved(to: place.lowerBound)
    }

    private func place(of name: StaticString) -> Range<Int>? {
        reader.members.pointee.value(of: name, from: range.lowerBound, to: range.upperBound)
    }
}

extension Deferred {
    /// A value somewhere in an answer; `null`, like anything unexpected, counts as absent.
    private init(
        in document: [UInt8],
        at place: Range<Int>?,
        absent: Value,
        _ read: @escaping @Sendable (inout JSONReader) throws(JSONError) -> Value
    ) {
        guard let place, document[place.lowerBound] != UInt8(ascii: "n") else {
            self.init(absent)
            return
        }
        self.init(in: document, range: place) { (try? JSONReader.value(in: $0, read).get()) ?? absent }
    }
}

extension Deferred where Value == [Balance] {
    package init(balancesIn document: [UInt8], at place: Range<Int>?) {
        self.init(in: document, at: place, absent: []) { reader throws(JSONError) in try [Balance](from: &reader) }
    }
}

extension Deferred where Value == EvidenceReference? {
    package init(evidenceIn document: [UInt8], at place: Range<Int>?) {
        self.init(in: document, at: place, absent: nil) { reader throws(JSONError) in
            try EvidenceReference(from: &reader)
        }
    }
}
