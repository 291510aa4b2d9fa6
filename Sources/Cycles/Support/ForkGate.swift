#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Delays a fork of the host program until the client's threads wait.
///
/// Swift's runtime locks internal tables, for example while a generic type is used for the first time. If a program forks
/// while one of the client's threads holds such a lock, the child process, which does not have the thread, waits for the
/// lock forever. The client starts these threads without being asked, so that the host program cannot avoid the moment.
/// Threads of the host program do not delay a fork.
package enum ForkGate {
    private struct State {
        var mutex = pthread_mutex_t()
        /// The key of a value that only the client's threads have.
        var mark = pthread_key_t()
        /// The number of the client's threads that do not wait.
        var running = 0
        /// The descriptors of locked files. A forked child closes these files; otherwise it would keep the locks after
        /// its parent has ended.
        var lockedFiles: Set<Int32> = []
    }

    // Unsafe, but sound: all but `mark`, which never changes, is accessed only while the mutex is locked. A fork locks
    // the mutex, so that the child finds a complete state.
    nonisolated(unsafe) private static let state: UnsafeMutablePointer<State> = {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        pthread_mutex_init(&state.pointee.mutex, nil)
        // A thread counts until the system destroys its mark, since the objects of its body are released before that.
        pthread_key_create(&state.pointee.mark) { _ in ForkGate.removeThread() }
        pthread_atfork({ ForkGate.beforeFork() }, { ForkGate.afterFork() }, { ForkGate.inChild() })
        return state
    }()

    /// The longest delay of a fork. A thread may be blocked by a disk or by the user's code.
    private static let patience = Duration.seconds(2)

    private static var isCounted: Bool { pthread_getspecific(state.pointee.mark) != nil }

    private static func lock() { pthread_mutex_lock(&state.pointee.mutex) }
    private static func unlock() { pthread_mutex_unlock(&state.pointee.mutex) }

    /// Counts a thread that is about to be started or has stopped waiting. Blocks while a fork is in progress.
    static func addThread() {
        lock()
        state.pointee.running += 1
        unlock()
    }

    /// Stops counting a thread that has ended, could not be started, or is about to wait.
    static func removeThread() {
        lock()
        state.pointee.running -= 1
        unlock()
    }

    /// Marks the calling thread, for which ``addThread()`` was called, as a thread of the client.
    static func markThread() { pthread_setspecific(state.pointee.mark, state) }

    /// Stops counting the calling thread, which is about to wait, if it is a thread of the client.
    /// - Returns: Whether the thread was counted. ``addThread()`` then has to follow the wait.
    static func leave() -> Bool {
        guard isCounted else { return false }
        removeThread()
        return true
    }

    /// Runs `body`, which changes the list of locked files, while no child process can be forked.
    static func withLockedFiles<Result, Failure>(
        _ body: (inout Set<Int32>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        lock()
        defer { unlock() }
        return try body(&state.pointee.lockedFiles)
    }

    /// The number of the client's threads that do not wait.
    package static var runningThreads: Int {
        lock()
        defer { unlock() }
        return state.pointee.running
    }

    package static func beforeFork() {
        // The user's code may fork on a thread of the client.
        let own = isCounted ? 1 : 0
        let deadline = ContinuousClock.now + patience
        lock()
        // Stops no thread: the one that the fork waits for may need the others.
        while state.pointee.running > own, ContinuousClock.now < deadline {
            unlock()
            usleep(100)
            lock()
        }
    }

    package static func afterFork() { unlock() }

    private static func inChild() {
        for file in state.pointee.lockedFiles { SystemFile.close(file) }
        state.pointee.lockedFiles.removeAll(keepingCapacity: true)
        state.pointee.running = isCounted ? 1 : 0
        unlock()
    }
}
