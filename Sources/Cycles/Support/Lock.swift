#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// State that one thread at a time may access.
///
/// Uses the system's mutex: the thread sanitizer does not see the operations of `Synchronization.Mutex` on Linux.
package struct Lock<State: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked: the state is accessed only while the mutex beside it is locked.
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

    /// Runs `body` with exclusive access to the state. Calls must not be nested, and `body` must not call the user's
    /// code.
    package func withLock<Result: ~Copyable, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(&storage.pointee.mutex)
        defer { pthread_mutex_unlock(&storage.pointee.mutex) }
        return try body(&storage.pointee.state)
    }
}
