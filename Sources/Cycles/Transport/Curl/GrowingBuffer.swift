/// Bytes in memory that is kept from one use to the next.
struct GrowingBuffer {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    var count = 0

    /// The bytes in use.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<count]) }

    /// The same as characters for C. Valid until the buffer grows.
    var characters: UnsafeMutablePointer<CChar> {
        mutating get {
            reserve(1)
            return memory.baseAddress!.assumingMemoryBound(to: CChar.self)
        }
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

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        if count == memory.count { reserve(count + 1) }
        memory[count] = byte
        count += 1
    }

    mutating func append(_ data: UnsafeRawBufferPointer) {
        guard !data.isEmpty else { return }
        reserve(count + data.count)
        UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: data)
        count += data.count
    }

    /// Forgets the bytes, and gives memory beyond a size back.
    mutating func shrink(to capacity: Int) {
        count = 0
        if memory.count > capacity { deallocate() }
    }

    mutating func deallocate() {
        memory.deallocate()
        memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        count = 0
    }
}
