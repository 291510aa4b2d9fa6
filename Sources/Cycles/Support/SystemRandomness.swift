#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Random bits of the system.
package enum SystemRandomness {
    /// 128 bits that nobody else gets.
    package static func words() -> (UInt64, UInt64) { EntropyPool.shared.take() ?? fresh() }

    /// 128 bits with one system call; the standard generator makes one for each word.
    fileprivate static func fresh() -> (UInt64, UInt64) {
        var words: (UInt64, UInt64) = (0, 0)
        let result = withUnsafeMutableBytes(of: &words) { getentropy($0.baseAddress, $0.count) }
        if result == 0 { return words }
        var generator = SystemRandomNumberGenerator()
        return (generator.next(), generator.next())
    }
}

/// Random bits fetched ahead: a system call for each idempotency key would cost as much as encoding its request.
///
/// A process that forks must not share them with its child, or both would make the same keys: the child begins with
/// none. Whoever finds the pool in use, as a child does whose parent was using it, asks the system.
private final class EntropyPool: @unchecked Sendable {
    static let shared = EntropyPool()
    /// The most that one system call gives.
    private static let capacity = 256 / MemoryLayout<UInt64>.size

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let words = UnsafeMutablePointer<UInt64>.allocate(capacity: EntropyPool.capacity)
    private var available = 0

    private init() {
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        words.initialize(repeating: 0, count: EntropyPool.capacity)
        pthread_atfork(nil, nil) { EntropyPool.shared.available = 0 }
    }

    func take() -> (UInt64, UInt64)? {
        guard pthread_mutex_trylock(mutex) == 0 else { return nil }
        defer { pthread_mutex_unlock(mutex) }
        if available == 0 {
            guard getentropy(words, EntropyPool.capacity * MemoryLayout<UInt64>.size) == 0 else { return nil }
            available = EntropyPool.capacity
        }
        available -= 2
        // What was given out is not kept.
        defer { (words + available).update(repeating: 0, count: 2) }
        return (words[available], words[available + 1])
    }
}
