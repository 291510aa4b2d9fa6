@testable import Cycles

/// The JSON reader and writer, compared with ``ReferenceJSON``.
enum JSONTarget {
    static func run(_ input: [UInt8]) throws(Finding) {
        let reference = ReferenceJSON(input)
        try compare(input, reference)
        try skip(input, reference)
        try writeString(String(decoding: input, as: UTF8.self))
        let digits = String(decoding: input, as: UTF8.self)
        let isNumber = if case .number(let text)? = reference?.value { text.hasSameUTF8(as: digits) } else { false }
        try require((JSONNumber(digits: digits) != nil) == isNumber, "JSONNumber and the grammar disagree")
    }

    /// The reader accepts what the grammar allows, reads what is written, and the writer writes what was read.
    private static func compare(_ input: [UInt8], _ reference: ReferenceJSON?) throws(Finding) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: input)
        } catch {
            try require((0...input.count).contains(error.offset), "the offset of an error is outside of the document")
            let isStrict = reference.map { !$0.hasLoneSurrogate && $0.depth <= JSONValue.maximumDepth } ?? false
            try require(!isStrict, "a document is refused: \(error)")
            return
        }
        let read = try require(reference, "a document that breaks the grammar is accepted")
        try require(!read.hasLoneSurrogate, "a lone surrogate is accepted")
        try require(read.depth <= JSONValue.maximumDepth, "nesting beyond the limit is accepted")
        try require(isSame(value, read.value), "a value was read wrongly")
        let written = value.encoded
        let again = try require(ReferenceJSON(written), "written JSON breaks the grammar")
        try require(isSame(value, again.value), "a value was written wrongly")
        try require((try? JSONValue(parsing: written))?.encoded == written, "a written document is not stable")
        try compareMembers(input, value)
        try compareNumbers(read.value)
    }

    /// Skipping accepts the same documents as reading, and ends at the same place.
    private static func skip(_ input: [UInt8], _ reference: ReferenceJSON?) throws(Finding) {
        for isTolerant in [false, true] {
            let range = try? JSONReader.document(input, isTolerant: isTolerant) { reader throws(JSONError) in
                try reader.skipValue()
            }
            let limit = isTolerant ? 1_000 : JSONValue.maximumDepth
            let isAllowed = reference.map { $0.depth <= limit && (isTolerant || !$0.hasLoneSurrogate) } ?? false
            try require((range != nil) == isAllowed, "skipping and the grammar disagree (tolerant: \(isTolerant))")
            if let range, let reference { try require(range == reference.range, "a skipped value ends elsewhere") }
        }
    }

    /// A member that is looked up in an object is that of the whole document.
    private static func compareMembers(_ input: [UInt8], _ value: JSONValue) throws(Finding) {
        guard case .object = value else { return }
        let names: [StaticString] = ["amount", "a", "reservation_id"]
        let members = try? JSONReader.document(input) { reader throws(JSONError) in
            let object = try WireObject(from: &reader)
            return names.map { object.informational($0) as JSONValue? }
        }
        let found = try require(members, "an object is refused")
        for (name, member) in zip(names, found) { try require(member == value["\(name)"], "\(name) is another member") }
    }

    /// Whole numbers are read exactly or refused.
    private static func compareNumbers(_ value: ReferenceJSON.Value) throws(Finding) {
        switch value {
        case .number(let digits):
            let number = try? JSONReader.document(Array(digits.utf8)) { reader throws(JSONError) in
                try reader.readInt64()
            }
            try require(number == ReferenceJSON.wholeNumber(digits), "\(digits) was read as \(number as Any)")
        case .array(let elements): for element in elements { try compareNumbers(element) }
        case .object(let members): for member in members.values { try compareNumbers(member) }
        case .null, .bool, .string: break
        }
    }

    private static func writeString(_ text: String) throws(Finding) {
        let written = JSONWriter.bytes(capacity: 16) { $0.string(text) }
        guard case .string(let read)? = ReferenceJSON(written)?.value else { throw Finding("a written string is none") }
        try require(read.hasSameUTF8(as: text), "a string was written wrongly")
    }

    private static func isSame(_ value: JSONValue, _ reference: ReferenceJSON.Value) -> Bool {
        switch (value, reference) {
        case (.null, .null): true
        case (.bool(let value), .bool(let reference)): value == reference
        case (.number(let value), .number(let reference)): value.digits.hasSameUTF8(as: reference)
        case (.string(let value), .string(let reference)): value.hasSameUTF8(as: reference)
        case (.array(let values), .array(let references)):
            values.count == references.count && zip(values, references).allSatisfy { isSame($0, $1) }
        case (.object(let values), .object(let references)):
            values.count == references.count
                && values.allSatisfy { name, value in references[name].map { isSame(value, $0) } ?? false }
        default: false
        }
    }
}
