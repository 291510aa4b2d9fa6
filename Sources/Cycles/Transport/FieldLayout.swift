/// The layout of header fields in memory. Each field has the length of its name (two bytes), the length of its value
/// (four bytes), and the text that libcurl reads: name, `: `, value, NUL.
enum FieldLayout {
    /// The number of bytes before the text of a field.
    static let lengthsSize = 6
    /// The number of bytes between name and value.
    static let separatorSize = 2
    /// The number of bytes of a field with an empty name and value.
    static let smallestSize = lengthsSize + separatorSize + 1

    /// The number of bytes of a field; nil if its name or value is too long.
    @inline(__always)
    static func size(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int? {
        guard name.count <= Int(UInt16.max), value.count <= Int(Int32.max) else { return nil }
        return smallestSize + name.count + value.count
    }

    /// Writes a field to memory of the field's size.
    @inline(__always)
    static func write(
        _ name: UnsafeRawBufferPointer,
        _ value: UnsafeRawBufferPointer,
        to memory: UnsafeMutableRawPointer
    ) {
        memory.storeBytes(of: UInt16(truncatingIfNeeded: name.count), as: UInt16.self)
        memory.storeBytes(of: UInt32(truncatingIfNeeded: value.count), toByteOffset: 2, as: UInt32.self)
        let text = memory + lengthsSize
        if let start = name.baseAddress { text.copyMemory(from: start, byteCount: name.count) }
        let separator = text + name.count
        separator.storeBytes(of: UInt8(ascii: ":"), as: UInt8.self)
        separator.storeBytes(of: UInt8(ascii: " "), toByteOffset: 1, as: UInt8.self)
        let end = separator + separatorSize
        if let start = value.baseAddress { end.copyMemory(from: start, byteCount: value.count) }
        end.storeBytes(of: 0, toByteOffset: value.count, as: UInt8.self)
    }

    /// Calls `body` with each field.
    @inline(__always)
    static func forEachField(
        in bytes: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        guard var position = bytes.baseAddress else { return }
        let end = position + bytes.count
        while position < end {
            let nameCount = Int(position.loadUnaligned(as: UInt16.self))
            let valueCount = Int(position.loadUnaligned(fromByteOffset: 2, as: UInt32.self))
            let name = position + lengthsSize
            let value = name + nameCount + separatorSize
            body(
                UnsafeRawBufferPointer(start: name, count: nameCount),
                UnsafeRawBufferPointer(start: value, count: valueCount)
            )
            position = value + valueCount + 1
        }
    }
}
