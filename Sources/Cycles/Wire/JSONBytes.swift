/// The bytes of a JSON document, and the rules of its tokens. Positions count from the first byte.
struct JSONBytes {
    let start: UnsafeRawPointer
    let count: Int
    /// Whether lone surrogates and deep nesting are accepted.
    let isTolerant: Bool

    @inline(__always)
    subscript(position: Int) -> UInt8 { start.load(fromByteOffset: position, as: UInt8.self) }

    /// Returns the byte at a position; at the end zero, which no document contains.
    @inline(__always)
    func byte(at position: Int) -> UInt8 { position < count ? self[position] : 0 }

    @inline(__always)
    func afterWhiteSpace(_ position: Int) -> Int {
        // Fast path: other programs rarely write white space.
        position < count && self[position] <= 0x20 ? afterSomeWhiteSpace(position) : position
    }

    @inline(never)
    func afterSomeWhiteSpace(_ position: Int) -> Int {
        var position = position
        while position < count, [0x20, 0x0a, 0x0d, 0x09].contains(self[position]) { position += 1 }
        return position
    }

    /// Returns the end of a value that is neither a string nor a container.
    @inline(__always)
    func scalarEnd(_ position: Int) throws(JSONError) -> Int {
        switch byte(at: position) {
        case UInt8(ascii: "t"): try literalEnd("true", position)
        case UInt8(ascii: "f"): try literalEnd("false", position)
        case UInt8(ascii: "n"): try literalEnd("null", position)
        default: try number(at: position).end
        }
    }

    @inline(never)
    func literalEnd(_ text: StaticString, _ position: Int) throws(JSONError) -> Int {
        let end = position + text.utf8CodeUnitCount
        guard end <= count, (position..<end).allSatisfy({ self[$0] == text.utf8Start[$0 - position] }) else {
            throw malformed("expected a value", at: position)
        }
        return end
    }

    /// Returns the end of the number at a position. Also returns the value of a number of at most 18 digits that a
    /// comma or bracket follows, as most numbers are; nil for other numbers.
    @inline(__always)
    func number(at position: Int) throws(JSONError) -> (end: Int, value: Int64?) {
        var end = position
        var value: Int64 = 0
        while end < count, end < position &+ 18, self[end] &- 0x30 < 10 {
            value = value &* 10 &+ Int64(self[end] &- 0x30)
            end &+= 1
        }
        if end > position, self[position] != UInt8(ascii: "0") || end == position &+ 1,
            byte(at: end) == UInt8(ascii: ",") || byte(at: end) | 0x20 == UInt8(ascii: "}")
        {
            return (end, value)
        }
        return (try unusualNumberEnd(position), nil)
    }

    @inline(never)
    func unusualNumberEnd(_ position: Int) throws(JSONError) -> Int {
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        guard let end = JSONNumber.end(in: bytes, from: position) else {
            throw malformed("expected a value", at: position)
        }
        return end
    }

    /// Returns the string whose quotation mark is at a position, and its end. Checks the bytes without resolving
    /// escapes.
    @inline(__always)
    func string(at position: Int) throws(JSONError) -> (text: JSONText, end: Int) {
        let first = position &+ 1
        let plainEnd = plainEnd(first)
        let isPlain = byte(at: plainEnd) == UInt8(ascii: "\"")
        let end = isPlain ? plainEnd : try unusualStringEnd(plainEnd)
        return (JSONText(start: start + first, length: end &- first, hasEscapes: !isPlain), end &+ 1)
    }

    /// Returns the end of a string, from its first escape, control character or quotation mark on.
    @inline(never)
    func unusualStringEnd(_ position: Int) throws(JSONError) -> Int {
        var position = position
        while position < count {
            switch byte(at: position) {
            case UInt8(ascii: "\""): return position
            case UInt8(ascii: "\\"): position = try escapeEnd(position)
            default: throw malformed("a control character in a string", at: position)
            }
            position = plainEnd(position)
        }
        throw malformed("", at: position)
    }

    func escapeEnd(_ position: Int) throws(JSONError) -> Int {
        switch byte(at: position + 1) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return position + 2
        case UInt8(ascii: "u"):
            let bytes = UnsafeRawBufferPointer(start: start, count: count)
            guard let unit = JSONText.hexadecimal(bytes, at: position + 2) else {
                throw malformed("an escape without four hexadecimal digits", at: position)
            }
            let isPair = JSONText.lowSurrogate(bytes, at: position + 6) != nil && unit & 0xfc00 == 0xd800
            guard isPair || isTolerant || unit & 0xf800 != 0xd800 else {
                throw malformed("an escape that is a lone surrogate", at: position)
            }
            return position + (isPair ? 12 : 6)
        default: throw malformed("an unknown escape", at: position)
        }
    }

    /// Returns the position of the next escape, control character or quotation mark in a string, or the end.
    @inline(__always)
    func plainEnd(_ position: Int) -> Int {
        var position = position
        let ones = SIMD2<UInt64>(repeating: 0x0101_0101_0101_0101)
        while position &+ 16 <= count {
            let block = start.loadUnaligned(fromByteOffset: position, as: SIMD2<UInt64>.self)
            let quotes = (block ^ (ones &* 0x22)) &- ones
            let backslashes = (block ^ (ones &* 0x5c)) &- ones
            let controls = block &- ones &* 0x20
            // The lowest marked byte of a word is exact; borrows can mark only bytes above it.
            let marks = (quotes | backslashes | controls) & ~block & (ones &* 0x80)
            if marks.x != 0 { return position &+ UInt64(littleEndian: marks.x).trailingZeroBitCount / 8 }
            if marks.y != 0 { return position &+ 8 &+ UInt64(littleEndian: marks.y).trailingZeroBitCount / 8 }
            position &+= 16
        }
        while position < count, self[position] >= 0x20, self[position] != 0x22, self[position] != 0x5c { position += 1 }
        return position
    }

    /// Checks that a container at a position may be nested in `depth` others.
    @inline(__always)
    func requireRoom(_ depth: Int, at position: Int) throws(JSONError) {
        let limit = isTolerant ? 1_000 : JSONValue.maximumDepth
        guard depth < limit else {
            throw JSONError(reason: .malformed("nested deeper than \(limit) levels"), offset: position)
        }
    }

    @inline(never)
    func malformed(_ message: StaticString, at position: Int) -> JSONError {
        let message = position < count ? "\(message)" : "the text ends too early"
        return JSONError(reason: .malformed(message), offset: position)
    }

    /// Checks that the bytes are UTF-8.
    func requireUTF8() throws(JSONError) {
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        var union: UInt8 = 0
        // Without an early exit, the compiler checks many bytes at once. Most documents are ASCII.
        for position in 0..<count { union |= self[position] }
        if union < 0x80 || String(validating: bytes, as: UTF8.self) != nil { return }
        var decoder = UTF8()
        var rest = bytes.makeIterator()
        var offset = 0
        while case .scalarValue(let scalar) = decoder.decode(&rest) { offset += UTF8.width(scalar) }
        throw JSONError(reason: .malformed("bytes that are not UTF-8"), offset: offset)
    }
}
