/// Canonical JSON (RFC 8785): one sequence of bytes for all spellings of a document, so that it can be hashed and signed.
///
/// Members are ordered by the UTF-16 code units of their names, numbers are printed as ECMAScript prints them, and
/// strings have the fewest escapes. A document is refused if it has no canonical form that keeps its meaning: duplicate
/// names, bytes that are not UTF-8, lone surrogates, nesting deeper than ``JSONValue/maximumDepth``, and numbers for
/// which ``number(_:)`` has no text.
package enum CanonicalJSON {
    /// The canonical form of a document.
    /// - Parameter emptied: The names of members of the outermost object whose values are replaced by an empty string.
    package static func bytes(_ document: [UInt8], emptying emptied: [StaticString] = []) throws(JSONError) -> [UInt8] {
        try JSONReader.document(document) { reader throws(JSONError) in
            var result: [UInt8] = []
            result.reserveCapacity(document.count)
            if reader.peek() == UInt8(ascii: "{") {
                try appendObject(&reader, to: &result, emptying: emptied)
            } else {
                try appendValue(&reader, to: &result)
            }
            return result
        }
    }

    /// Appends the next value. Recursion ends at the reader's depth limit.
    private static func appendValue(_ reader: inout JSONReader, to result: inout [UInt8]) throws(JSONError) {
        switch reader.peek() {
        case UInt8(ascii: "{"): try appendObject(&reader, to: &result, emptying: [])
        case UInt8(ascii: "["): try appendArray(&reader, to: &result)
        case UInt8(ascii: "\""): appendString(try reader.readString(), to: &result)
        case UInt8(ascii: "t"), UInt8(ascii: "f"): result += (try reader.readBool() ? "true" : "false").utf8
        case UInt8(ascii: "n"):
            _ = try reader.readNullIfPresent()
            result += "null".utf8
        default:
            let position = reader.position
            let number = try reader.readNumber()
            guard let text = CanonicalJSON.number(number) else {
                throw JSONError(reason: .mismatch(expected: "a number that a double can hold"), offset: position)
            }
            result += text.utf8
        }
    }

    private static func appendArray(_ reader: inout JSONReader, to result: inout [UInt8]) throws(JSONError) {
        try reader.beginArray()
        result.append(UInt8(ascii: "["))
        var isFirst = true
        while try reader.nextElement() {
            if !isFirst { result.append(UInt8(ascii: ",")) }
            isFirst = false
            try appendValue(&reader, to: &result)
        }
        result.append(UInt8(ascii: "]"))
    }

    private struct Member {
        let name: String
        /// The sort key. Code units order differently from UTF-8 and from scalars above U+FFFF.
        let codeUnits: [UInt16]
        let value: [UInt8]
    }

    private static func appendObject(
        _ reader: inout JSONReader,
        to result: inout [UInt8],
        emptying emptied: [StaticString]
    ) throws(JSONError) {
        let start = reader.position
        var members: [Member] = []
        try reader.beginObject()
        while let text = try reader.nextName() {
            var value: [UInt8] = []
            do throws(JSONError) {
                try appendValue(&reader, to: &value)
            } catch {
                throw error.inside(text.text)
            }
            if emptied.contains(where: { text == $0 }) { value = Array(#""""#.utf8) }
            let name = text.text
            members.append(Member(name: name, codeUnits: Array(name.utf16), value: value))
        }
        members.sort { $0.codeUnits.lexicographicallyPrecedes($1.codeUnits) }
        for (member, next) in zip(members, members.dropFirst()) where member.codeUnits == next.codeUnits {
            throw JSONError(reason: .malformed("two members with one name"), offset: start)
        }
        result.append(UInt8(ascii: "{"))
        for (index, member) in members.enumerated() {
            if index > 0 { result.append(UInt8(ascii: ",")) }
            appendString(member.name, to: &result)
            result.append(UInt8(ascii: ":"))
            result += member.value
        }
        result.append(UInt8(ascii: "}"))
    }

    private static func appendString(_ text: String, to result: inout [UInt8]) {
        result += JSONWriter.bytes(capacity: text.utf8.count + 2) { $0.string(text) }
    }
}

extension CanonicalJSON {
    /// The text of a number as ECMAScript prints the nearest `Double` (ECMA-262, Number::toString).
    ///
    /// Nil for a number that this text would change: one too large for a `Double`, one that becomes zero, a whole number
    /// such as 9007199254740993 that lies between two doubles, and one with more than 17 significant digits that the
    /// shortest text does not repeat. Fractions with up to 17 digits, such as 333333333.33333329, are rounded, as RFC 8785
    /// does it.
    package static func number(_ number: JSONNumber) -> String? {
        let double = number.double
        guard double.isFinite, let exact = Decimal(number.digits) else { return nil }
        let shortest = Decimal(double.description) ?? exact
        let isKept = exact == shortest || isExact(number.digits, double)
        let isRoundedFraction = exact.exponent < exact.digits.count && exact.digits.count <= 17 && double != 0
        guard isKept || isRoundedFraction else { return nil }
        return (double < 0 ? "-" : "") + layOut(shortest)
    }

    /// Whether a `Double` is exactly the whole number that a text spells.
    private static func isExact(_ digits: String, _ double: Double) -> Bool {
        guard let whole = Int128(digits), let held = Int128(exactly: double) else { return false }
        return whole == held
    }

    /// The magnitude of a number: `0.digits` times ten to the exponent. No zeros at either end; zero has no digits.
    private struct Decimal: Equatable {
        var digits: [UInt8] = []
        var exponent = 0

        /// Nil for an exponent that is beyond every `Double`.
        init?(_ text: String) {
            let parts = text.utf8.split(whereSeparator: { $0 | 0x20 == UInt8(ascii: "e") })
            let mantissa = parts[0].drop { $0 == UInt8(ascii: "-") }
            let point = mantissa.firstIndex(of: UInt8(ascii: ".")) ?? mantissa.endIndex
            let all = mantissa.filter { $0 != UInt8(ascii: ".") }
            let zeros = all.prefix { $0 == UInt8(ascii: "0") }.count
            digits = Array(all.dropFirst(zeros))
            while digits.last == UInt8(ascii: "0") { digits.removeLast() }
            guard !digits.isEmpty else { return }
            var power = 0
            if parts.count == 2 {
                let written = parts[1].drop { $0 == UInt8(ascii: "+") }
                guard let value = Int(Substring(written)), value.magnitude < 1_000_000_000 else { return nil }
                power = value
            }
            exponent = mantissa.distance(from: mantissa.startIndex, to: point) - zeros + power
        }
    }

    private static func layOut(_ number: Decimal) -> String {
        let digits = String(decoding: number.digits, as: UTF8.self)
        let (count, point) = (number.digits.count, number.exponent)
        func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
        if count == 0 { return "0" }
        if point > 21 || point <= -6 {
            let rest = count > 1 ? "." + digits.dropFirst() : ""
            return "\(digits.prefix(1))\(rest)e\(point > 0 ? "+" : "-")\(abs(point - 1))"
        }
        if point <= 0 { return "0." + zeros(-point) + digits }
        if point >= count { return digits + zeros(point - count) }
        return "\(digits.prefix(point)).\(digits.dropFirst(point))"
    }
}
