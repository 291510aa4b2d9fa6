#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// State that one thread at a time may access, and whose changes other threads can wait for.
package struct WaitableLock<State>: ~Copyable, @unchecked Sendable {
    // Unchecked: the state is accessed only while the mutex beside it is locked.
    private struct Storage {
        var mutex = pthread_mutex_t()
        var condition = pthread_cond_t()
        var waiters = 0
        var state: State
    }

    // On the heap, since a mutex must not move.
    private let storage: UnsafeMutablePointer<Storage>

    package init(_ state: sending State) {
        storage = .allocate(capacity: 1)
        storage.initialize(to: Storage(state: state))
        pthread_mutex_init(&storage.pointee.mutex, nil)
        #if canImport(Darwin)
            pthread_cond_init(&storage.pointee.condition, nil)
        #else
            // Setting the wall clock must not change how long a thread waits.
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(&storage.pointee.condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(&storage.pointee.condition)
        pthread_mutex_destroy(&storage.pointee.mutex)
        storage.deinitialize(count: 1)
        storage.deallocate()
    }

    /// Runs `body` with exclusive access to the state, then wakes the waiting threads. Calls must not be nested.
    package func withLock<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(&storage.pointee.mutex)
        defer { unlock(wakes: true) }
        return try body(&storage.pointee.state)
    }

    /// Runs `body` with exclusive access to the state, then wakes the waiting threads if `body` sets `wakes`.
    package func withLock<Result>(_ body: (inout State, _ wakes: inout Bool) -> Result) -> Result {
        pthread_mutex_lock(&storage.pointee.mutex)
        var wakes = false
        defer { unlock(wakes: wakes) }
        return body(&storage.pointee.state, &wakes)
    }

    private func unlock(wakes: Bool) {
        let hasWaiters = wakes && storage.pointee.waiters > 0
        pthread_mutex_unlock(&storage.pointee.mutex)
        // Broadcast after unlocking, so that a woken thread does not have to wait for the mutex.
        if hasWaiters { pthread_cond_broadcast(&storage.pointee.condition) }
    }

    /// Blocks the thread until `body` returns a value. Runs `body` at once and after each wake-up.
    ///
    /// Swift tasks must not call this method, except inside a call that blocks anyway.
    package func wait<Result>(_ body: (inout State) -> Result?) -> Result {
        while true {
            // Limited, since a longer wait would overflow the system's time on some platforms.
            if let result = wait(atMost: .seconds(1_000_000), body) { return result }
        }
    }

    /// Blocks like ``wait(_:)``, for a limited time; returns nil after that time.
    package func wait<Result>(atMost limit: Duration, _ body: (inout State) -> Result?) -> Result? {
        let deadline = ContinuousClock.now + limit
        pthread_mutex_lock(&storage.pointee.mutex)
        defer { pthread_mutex_unlock(&storage.pointee.mutex) }
        while true {
            if let result = body(&storage.pointee.state) { return result }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return nil }
            sleep(atMost: min(left, .seconds(1_000_000)))
        }
    }

    /// Sleeps with the mutex unlocked until the thread is woken.
    private func sleep(atMost span: Duration) {
        let isCounted = ForkGate.leave()
        storage.pointee.waiters += 1
        defer {
            storage.pointee.waiters -= 1
            if isCounted {
                // A fork in progress must not find the mutex locked: the child process could never lock it.
                pthread_mutex_unlock(&storage.pointee.mutex)
                ForkGate.addThread()
                pthread_mutex_lock(&storage.pointee.mutex)
            }
        }
        #if canImport(Darwin)
            var time = SystemTime(span)
            time.withUnsafeMutablePointer {
                _ = pthread_cond_timedwait_relative_np(&storage.pointee.condition, &storage.pointee.mutex, $0)
            }
        #else
            var time = SystemTime(SystemTime.monotonic.duration + span)
            time.withUnsafeMutablePointer {
                _ = pthread_cond_timedwait(&storage.pointee.condition, &storage.pointee.mutex, $0)
            }
        #endif
    }
}
