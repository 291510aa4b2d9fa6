#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Lets the host program fork only while the client's threads wait.
///
/// The runtime of Swift locks internal tables, for example while a generic type is used for the first time. If a program
/// forks at such a moment, the child process waits for the lock forever, because it does not have the thread that holds
/// it. So a fork waits for the client's threads, which work without being asked. The host program's own threads are not
/// held up.
package enum ForkGate {
    private struct State {
        var mutex = pthread_mutex_t()
        /// Marks the threads that are counted.
        var mark = pthread_key_t()
        /// The threads of the client that do not wait.
        var running = 0
        /// The forks that are waiting or going on.
        var forks = 0
        /// The files that this process has locked. A forked child closes them; otherwise it would keep the locks after
        /// its parent has ended.
        var lockedFiles: Set<Int32> = []
    }

    // Unsafe, but sound: accessed only while the mutex is locked. A fork locks the mutex, so that the child finds a
    // complete state. `mark` never changes.
    nonisolated(unsafe) private static let state: UnsafeMutablePointer<State> = {
        let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
        state.initialize(to: State())
        pthread_mutex_init(&state.pointee.mutex, nil)
        pthread_key_create(&state.pointee.mark, nil)
        pthread_atfork({ ForkGate.beforeFork() }, { ForkGate.afterFork() }, { ForkGate.inChild() })
        return state
    }()

    /// The time that a fork waits at most. A thread may wait for a disk or for the user's code.
    private static let patience = Duration.seconds(2)
    private static let interval: UInt32 = 100

    private static var isCounted: Bool { pthread_getspecific(state.pointee.mark) != nil }

    private static func lock() { pthread_mutex_lock(&state.pointee.mutex) }
    private static func unlock() { pthread_mutex_unlock(&state.pointee.mutex) }

    /// Counts a thread that is about to be started.
    static func expectThread() {
        lock()
        state.pointee.running += 1
        unlock()
    }

    /// Has to be called if the thread could not be started.
    static func expectNoThread() {
        lock()
        state.pointee.running -= 1
        unlock()
    }

    /// Runs the body of a thread that was counted before.
    static func run(_ body: () -> Void) {
        pthread_setspecific(state.pointee.mark, state)
        body()
        expectNoThread()
    }

    /// Has to be called before the thread waits. Returns whether ``enter()`` has to be called afterwards.
    static func leave() -> Bool {
        guard isCounted else { return false }
        expectNoThread()
        return true
    }

    /// Counts the thread again, as soon as no fork is going on. The caller must hold no lock.
    static func enter() {
        lock()
        while state.pointee.forks > 0 { pause() }
        state.pointee.running += 1
        unlock()
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

    private static func pause() {
        unlock()
        usleep(interval)
        lock()
    }

    package static func beforeFork() {
        // The user's code may fork on a thread of the client.
        let own = isCounted ? 1 : 0
        let deadline = ContinuousClock.now + patience
        lock()
        state.pointee.forks += 1
        while state.pointee.running > own, ContinuousClock.now < deadline { pause() }
    }

    package static func afterFork() {
        state.pointee.forks -= 1
        unlock()
    }

    private static func inChild() {
        for file in state.pointee.lockedFiles { SystemFile.close(file) }
        state.pointee.lockedFiles.removeAll(keepingCapacity: true)
        state.pointee.running = isCounted ? 1 : 0
        state.pointee.forks = 0
        unlock()
    }
}
