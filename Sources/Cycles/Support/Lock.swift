#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// State that one thread at a time may use.
///
/// Built on the system's mutex rather than `Synchronization.Mutex`, whose operations the thread sanitizer does not see
/// on Linux.
package struct Lock<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked: the state is reached only while the mutex beside it is held.
    private struct Storage: ~Copyable {
        var mutex = pthread_mutex_t()
        var state: State
    }

    // On the heap, since a mutex must not move.
    private let storage: UnsafeMutablePointer<Storage>

    package init(_ state: consuming sending State) {
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage(state: state))
        pthread_mutex_init(&storage.pointee.mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(&storage.pointee.mutex)
        storage.deinitialize(count: 1)
        storage.deallocate()
    }

    /// Runs `body` with exclusive access to the state. Not to be nested; `body` must not call code of the user.
    package func withLock<Result: ~Copyable, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(&storage.pointee.mutex)
        defer { pthread_mutex_unlock(&storage.pointee.mutex) }
        return try body(&storage.pointee.state)
    }
}
