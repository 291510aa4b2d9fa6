/// Writes JSON (RFC 8259) into bytes, without white space and in the order of the calls.
package struct JSONWriter {
    private let memory: UnsafeMutableRawBufferPointer
    /// The number of bytes so far, including those beyond the capacity.
    private var count = 0
    private var needsComma = false

    /// Returns the bytes that `write` writes. Calls `write` a second time, with enough room, if they exceed the
    /// capacity.
    package static func bytes(capacity: Int = 512, _ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { memory, initializedCount in
            var writer = JSONWriter(memory: UnsafeMutableRawBufferPointer(memory))
            write(&writer)
            count = writer.count
            initializedCount = count <= capacity ? count : 0
        }
        return count <= capacity ? bytes : JSONWriter.bytes(capacity: count, write)
    }

    private init(memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    package mutating func beginObject() { open(UInt8(ascii: "{")) }
    package mutating func endObject() { close(UInt8(ascii: "}")) }
    package mutating func beginArray() { open(UInt8(ascii: "[")) }
    package mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes a member's name that needs no escapes.
    package mutating func name(_ name: StaticString) {
        separate()
        put(UInt8(ascii: "\""))
        put(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        put(UInt8(ascii: "\""))
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a member's name.
    package mutating func name(_ name: String) {
        string(name)
        put(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a value that is already JSON.
    package mutating func raw(_ value: [UInt8]) {
        separate()
        value.withUnsafeBytes { put($0) }
        needsComma = true
    }

    package mutating func string(_ text: String) {
        separate()
        put(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { content in
            let bytes = UnsafeRawBufferPointer(content)
            guard let start = bytes.baseAddress else { return }
            let text = JSONBytes(start: start, count: bytes.count, isTolerant: false)
            var position = 0
            while true {
                let plainEnd = text.plainEnd(position)
                put(UnsafeRawBufferPointer(start: start + position, count: plainEnd - position))
                guard plainEnd < bytes.count else { break }
                escape(bytes[plainEnd])
                position = plainEnd + 1
            }
        }
        put(UInt8(ascii: "\""))
        needsComma = true
    }

    package mutating func int64(_ value: Int64) {
        separate()
        if value < 0 { put(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var first = 20
            repeat {
                let (quotient, digit) = magnitude.quotientAndRemainder(dividingBy: 10)
                first -= 1
                digits[first] = 0x30 + UInt8(truncatingIfNeeded: digit)
                magnitude = quotient
            } while magnitude > 0
            put(UnsafeRawBufferPointer(rebasing: digits[first...]))
        }
        needsComma = true
    }

    package mutating func null() { raw("null") }

    /// Writes any value, with the members of objects in the order of their names' bytes, so that equal values have
    /// equal bytes. Recursion is as deep as the value, whose depth validation limits.
    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): raw(value ? "true" : "false")
        case .number(let number):
            separate()
            put(number.digits)
            needsComma = true
        case .string(let text): string(text)
        case .array(let elements):
            beginArray()
            for element in elements { self.value(element) }
            endArray()
        case .object(let members): object(members)
        }
    }

    package mutating func object(_ members: [String: JSONValue]) {
        beginObject()
        for (name, member) in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            self.name(name)
            value(member)
        }
        endObject()
    }

    private mutating func raw(_ text: StaticString) {
        separate()
        put(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        needsComma = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        put(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        put(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { put(UInt8(ascii: ",")) }
    }

    private mutating func escape(_ byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5c: put(byte)
        case 0x08: put(UInt8(ascii: "b"))
        case 0x09: put(UInt8(ascii: "t"))
        case 0x0a: put(UInt8(ascii: "n"))
        case 0x0c: put(UInt8(ascii: "f"))
        case 0x0d: put(UInt8(ascii: "r"))
        default: put(byte < 0x10 ? "u000\(String(byte, radix: 16))" : "u00\(String(byte, radix: 16))")
        }
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        if count < memory.count { memory[count] = byte }
        count += 1
    }

    @inline(__always)
    private mutating func put(_ bytes: UnsafeRawBufferPointer) {
        if count + bytes.count <= memory.count {
            UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: bytes)
        }
        count += bytes.count
    }

    private mutating func put(_ text: String) {
        var text = text
        text.withUTF8 { put(UnsafeRawBufferPointer($0)) }
    }
}

/// A value of a request.
package protocol WireEncodable {
    func write(to writer: inout JSONWriter)
}

extension String: WireEncodable {
    package func write(to writer: inout JSONWriter) { writer.string(self) }
}

extension Int64: WireEncodable {
    package func write(to writer: inout JSONWriter) { writer.int64(self) }
}

extension JSONValue: WireEncodable {
    package func write(to writer: inout JSONWriter) { writer.value(self) }
}

/// Writes members that are left out if absent or empty.
extension JSONWriter {
    package mutating func member<Value: WireEncodable>(_ name: StaticString, _ value: Value?) {
        guard let value else { return }
        self.name(name)
        value.write(to: &self)
    }

    package mutating func member(_ name: StaticString, _ members: [String: JSONValue]) {
        if !members.isEmpty { member(name, JSONValue.object(members)) }
    }
}

extension JSONValue {
    /// The value as JSON text in UTF-8, with members in the order of their names.
    public var encoded: [UInt8] {
        JSONWriter.bytes { $0.value(self) }
    }

    /// Parses a JSON document (RFC 8259) in UTF-8, nested at most ``maximumDepth`` levels deep.
    /// - Throws: ``JSONError`` with the defect and its position.
    public init(parsing body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in try reader.readValue() }
    }
}
