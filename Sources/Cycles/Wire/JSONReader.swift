/// Why bytes could not be read as what was expected.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Reason: Hashable, Sendable {
        /// The bytes are not JSON (RFC 8259).
        case malformed(String)
        /// A value is there, but it is not what belongs there.
        case mismatch(expected: String)
        /// A whole number does not fit in 64 bits.
        case overflow
        /// A member that has to be there is not.
        case missing
    }

    package var reason: Reason
    /// Where in the bytes.
    package var offset: Int
    /// Where in the document, outermost member first.
    package var path: [String] = []

    package func inside(_ name: StaticString) -> JSONError {
        var copy = self
        copy.path.insert("\(name)", at: 0)
        return copy
    }

    package func inside(_ index: Int) -> JSONError {
        var copy = self
        copy.path.insert("[\(index)]", at: 0)
        return copy
    }

    /// Whether the document as such could be read.
    package var isMalformed: Bool { if case .malformed = reason { true } else { false } }

    /// What is wrong, and where.
    public var description: String {
        let place = path.reduce("") { $0.isEmpty || $1.hasPrefix("[") ? $0 + $1 : $0 + "." + $1 }
        switch reason {
        case .malformed(let message): return "the body is not valid JSON: \(message) at byte \(offset)"
        case .mismatch(let expected): return "\(place.isEmpty ? "the body" : place) is not \(expected)"
        case .overflow: return "\(place.isEmpty ? "the body" : place) does not fit in 64 bits"
        case .missing: return "\(place) is missing"
        }
    }
}

/// Reads JSON (RFC 8259) piece by piece from bytes that it does not own.
///
/// Strict: no comments, no trailing commas, no byte order mark; bytes that are not UTF-8 and escapes that are lone
/// surrogates are refused, since no text stands for them. Nesting is limited, so that no body can exhaust the stack.
package struct JSONReader {
    package static let maximumDepth = JSONValue.maximumDepth

    private let bytes: UnsafeRawBufferPointer
    /// The members of the objects that have been read, in memory that all copies of the reader share.
    package let members: UnsafeMutablePointer<JSONMembers>
    private let isTolerant: Bool
    private var position = 0
    private var depth = 0
    /// Whether the next element or member is the first of its container, and so has no comma before it.
    private var isFirst = false

    /// Reads a whole document: its bytes must be UTF-8, and nothing but white space may follow the value.
    /// - Parameter isTolerant: Whether lone surrogates and nesting of up to 1000 levels are accepted. Other clients of the
    ///   protocol write both; they are for values that are passed on as bytes.
    package static func document<Value>(
        _ body: [UInt8],
        isTolerant: Bool = false,
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        try body.withUnsafeBytes { bytes in
            JSONReader.value(in: bytes, isTolerant: isTolerant) { reader throws(JSONError) in
                try requireUTF8(bytes)
                let value = try read(&reader)
                try reader.finish()
                return value
            }
        }.get()
    }

    /// Reads a value in bytes that have been checked.
    package static func value<Value>(
        in bytes: UnsafeRawBufferPointer,
        isTolerant: Bool = false,
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) -> Result<Value, JSONError> {
        var members = JSONMembers()
        return withUnsafeMutablePointer(to: &members) { members in
            var reader = JSONReader(bytes: bytes, members: members, isTolerant: isTolerant)
            do throws(JSONError) {
                return .success(try read(&reader))
            } catch {
                return .failure(error)
            }
        }
    }

    private init(bytes: UnsafeRawBufferPointer, members: UnsafeMutablePointer<JSONMembers>, isTolerant: Bool) {
        self.bytes = bytes
        self.members = members
        self.isTolerant = isTolerant
    }

    // MARK: Structure

    /// Where the next value begins, once white space is skipped.
    @inline(__always)
    package mutating func valueStart() -> Int {
        skipWhiteSpace()
        return position
    }

    /// Where the last value ended.
    package var offset: Int { position }

    /// A reader of the same document before another value.
    package func moved(to position: Int) -> JSONReader {
        var copy = self
        copy.position = position
        return copy
    }

    /// The first byte of the next value; nil at the end.
    @inline(__always)
    package mutating func peek() -> UInt8? {
        skipWhiteSpace()
        return position < bytes.count ? bytes[position] : nil
    }

    package mutating func beginObject() throws(JSONError) { try begin(UInt8(ascii: "{"), expected: "an object") }

    package mutating func beginArray() throws(JSONError) { try begin(UInt8(ascii: "["), expected: "an array") }

    /// The name of the next member; nil at the end of the object, which is consumed. The value comes next.
    @inline(__always)
    package mutating func nextName() throws(JSONError) -> JSONName? {
        guard try advance(until: UInt8(ascii: "}"), what: "a member") else { return nil }
        guard peek() == UInt8(ascii: "\"") else { throw malformed("expected a member's name") }
        let name = try scanString()
        skipWhiteSpace()
        guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw malformed("expected a colon") }
        position += 1
        return name
    }

    /// Whether another element follows; at the end of the array it is consumed.
    @inline(__always)
    package mutating func nextElement() throws(JSONError) -> Bool {
        try advance(until: UInt8(ascii: "]"), what: "an element")
    }

    /// Nothing but white space may be left.
    package mutating func finish() throws(JSONError) {
        skipWhiteSpace()
        guard position == bytes.count else { throw malformed("unexpected text after the value") }
    }

    // MARK: Values

    package mutating func readString() throws(JSONError) -> String {
        guard peek() == UInt8(ascii: "\"") else { throw try mismatch("a string") }
        return try scanString().text
    }

    package mutating func readBool() throws(JSONError) -> Bool {
        switch peek() {
        case UInt8(ascii: "t"):
            try literal("true")
            return true
        case UInt8(ascii: "f"):
            try literal("false")
            return false
        default: throw try mismatch("true or false")
        }
    }

    /// Consumes `null` if that is next.
    package mutating func readNullIfPresent() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        try literal("null")
        return true
    }

    /// A whole number, exactly: `1e3` and `5.0` are whole, `1.5` is not, and nothing is rounded.
    package mutating func readInt64() throws(JSONError) -> Int64 {
        let start = valueStart()
        var cursor = start
        var isNegative = false
        if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "-") {
            isNegative = true
            cursor += 1
        }
        let firstDigit = cursor
        var magnitude: UInt64 = 0
        // Eighteen digits cannot overflow; longer numbers take the careful way.
        while cursor < bytes.count, cursor - firstDigit < 18, bytes[cursor] &- 0x30 < 10 {
            magnitude = magnitude &* 10 &+ UInt64(bytes[cursor] &- 0x30)
            cursor += 1
        }
        let isPlain = cursor > firstDigit && (bytes[firstDigit] != UInt8(ascii: "0") || cursor == firstDigit + 1)
        if isPlain, cursor == bytes.count || !JSONReader.continuesNumber(bytes[cursor]) {
            position = cursor
            return isNegative ? -Int64(magnitude) : Int64(magnitude)
        }
        guard let first = peek(), first == UInt8(ascii: "-") || first &- 0x30 < 10 else {
            throw try mismatch("a whole number")
        }
        return try readUnusualInt64(from: start)
    }

    package mutating func readNumber() throws(JSONError) -> JSONNumber {
        let start = valueStart()
        guard let end = JSONNumber.end(in: bytes, from: start) else { throw malformed("expected a number") }
        position = end
        return JSONNumber(
            validatedDigits: String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
        )
    }

    /// Any value. Recursion ends at the depth limit.
    package mutating func readValue() throws(JSONError) -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"):
            var members: [String: JSONValue] = [:]
            try beginObject()
            while let name = try nextName() {
                let text = name.text
                members[text] = try readValue()
            }
            return .object(members)
        case UInt8(ascii: "["):
            var elements: [JSONValue] = []
            try beginArray()
            while try nextElement() { elements.append(try readValue()) }
            return .array(elements)
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try readBool())
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default: return .number(try readNumber())
        }
    }

    /// Passes over any value, checking that it is valid, without recursion.
    package mutating func skipValue() throws(JSONError) {
        switch peek() {
        case UInt8(ascii: "{"), UInt8(ascii: "["): try skipContainer()
        default: try skipScalar()
        }
    }

    private mutating func skipContainer() throws(JSONError) {
        // One bit for each open container, set for an object; full words go to `outer`.
        var kinds: UInt128 = 0
        var outer: [UInt128] = []
        var open = 0
        repeat {
            if open > 0 {
                let hasNext = kinds & 1 == 1 ? try nextName() != nil : try nextElement()
                if !hasNext {
                    kinds >>= 1
                    open -= 1
                    if open.isMultiple(of: 128), let full = outer.popLast() { kinds = full }
                    continue
                }
            }
            let next = peek()
            guard next == UInt8(ascii: "{") || next == UInt8(ascii: "[") else {
                try skipScalar()
                continue
            }
            let isObject = next == UInt8(ascii: "{")
            if isObject { try beginObject() } else { try beginArray() }
            if open > 0, open.isMultiple(of: 128) { outer.append(kinds) }
            kinds = kinds << 1 | (isObject ? 1 : 0)
            open += 1
        } while open > 0
    }

    @inline(__always)
    private mutating func skipScalar() throws(JSONError) {
        switch peek() {
        case UInt8(ascii: "\""): _ = try scanString()
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        default:
            guard let end = plainNumberEnd ?? JSONNumber.end(in: bytes, from: position) else {
                throw malformed("expected a value")
            }
            position = end
        }
    }

    /// The end of a number that is nothing but digits, as most are.
    private var plainNumberEnd: Int? {
        var end = position
        while end < bytes.count, bytes[end] &- 0x30 < 10 { end += 1 }
        guard end > position, bytes[position] != UInt8(ascii: "0") else { return nil }
        return end == bytes.count || !JSONReader.continuesNumber(bytes[end]) ? end : nil
    }

    /// Reads a value; if it is valid JSON but not what was expected, passes over it and returns nil.
    package mutating func lenient<Value>(
        _ read: (inout JSONReader) throws(JSONError) -> Value?
    ) throws(JSONError) -> Value? {
        let start = self
        do throws(JSONError) {
            return try read(&self)
        } catch  where !error.isMalformed {
            self = start
            try skipValue()
            return nil
        }
    }

    // MARK: Details

    private mutating func begin(_ bracket: UInt8, expected: String) throws(JSONError) {
        guard peek() == bracket else { throw try mismatch(expected) }
        let limit = isTolerant ? 1_000 : JSONReader.maximumDepth
        guard depth < limit else { throw malformed("nested deeper than \(limit) levels") }
        position += 1
        depth += 1
        isFirst = true
    }

    @inline(__always)
    private mutating func advance(until bracket: UInt8, what: StaticString) throws(JSONError) -> Bool {
        guard let byte = peek() else { throw malformed("the text ends within a value") }
        if byte == bracket {
            position += 1
            depth -= 1
            isFirst = false
            return false
        }
        if isFirst {
            isFirst = false
            return true
        }
        guard byte == UInt8(ascii: ",") else { throw malformed("expected a comma or the end") }
        position += 1
        guard let next = peek(), next != bracket else { throw malformed("expected \(what) after the comma") }
        return true
    }

    @inline(__always)
    private mutating func skipWhiteSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        let length = text.utf8CodeUnitCount
        let word = UnsafeRawBufferPointer(start: text.utf8Start, count: length)
        guard position + length <= bytes.count, (0..<length).allSatisfy({ bytes[position + $0] == word[$0] })
        else { throw malformed("expected a value") }
        position += length
    }

    /// Passes over a string. Its bytes are checked, its escapes are not resolved yet.
    @inline(__always)
    private mutating func scanString() throws(JSONError) -> JSONName {
        position += 1
        let start = position
        var hasEscapes = false
        while position < bytes.count {
            let plain = JSONReader.plainRun(bytes, from: position)
            position += plain
            guard position < bytes.count else { break }
            switch bytes[position] {
            case UInt8(ascii: "\""):
                let content = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
                position += 1
                return JSONName(content: content, hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try scanEscape()
            default: throw malformed("a control character in a string")
            }
        }
        throw malformed("the text ends within a string")
    }

    private mutating func scanEscape() throws(JSONError) {
        guard position + 1 < bytes.count else { throw malformed("the text ends within a string") }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            guard let unit = JSONReader.hexadecimal(bytes, at: position + 2) else {
                throw malformed("an escape without four hexadecimal digits")
            }
            let isPair = JSONReader.lowSurrogate(bytes, at: position + 6) != nil && unit & 0xfc00 == 0xd800
            guard isPair || isTolerant || unit & 0xf800 != 0xd800 else {
                throw malformed("an escape that is a lone surrogate")
            }
            position += isPair ? 12 : 6
        default: throw malformed("an unknown escape")
        }
    }

    /// The low half of a surrogate pair, if it is escaped at `position`.
    fileprivate static func lowSurrogate(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 2 <= bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u"),
            let unit = hexadecimal(bytes, at: position + 2), unit & 0xfc00 == 0xdc00
        else { return nil }
        return unit
    }

    fileprivate static func hexadecimal(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 4 <= bytes.count else { return nil }
        var value: UInt16 = 0
        for byte in bytes[position..<(position + 4)] {
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 0x30
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - 0x61 + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - 0x41 + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    /// How many bytes from `start` stand for themselves within a string, eight at a time.
    @inline(__always)
    package static func plainRun(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        while position + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5c)
            // The lowest marked byte is exact; borrows can mark only bytes above it.
            let marks =
                ((quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
                    | (word &- ones &* 0x20) & ~word) & highs
            if marks != 0 { return position - start + marks.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte == 0x22 || byte == 0x5c || byte < 0x20 { break }
            position += 1
        }
        return position - start
    }

    private static func continuesNumber(_ byte: UInt8) -> Bool {
        byte &- 0x30 < 10 || byte == UInt8(ascii: ".") || byte | 0x20 == UInt8(ascii: "e")
    }

    /// A number with a fraction, an exponent or many digits, which may still be whole.
    private mutating func readUnusualInt64(from start: Int) throws(JSONError) -> Int64 {
        guard let end = JSONNumber.end(in: bytes, from: start) else { throw malformed("expected a number") }
        var digits: [UInt8] = []
        var scale = 0
        var sawPoint = false
        var cursor = start
        let isNegative = bytes[start] == UInt8(ascii: "-")
        if isNegative { cursor += 1 }
        while cursor < end, bytes[cursor] | 0x20 != UInt8(ascii: "e") {
            if bytes[cursor] == UInt8(ascii: ".") {
                sawPoint = true
            } else {
                if sawPoint { scale -= 1 }
                if !digits.isEmpty || bytes[cursor] != UInt8(ascii: "0") { digits.append(bytes[cursor] - 0x30) }
            }
            cursor += 1
        }
        while digits.last == 0 {
            digits.removeLast()
            scale += 1
        }
        position = end
        if digits.isEmpty { return 0 }
        if cursor < end {
            let text = String(decoding: UnsafeRawBufferPointer(rebasing: bytes[(cursor + 1)..<end]), as: UTF8.self)
            // Beyond these bounds an exponent is far beyond either limit below, and sums with it must not overflow.
            let bounds = -1_000_000_000_000...1_000_000_000_000
            let exponent = Int(text) ?? (text.hasPrefix("-") ? bounds.lowerBound : bounds.upperBound)
            scale += min(max(exponent, bounds.lowerBound), bounds.upperBound)
        }
        guard scale >= 0 else {
            throw JSONError(reason: .mismatch(expected: "a whole number"), offset: start)
        }
        guard digits.count + scale <= 19 else { throw JSONError(reason: .overflow, offset: start) }
        var magnitude: UInt64 = 0
        for digit in digits { magnitude = magnitude * 10 + UInt64(digit) }
        for _ in 0..<scale { magnitude *= 10 }
        guard magnitude <= (isNegative ? Int64.min.magnitude : UInt64(Int64.max)) else {
            throw JSONError(reason: .overflow, offset: start)
        }
        return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
    }

    /// The next value is not what was expected; unless it is no value at all.
    private mutating func mismatch(_ expected: String) throws(JSONError) -> JSONError {
        let start = position
        try skipValue()
        return JSONError(reason: .mismatch(expected: expected), offset: start)
    }

    private func malformed(_ message: String) -> JSONError {
        JSONError(reason: .malformed(position >= bytes.count ? "the text ends too early" : message), offset: position)
    }

    private static func requireUTF8(_ bytes: UnsafeRawBufferPointer) throws(JSONError) {
        var position = 0
        while position + 8 <= bytes.count,
            bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
        {
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            let length: Int
            // The ranges of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
            var second: ClosedRange<UInt8> = 0x80...0xbf
            switch byte {
            case 0x00...0x7f:
                position += 1
                continue
            case 0xc2...0xdf: length = 2
            case 0xe0...0xef:
                length = 3
                if byte == 0xe0 { second = 0xa0...0xbf }
                if byte == 0xed { second = 0x80...0x9f }
            case 0xf0...0xf4:
                length = 4
                if byte == 0xf0 { second = 0x90...0xbf }
                if byte == 0xf4 { second = 0x80...0x8f }
            default: throw JSONError(reason: .malformed("bytes that are not UTF-8"), offset: position)
            }
            guard position + length <= bytes.count, second.contains(bytes[position + 1]),
                bytes[(position + 2)..<(position + length)].allSatisfy({ $0 & 0xc0 == 0x80 })
            else { throw JSONError(reason: .malformed("bytes that are not UTF-8"), offset: position) }
            position += length
        }
    }
}

/// A string of the document as it stands there, or the name of a member.
package struct JSONName {
    fileprivate let content: UnsafeRawBufferPointer
    fileprivate let hasEscapes: Bool

    /// Whether the text is this one.
    @inline(__always)
    package static func == (left: JSONName, right: StaticString) -> Bool {
        if left.hasEscapes { return left.text == "\(right)" }
        let length = right.utf8CodeUnitCount
        guard left.content.count == length else { return false }
        var index = 0
        while index + 8 <= length {
            let word = left.content.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard word == UnsafeRawPointer(right.utf8Start).loadUnaligned(fromByteOffset: index, as: UInt64.self)
            else { return false }
            index += 8
        }
        while index < length {
            guard left.content[index] == right.utf8Start[index] else { return false }
            index += 1
        }
        return true
    }

    @inline(__always)
    package static func ~= (pattern: StaticString, name: JSONName) -> Bool { name == pattern }

    /// The text, its escapes resolved.
    package var text: String {
        if !hasEscapes { return String(decoding: content, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var position = 0
        while position < content.count {
            guard content[position] == UInt8(ascii: "\\") else {
                result.append(content[position])
                position += 1
                continue
            }
            position += 2
            switch content[position - 1] {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = UInt32(JSONReader.hexadecimal(content, at: position) ?? 0)
                position += 4
                if scalar & 0xfc00 == 0xd800, let low = JSONReader.lowSurrogate(content, at: position) {
                    scalar = 0x10000 + (scalar & 0x3ff) << 10 + UInt32(low) & 0x3ff
                    position += 6
                }
                // Only a tolerant reader passes a lone surrogate, for which no scalar stands.
                result += String(Character(Unicode.Scalar(scalar) ?? "\u{fffd}")).utf8
            default: result.append(content[position - 1])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
