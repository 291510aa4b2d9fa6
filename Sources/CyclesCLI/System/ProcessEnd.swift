#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The end of this process.
enum ProcessEnd {
    private struct State {
        var isLeaving = false
        var actions: [@Sendable () -> Void] = []
    }

    private static let state = Lock(State())

    /// Adds an action to perform before the process ends, on the thread that ends it.
    static func prepare(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions.append(action) }
    }

    /// Ends the process with the code or by the signal of a status.
    ///
    /// On Ctrl-C, a shell ends a loop only if the signal ended the command in the loop.
    static func leave(_ status: ExitStatus) -> Never {
        let actions = state.withLock { state -> [@Sendable () -> Void]? in
            guard !state.isLeaving else { return nil }
            state.isLeaving = true
            return state.actions
        }
        // Another thread is ending the process, possibly by a signal. Its status counts.
        guard let actions else { while true { SystemCalls.pause() } }
        for action in actions { action() }
        GroupWitness.end()
        if let signal = status.signal { die(of: signal) }
        SystemCalls.exit(status.code)
    }

    /// Ends the process by a signal. Returns if the signal has no effect, as in the first process of a container.
    private static func die(of signal: Int32) {
        // A limit of one byte prevents core files and, unlike zero, also keeps the kernel from starting a core handler.
        var limit = rlimit()
        if SystemCalls.coreLimit(&limit) {
            limit.rlim_cur = min(limit.rlim_max, 1)
            SystemCalls.setCoreLimit(limit)
        }
        SystemCalls.useDefault(for: signal)
        // The signal goes to this thread, because the thread that waits for signals would consume it.
        Signals.deliver(signal)
    }
}
