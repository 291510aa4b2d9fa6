/// Reads JSON (RFC 8259) value by value, from bytes that outlive the reader.
///
/// Strict: refuses comments, trailing commas, a byte order mark, bytes that are not UTF-8, and escapes that are lone
/// surrogates, which no text can represent. Limits nesting, so that no body can exhaust the stack.
package struct JSONReader {
    private let bytes: JSONBytes
    /// The members of the objects that have been read, in memory that all copies of the reader share.
    package let members: UnsafeMutablePointer<JSONMembers>
    /// The position in the document.
    package private(set) var position = 0
    private var depth = 0

    /// Reads a whole document. The bytes must be UTF-8, and only white space may follow the value.
    /// - Parameter isTolerant: Whether lone surrogates and nesting of up to 1000 levels are accepted. Other clients of
    ///   the protocol write both. For values that are passed on as bytes.
    package static func document<Value>(
        _ body: [UInt8],
        isTolerant: Bool = false,
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        try body.withUnsafeBufferPointer { bytes throws(JSONError) in
            try value(in: UnsafeRawBufferPointer(bytes), isTolerant: isTolerant) { reader throws(JSONError) in
                try reader.bytes.requireUTF8()
                let value = try read(&reader)
                guard reader.peek() == nil else {
                    throw reader.bytes.malformed("unexpected text after the value", at: reader.position)
                }
                return value
            }
        }
    }

    /// Reads a value from bytes that have been checked.
    package static func value<Value>(
        in bytes: UnsafeRawBufferPointer,
        isTolerant: Bool = false,
        _ read: (inout JSONReader) throws(JSONError) -> Value
    ) throws(JSONError) -> Value {
        var members = JSONMembers()
        return try withUnsafeMutablePointer(to: &members) { members throws(JSONError) in
            var reader = JSONReader(bytes: bytes, members: members, isTolerant: isTolerant)
            return try read(&reader)
        }
    }

    private init(bytes: UnsafeRawBufferPointer, members: UnsafeMutablePointer<JSONMembers>, isTolerant: Bool) {
        // Empty bytes may have no address; the address is never read.
        let start = bytes.baseAddress ?? UnsafeRawPointer(members)
        self.bytes = JSONBytes(start: start, count: bytes.count, isTolerant: isTolerant)
        self.members = members
    }

    /// Returns a reader of the same document, positioned before another value.
    package func moved(to position: Int) -> JSONReader {
        var copy = self
        copy.position = position
        return copy
    }

    /// Moves to the next byte that is not white space, and returns it; nil at the end.
    package mutating func peek() -> UInt8? {
        position = bytes.afterWhiteSpace(position)
        return position < bytes.count ? bytes[position] : nil
    }

    // MARK: Containers

    package mutating func beginObject() throws(JSONError) { try begin(UInt8(ascii: "{"), expected: "an object") }

    package mutating func beginArray() throws(JSONError) { try begin(UInt8(ascii: "["), expected: "an array") }

    /// Reads the name of the next member; its value comes next. At the end of the object, consumes the bracket and
    /// returns nil.
    package mutating func nextName() throws(JSONError) -> JSONText? {
        guard try advance(until: UInt8(ascii: "}")) else { return nil }
        guard peek() == UInt8(ascii: "\"") else { throw bytes.malformed("expected a member's name", at: position) }
        let (name, end) = try bytes.string(at: position)
        position = end
        guard peek() == UInt8(ascii: ":") else { throw bytes.malformed("expected a colon", at: position) }
        position += 1
        return name
    }

    /// Whether another element follows. At the end of the array, consumes the bracket.
    package mutating func nextElement() throws(JSONError) -> Bool { try advance(until: UInt8(ascii: "]")) }

    private mutating func begin(_ bracket: UInt8, expected: String) throws(JSONError) {
        guard peek() == bracket else { throw try mismatch(expected) }
        try bytes.requireRoom(depth, at: position)
        position += 1
        depth += 1
    }

    /// Moves to the next element or member, or past the end of the container.
    private mutating func advance(until bracket: UInt8) throws(JSONError) -> Bool {
        // No value ends with an opening bracket: the first element follows it without a comma.
        let isFirst = bytes[position - 1] == bracket - 2
        let next = peek()
        if next == bracket {
            position += 1
            depth -= 1
            return false
        }
        if isFirst { return true }
        guard next == UInt8(ascii: ",") else { throw bytes.malformed("expected a comma or the end", at: position) }
        position += 1
        return true
    }

    // MARK: Values

    package mutating func readText() throws(JSONError) -> JSONText {
        guard peek() == UInt8(ascii: "\"") else { throw try mismatch("a string") }
        let (text, end) = try bytes.string(at: position)
        position = end
        return text
    }

    package mutating func readString() throws(JSONError) -> String { try readText().text }

    package mutating func readBool() throws(JSONError) -> Bool {
        let next = peek()
        guard next == UInt8(ascii: "t") || next == UInt8(ascii: "f") else { throw try mismatch("true or false") }
        position = try bytes.scalarEnd(position)
        return next == UInt8(ascii: "t")
    }

    /// Whether the next value is `null`, which is then consumed.
    package mutating func readNullIfPresent() throws(JSONError) -> Bool {
        guard peek() == UInt8(ascii: "n") else { return false }
        position = try bytes.scalarEnd(position)
        return true
    }

    /// Reads a whole number exactly: `1e3` and `5.0` are whole, `1.5` is not. Never rounds.
    package mutating func readInt64() throws(JSONError) -> Int64 {
        guard let first = peek(), first == UInt8(ascii: "-") || first &- 0x30 < 10 else {
            throw try mismatch("a whole number")
        }
        let start = position
        let number = try bytes.number(at: start)
        position = number.end
        if let value = number.value { return value }
        return try unusualInt64(start..<position)
    }

    /// Reads a number with a sign, a fraction, an exponent or many digits, which may still be whole.
    private func unusualInt64(_ place: Range<Int>) throws(JSONError) -> Int64 {
        let isNegative = bytes[place.lowerBound] == UInt8(ascii: "-")
        var cursor = place.lowerBound + (isNegative ? 1 : 0)
        // The value is the magnitude times ten to the scale. A zero counts only once another digit follows.
        var magnitude: UInt64 = 0
        var scale = 0
        var zeros = 0
        var overflows = false
        var sawPoint = false
        func append(_ digit: UInt8) {
            let (product, first) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, second) = product.addingReportingOverflow(UInt64(digit))
            magnitude = sum
            overflows = overflows || first || second
        }
        while cursor < place.upperBound, bytes[cursor] | 0x20 != UInt8(ascii: "e") {
            let digit = bytes[cursor] &- 0x30
            cursor += 1
            if digit > 9 {
                sawPoint = true
                continue
            }
            if sawPoint { scale -= 1 }
            if digit == 0 {
                zeros += 1
                continue
            }
            for _ in 0..<zeros { append(0) }
            zeros = 0
            append(digit)
        }
        if magnitude == 0, !overflows { return 0 }
        scale += zeros + (cursor < place.upperBound ? exponent((cursor + 1)..<place.upperBound) : 0)
        guard scale >= 0 else {
            throw JSONError(reason: .mismatch(expected: "a whole number"), offset: place.lowerBound)
        }
        while scale > 0, !overflows {
            append(0)
            scale -= 1
        }
        guard !overflows, magnitude <= Int64.max.magnitude + (isNegative ? 1 : 0) else {
            throw JSONError(reason: .overflow, offset: place.lowerBound)
        }
        return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(magnitude)
    }

    /// Returns an exponent, limited so that sums with it cannot overflow.
    private func exponent(_ place: Range<Int>) -> Int {
        var value = 0
        for position in place where bytes[position] &- 0x30 < 10 {
            value = min(value * 10 + Int(bytes[position] - 0x30), 1_000_000_000_000)
        }
        return bytes[place.lowerBound] == UInt8(ascii: "-") ? -value : value
    }

    package mutating func readNumber() throws(JSONError) -> JSONNumber {
        _ = peek()
        let end = try bytes.number(at: position).end
        defer { position = end }
        let digits = UnsafeRawBufferPointer(start: bytes.start + position, count: end - position)
        return JSONNumber(validatedDigits: String(decoding: digits, as: UTF8.self))
    }

    package mutating func readArray<Element>(
        _ read: (inout JSONReader) throws(JSONError) -> Element
    ) throws(JSONError) -> [Element] {
        var elements: [Element] = []
        try beginArray()
        while try nextElement() {
            if elements.isEmpty { elements.reserveCapacity(4) }
            do throws(JSONError) {
                elements.append(try read(&self))
            } catch {
                throw error.inside("[\(elements.count)]")
            }
        }
        return elements
    }

    /// Reads any value. Recursion ends at the depth limit.
    package mutating func readValue() throws(JSONError) -> JSONValue {
        switch peek() {
        case UInt8(ascii: "{"): return .object(try [String: JSONValue](from: &self))
        case UInt8(ascii: "["): return .array(try [JSONValue](from: &self))
        case UInt8(ascii: "\""): return .string(try readString())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool(try readBool())
        case UInt8(ascii: "n"):
            position = try bytes.scalarEnd(position)
            return .null
        default: return .number(try readNumber())
        }
    }

    /// Skips any value without recursion, and checks that the value is valid.
    /// - Parameter recordsMembers: Whether to add the members of the value, which is an object, to ``members``.
    /// - Returns: The position of the value.
    @discardableResult
    package mutating func skipValue(recordsMembers: Bool = false) throws(JSONError) -> Range<Int> {
        let bytes = bytes
        // One bit for each open container, set for an object. Full words go to `outer`.
        var kinds: UInt64 = 0
        var outer: [UInt64] = []
        var open = 0
        let first = bytes.afterWhiteSpace(position)
        // A copy of the position that the compiler can keep in a register.
        var at = first
        repeat {
            var isFirst = false
            switch bytes.byte(at: at) {
            case UInt8(ascii: "\""): at = try bytes.string(at: at).end
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                try bytes.requireRoom(depth &+ open, at: at)
                if open > 0, open & 63 == 0 { outer.append(kinds) }
                kinds = kinds << 1 | (bytes[at] == UInt8(ascii: "{") ? 1 : 0)
                open &+= 1
                at &+= 1
                isFirst = true
            default: at = try bytes.scalarEnd(at)
            }
            while open > 0 {
                at = bytes.afterWhiteSpace(at)
                let isObject = kinds & 1 == 1
                let next = bytes.byte(at: at)
                if next == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    at &+= 1
                    kinds >>= 1
                    open &-= 1
                    if open & 63 == 0, let full = outer.popLast() { kinds = full }
                    isFirst = false
                    continue
                }
                if !isFirst {
                    guard next == UInt8(ascii: ",") else {
                        throw bytes.malformed("expected a comma or the end", at: at)
                    }
                    at = bytes.afterWhiteSpace(at &+ 1)
                }
                guard isObject else { break }
                guard bytes.byte(at: at) == UInt8(ascii: "\"") else {
                    throw bytes.malformed("expected a member's name", at: at)
                }
                let (name, end) = try bytes.string(at: at)
                at = bytes.afterWhiteSpace(end)
                guard bytes.byte(at: at) == UInt8(ascii: ":") else { throw bytes.malformed("expected a colon", at: at) }
                at = bytes.afterWhiteSpace(at &+ 1)
                if recordsMembers, open == 1 {
                    members.pointee.append(JSONMembers.Member(name: name, value: at))
                }
                break
            }
        } while open > 0
        position = at
        return first..<at
    }

    /// Returns the error of a value that has not the expected type. Throws if there is no value.
    package mutating func mismatch(_ expected: String) throws(JSONError) -> JSONError {
        JSONError(reason: .mismatch(expected: expected), offset: try skipValue().lowerBound)
    }
}
