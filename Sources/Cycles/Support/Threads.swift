#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A thread of the operating system, for work that blocks. Blocking a thread of the concurrency runtime would delay all
/// tasks.
package struct SystemThread: Equatable, @unchecked Sendable {
    // Unchecked, since the handle is a pointer on some platforms; it is passed only to functions that any thread may
    // call.
    private let handle: pthread_t

    /// Runs `body` on a new thread, which the caller has to join or detach.
    ///
    /// The thread blocks all signals. Handlers run on the program's threads, and writing to a closed connection fails
    /// instead of raising SIGPIPE.
    /// - Parameter attempts: The number of attempts while the system has no thread, 5 ms apart.
    /// - Returns: The thread; nil if the system has none.
    package static func start(
        stackSize: Int? = nil,
        attempts: Int = 8,
        _ body: @escaping @Sendable () -> Void
    ) -> SystemThread? {
        var attributes = pthread_attr_t()
        guard pthread_attr_init(&attributes) == 0 else { return nil }
        defer { pthread_attr_destroy(&attributes) }
        if let stackSize { pthread_attr_setstacksize(&attributes, stackSize) }
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        // The new thread inherits the mask, so that it never receives a signal.
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        let body = Unmanaged.passRetained(ThreadBody(body))
        #if canImport(Glibc)
            var handle = pthread_t()
        #else
            var handle: pthread_t?
        #endif
        // A system without a thread at this moment often has one soon.
        var patience = attempts
        while pthread_create(&handle, &attributes, runThreadBody, body.toOpaque()) != 0 {
            patience -= 1
            guard patience > 0 else {
                body.release()
                return nil
            }
            usleep(5_000)
        }
        #if canImport(Glibc)
            return SystemThread(handle: handle)
        #else
            return handle.map { SystemThread(handle: $0) }
        #endif
    }

    /// Waits for the end of the thread.
    package func join() { pthread_join(handle, nil) }

    /// Detaches the thread, which then needs no ``join()``.
    package func detach() { pthread_detach(handle) }

    /// Blocks the thread of a task for 10 ms at most, then lets other tasks run.
    static func pauseTask(until time: ContinuousClock.Instant) async {
        let left = ContinuousClock.now.duration(to: time)
        usleep(left < .milliseconds(10) ? UInt32(clamping: left.components.attoseconds / 1_000_000_000_000) : 10_000)
        await Task.yield()
    }

    /// The calling thread.
    package static var current: SystemThread { SystemThread(handle: pthread_self()) }

    /// Whether both handles denote the same running thread.
    package static func == (one: SystemThread, other: SystemThread) -> Bool {
        pthread_equal(one.handle, other.handle) != 0
    }

    /// Lets other threads run.
    package static func yield() { sched_yield() }

    /// Runs `body` with SIGPIPE blocked on this thread, and discards a SIGPIPE that `body` caused.
    package static func withoutBrokenPipeSignal<Result, Failure>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var brokenPipe = sigset_t()
        var previous = sigset_t()
        var pending = sigset_t()
        sigemptyset(&brokenPipe)
        sigaddset(&brokenPipe, SIGPIPE)
        sigpending(&pending)
        let wasPending = sigismember(&pending, SIGPIPE) == 1
        pthread_sigmask(SIG_BLOCK, &brokenPipe, &previous)
        defer {
            sigpending(&pending)
            if !wasPending, sigismember(&pending, SIGPIPE) == 1 {
                var signal: Int32 = 0
                sigwait(&brokenPipe, &signal)
            }
            pthread_sigmask(SIG_SETMASK, &previous, nil)
        }
        return try body()
    }
}

/// Creates threads: those of the system, or none in a test of thread shortage.
package struct ThreadSource: Sendable {
    private let make: @Sendable (_ attempts: Int, _ body: @escaping @Sendable () -> Void) -> SystemThread?

    package init(
        _ make: @escaping @Sendable (_ attempts: Int, _ body: @escaping @Sendable () -> Void) -> SystemThread?
    ) {
        self.make = make
    }

    /// The threads of the system.
    package static let system = ThreadSource { attempts, body in
        ForkGate.addThread()
        let thread = SystemThread.start(attempts: attempts) {
            ForkGate.markThread()
            body()
        }
        if thread == nil { ForkGate.removeThread() }
        return thread
    }

    /// A source without threads.
    package static let none = ThreadSource { _, _ in nil }

    /// Runs `body` on a new, detached thread. Returns false if the source has no thread.
    package func start(attempts: Int = 8, _ body: @escaping @Sendable () -> Void) -> Bool {
        guard let thread = make(attempts, body) else { return false }
        thread.detach()
        return true
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

#if canImport(Darwin)
    private func runThreadBody(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run()
        return nil
    }
#else
    private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
        if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
        return nil
    }
#endif
