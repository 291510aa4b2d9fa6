/// Bytes for C, in memory that is kept from one use to the next.
struct GrowingBuffer: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var count = 0

    deinit { memory.deallocate() }

    /// The bytes in use. Valid until the buffer changes.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// The memory as characters. Valid until the buffer grows.
    var characters: UnsafeMutablePointer<CChar> {
        mutating get {
            reserve(1)
            return memory.baseAddress!.assumingMemoryBound(to: CChar.self)
        }
    }

    /// Replaces the bytes.
    mutating func set(_ data: UnsafeRawBufferPointer) {
        count = 0
        append(data)
    }

    /// Replaces the bytes by a text and the NUL that ends it.
    mutating func set(_ text: String) {
        count = 0
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
        append(0)
    }

    mutating func removeAll() { count = 0 }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ byte: UInt8) {
        reserve(count + 1)
        memory[count] = byte
        count += 1
    }

    mutating func append(_ data: UnsafeRawBufferPointer) {
        guard !data.isEmpty else { return }
        reserve(count + data.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: data)
        count += data.count
    }

    mutating func reserve(_ capacity: Int) {
        guard capacity > memory.count else { return }
        let grown = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(512, capacity, memory.count * 2),
            alignment: 8
        )
        if count > 0 { grown.copyMemory(from: bytes) }
        memory.deallocate()
        memory = grown
    }
}
