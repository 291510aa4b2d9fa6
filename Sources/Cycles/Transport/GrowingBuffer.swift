/// A byte buffer for C whose memory is reused.
struct GrowingBuffer: ~Copyable {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var count = 0

    deinit { memory.deallocate() }

    /// The used bytes. Valid until the buffer changes.
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

    mutating func append(_ data: UnsafeRawBufferPointer) {
        guard let start = data.baseAddress, !data.isEmpty else { return }
        extend(by: data.count).copyMemory(from: start, byteCount: data.count)
    }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Removes the bytes after a position.
    mutating func removeAll(after position: Int = 0) { count = position }

    /// Marks further bytes as used. The caller initializes them.
    @inline(__always)
    mutating func extend(by size: Int) -> UnsafeMutableRawPointer {
        reserve(count + size)
        defer { count += size }
        return memory.baseAddress! + count
    }

    @inline(__always)
    private mutating func reserve(_ capacity: Int) {
        if capacity > memory.count { grow(to: capacity) }
    }

    @inline(never)
    private mutating func grow(to capacity: Int) {
        let grown = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(512, capacity, memory.count * 2),
            alignment: 8
        )
        if count > 0 { grown.copyMemory(from: bytes) }
        memory.deallocate()
        memory = grown
    }
}
