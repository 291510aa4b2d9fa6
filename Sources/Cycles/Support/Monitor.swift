#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// State behind a lock, for whose changes threads can wait.
///
/// Built on the system's mutex rather than `Synchronization.Mutex`, whose operations the thread sanitizer does not see
/// on Linux: what is checked is what is shipped.
package final class Monitor<State>: @unchecked Sendable {
    private var state: State
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    package init(_ state: sending State) {
        self.state = state
        mutex.initialize(to: pthread_mutex_t())
        condition.initialize(to: pthread_cond_t())
        pthread_mutex_init(mutex, nil)
        #if canImport(Darwin)
            pthread_cond_init(condition, nil)
        #else
            // Setting the machine's clock must not change how long a thread waits.
            var attributes = pthread_condattr_t()
            pthread_condattr_init(&attributes)
            pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
            pthread_cond_init(condition, &attributes)
            pthread_condattr_destroy(&attributes)
        #endif
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` alone, then lets waiting threads look again. Not to be nested.
    package func withLock<Result, Failure>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer {
            pthread_cond_broadcast(condition)
            pthread_mutex_unlock(mutex)
        }
        return try body(&state)
    }

    /// Runs `body` alone, again after each change, until it returns something. Blocks the thread: never to be called by
    /// a Swift task, except for as long as a blocking call lasts anyway.
    package func wait<Result>(_ body: (inout State) -> Result?) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            pthread_cond_wait(condition, mutex)
        }
    }
    /// The same, for a limited time: nil once it is over.
    package func wait<Result>(atMost limit: Duration, _ body: (inout State) -> Result?) -> Result? {
        let deadline = ContinuousClock.now + limit
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else { return nil }
            waitForChange(atMost: left)
        }
    }

    private func waitForChange(atMost limit: Duration) {
        // Longer waits are cut: whoever waits looks again.
        let span = min(limit, .seconds(1_000_000))
        #if canImport(Darwin)
            var time = SystemTime(span)
            time.withUnsafeMutablePointer { _ = pthread_cond_timedwait_relative_np(condition, mutex, $0) }
        #else
            var time = SystemTime(SystemTime.monotonic.duration + span)
            time.withUnsafeMutablePointer { _ = pthread_cond_timedwait(condition, mutex, $0) }
        #endif
    }
}
