/// Header fields in their order, looked up without regard to case.
///
/// Printing, dumping or reflecting them hides the values of fields that carry credentials.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// One buffer for all fields keeps an exchange at one allocation: for each field the length of its name (two
    /// bytes), that of its value (four bytes), then both.
    private var storage: [UInt8] = []

    /// No fields.
    public init() {}

    /// Fields in the order of the literal.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name: name, value: value) }
    }

    /// The value of the first field with this name, in any case; nil if there is none.
    ///
    /// Setting replaces all fields of the name by one at the end, or removes them for nil.
    public subscript(name: String) -> String? {
        get {
            var name = name
            return name.withUTF8 { bytes in firstValue(UnsafeRawBufferPointer(bytes)) }
        }
        set {
            remove(name: name)
            if let newValue { append(name: name, value: newValue) }
        }
    }

    /// The values of all fields with this name, in any case.
    public func values(for name: String) -> [String] {
        fields.filter { HTTPHeaders.isSame($0.name, name) }.map(\.value)
    }

    /// Adds a field at the end. Names longer than 65 535 bytes are not added.
    public mutating func append(name: String, value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            value.withUTF8 { value in append(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value)) }
        }
    }

    /// Adds the fields of others at the end.
    public mutating func append(contentsOf other: HTTPHeaders) { storage += other.storage }

    /// Removes all fields with this name, in any case.
    public mutating func remove(name: String) {
        let kept = fields.filter { !HTTPHeaders.isSame($0.name, name) }
        guard kept.count != count else { return }
        storage.removeAll()
        for field in kept { append(name: field.name, value: field.value) }
    }

    /// How many fields there are.
    public var count: Int {
        var result = 0
        forEachField { _, _ in result += 1 }
        return result
    }

    /// Whether there are no fields.
    public var isEmpty: Bool { storage.isEmpty }

    /// The fields in their order.
    public var fields: [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        forEachField { name, value in
            result.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return result
    }

    package var byteCount: Int { storage.count }

    package mutating func reserveCapacity(_ bytes: Int) { storage.reserveCapacity(bytes) }

    package mutating func removeAll(keepingCapacity: Bool) { storage.removeAll(keepingCapacity: keepingCapacity) }

    /// The same fields in memory of their exact size.
    package var compact: HTTPHeaders {
        var result = HTTPHeaders()
        result.storage = storage.withUnsafeBytes { Array($0) }
        return result
    }

    package mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        guard name.count <= Int(UInt16.max), value.count <= Int(Int32.max) else { return }
        let lengths = (UInt64(name.count) | UInt64(value.count) << 16).littleEndian
        withUnsafeBytes(of: lengths) { storage.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<6])) }
        storage.append(contentsOf: name)
        storage.append(contentsOf: value)
    }

    /// Continues the value of the last field, after a space: what a folded line means.
    package mutating func appendToLastValue(_ text: UnsafeRawBufferPointer) {
        guard let last = fields.last else { return }
        let kept = fields.dropLast()
        storage.removeAll()
        for field in kept { append(name: field.name, value: field.value) }
        append(name: last.name, value: last.value + " " + String(decoding: text, as: UTF8.self))
    }

    package func forEachField(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        storage.withUnsafeBytes { bytes in
            var position = 0
            while position + 6 <= bytes.count {
                let nameLength = Int(bytes[position]) | Int(bytes[position + 1]) << 8
                let valueLength =
                    Int(bytes[position + 2]) | Int(bytes[position + 3]) << 8 | Int(bytes[position + 4]) << 16
                    | Int(bytes[position + 5]) << 24
                let name = position + 6
                let value = name + nameLength
                position = value + valueLength
                body(
                    UnsafeRawBufferPointer(rebasing: bytes[name..<value]),
                    UnsafeRawBufferPointer(rebasing: bytes[value..<position])
                )
            }
        }
    }

    private func firstValue(_ name: UnsafeRawBufferPointer) -> String? {
        var result: String?
        forEachField { candidate, value in
            guard result == nil, HTTPHeaders.isSame(candidate, name) else { return }
            result = String(decoding: value, as: UTF8.self)
        }
        return result
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        var left = left
        var right = right
        return left.withUTF8 { left in
            right.withUTF8 { right in isSame(UnsafeRawBufferPointer(left), UnsafeRawBufferPointer(right)) }
        }
    }

    private static func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count where lowercased(left[index]) != lowercased(right[index]) { return false }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

extension HTTPHeaders {
    /// What makes a field unfit to be sent; nil if nothing does. A name has to be a token (RFC 9110 section 5.6.2), and
    /// no value may carry CR, LF or NUL, which would let it forge further fields.
    package var firstDefect: (name: String, message: String)? {
        var result: (String, String)?
        forEachField { name, value in
            guard result == nil else { return }
            var breaks: UInt8 = 0
            // Without an early exit the compiler checks several bytes at once.
            for index in 0..<value.count {
                let byte = value[index]
                breaks |= (byte == 0 ? 1 : 0) | (byte == 10 ? 1 : 0) | (byte == 13 ? 1 : 0)
            }
            if name.isEmpty || !name.allSatisfy(HTTPHeaders.isTokenByte) {
                result = (String(decoding: name, as: UTF8.self), "is not a valid header name")
            } else if breaks != 0 {
                result = (String(decoding: name, as: UTF8.self), "has a line break or NUL in its value")
            }
        }
        return result
    }

    /// Whether a text is a token (RFC 9110 section 5.6.2), as names and methods have to be.
    package static func isToken(_ text: String) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isTokenByte) }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        // A bit for each of !#$%&'*+-. and the digits, and for each of ^_`|~ and the letters.
        let set: UInt64 = byte < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
        return byte < 128 && set >> UInt64(byte & 63) & 1 == 1
    }
}

extension HTTPHeaders: Hashable {
    /// Whether both have the same fields in the same order; names may differ in case.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        if left.storage == right.storage { return true }
        let (left, right) = (left.fields, right.fields)
        return left.count == right.count
            && zip(left, right).allSatisfy { isSame($0.name, $1.name) && $0.value.hasSameUTF8(as: $1.value) }
    }

    /// Feeds the values in their order to `hasher`.
    public func hash(into hasher: inout Hasher) {
        for field in fields { field.value.hashUTF8(into: &hasher) }
    }
}

extension HTTPHeaders: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private static let credentialNames = [
        "x-cycles-api-key", "x-admin-api-key", "authorization", "proxy-authorization", "cookie", "set-cookie",
    ]

    private var visibleFields: [(name: String, value: String)] {
        fields.map { field in
            let isCredential = HTTPHeaders.credentialNames.contains { HTTPHeaders.isSame($0, field.name) }
            return (field.name, isCredential ? Secret.placeholder : field.value)
        }
    }

    /// The fields, without credentials.
    public var description: String {
        "[" + visibleFields.map { "\($0.name): \($0.value)" }.joined(separator: ", ") + "]"
    }

    /// The fields, without credentials.
    public var debugDescription: String { description }

    /// The fields, without credentials.
    public var customMirror: Mirror {
        Mirror(self, children: visibleFields.map { (label: $0.name, value: $0.value) }, displayStyle: .dictionary)
    }
}
