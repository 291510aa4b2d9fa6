/// An ordered list of header fields. Names are matched without regard to case.
///
/// Printing, dumping and reflection hide the values of fields that contain credentials.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// One buffer for all fields limits an exchange to one allocation. ``FieldLayout`` defines its layout.
    private var storage: [UInt8] = []
    /// Whether all fields are known to be valid. False means unknown.
    private var isSound = true

    /// Creates an empty list.
    public init() {}

    /// Creates a list with the fields of the literal, in order.
    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name: name, value: value) }
    }

    /// The value of the first field with this name, in any case; nil if there is none.
    ///
    /// Setting a value replaces all fields of the name by one field at the end. Setting nil removes them.
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

    /// Appends the fields of another list.
    public mutating func append(contentsOf other: HTTPHeaders) {
        storage += other.storage
        isSound = isSound && other.isSound
    }

    /// Removes all fields with this name, in any case.
    public mutating func remove(name: String) {
        var kept = HTTPHeaders()
        for field in fields where !HTTPHeaders.isSame(field.name, name) {
            kept.append(name: field.name, value: field.value)
        }
        self = kept
    }

    /// The number of fields.
    public var count: Int {
        var result = 0
        forEachField { _, _ in result += 1 }
        return result
    }

    /// Whether there are no fields.
    public var isEmpty: Bool { storage.isEmpty }

    /// The fields, in order.
    public var fields: [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        forEachField { name, value in
            result.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
        }
        return result
    }

    package var byteCount: Int { storage.count }

    /// The bytes of all fields, in the layout of ``FieldLayout``.
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        storage.withUnsafeBytes(body)
    }

    /// Creates a list from received fields in the layout of ``FieldLayout``.
    init(received bytes: UnsafeRawBufferPointer) {
        storage = Array(bytes)
        isSound = false
    }

    package mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        guard let size = FieldLayout.size(name, value) else { return }
        isSound = isSound && HTTPHeaders.defect(name, value) == nil
        withUnsafeTemporaryAllocation(byteCount: size, alignment: 1) { memory in
            FieldLayout.write(name, value, to: memory.baseAddress!)
            storage.append(contentsOf: UnsafeRawBufferPointer(memory))
        }
    }

    package func forEachField(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        storage.withUnsafeBytes { FieldLayout.forEachField(in: $0, body) }
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
    /// The name of the first invalid field, and the reason; nil if all fields are valid.
    package var firstDefect: (name: String, message: String)? {
        if isSound { return nil }
        var result: (String, String)?
        forEachField { name, value in
            guard result == nil, let message = HTTPHeaders.defect(name, value) else { return }
            result = (String(decoding: name, as: UTF8.self), message)
        }
        return result
    }

    /// The reason why a field must not be sent; nil if it may. A name must be a token (RFC 9110, section 5.6.2).
    /// A value must not contain CR, LF or NUL, which could forge further fields.
    private static func defect(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> String? {
        if !isToken(name) { return "is not a valid header name" }
        let hasBreaks = value.withMemoryRebound(to: UInt8.self) { bytes in
            // Without an early exit, the compiler checks several bytes at a time.
            var breaks: UInt8 = 0
            for byte in bytes { breaks |= (byte == 0 ? 1 : 0) | (byte == 10 ? 1 : 0) | (byte == 13 ? 1 : 0) }
            return breaks != 0
        }
        return hasBreaks ? "has a line break or NUL in its value" : nil
    }

    /// Whether a text is a token (RFC 9110, section 5.6.2), as names and methods must be.
    package static func isToken(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { isToken(UnsafeRawBufferPointer($0)) }
    }

    private static func isToken(_ text: UnsafeRawBufferPointer) -> Bool {
        for index in 0..<text.count {
            let byte = text[index]
            // One bit for each of !#$%&'*+-. and the digits, and for each of ^_`|~ and the letters.
            let set: UInt64 = byte < 64 ? 0x03ff_6cfa_0000_0000 : 0x57ff_ffff_c7ff_fffe
            guard byte < 128, set >> UInt64(byte & 63) & 1 == 1 else { return false }
        }
        return !text.isEmpty
    }
}

extension HTTPHeaders: Hashable {
    /// Whether both lists have the same fields in the same order. Names are compared without regard to case.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        if left.storage == right.storage { return true }
        let (left, right) = (left.fields, right.fields)
        return left.count == right.count
            && zip(left, right).allSatisfy { isSame($0.name, $1.name) && $0.value.hasSameUTF8(as: $1.value) }
    }

    /// Hashes the values in order. Names are not hashed.
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

    /// The fields, without the values of credentials.
    public var description: String {
        "[" + visibleFields.map { "\($0.name): \($0.value)" }.joined(separator: ", ") + "]"
    }

    /// The fields, without the values of credentials.
    public var debugDescription: String { description }

    /// The fields, without the values of credentials.
    public var customMirror: Mirror {
        Mirror(self, children: visibleFields.map { (label: $0.name, value: $0.value) }, displayStyle: .dictionary)
    }
}
