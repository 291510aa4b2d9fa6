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

    /// Adds something to do before the process ends, on the thread that ends it.
    static func prepare(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions.append(action) }
    }

    /// Ends the process with a status, or by the signal that the status stands for.
    ///
    /// A shell ends its loop at Ctrl-C only if the command in the loop was ended by the signal.
    static func leave(_ status: ExitStatus) -> Never {
        let actions = state.withLock { state -> [@Sendable () -> Void]? in
            guard !state.isLeaving else { return nil }
            state.isLeaving = true
            return state.actions
        }
        // Another thread ends the process already, perhaps by a signal: its status counts.
        guard let actions else { while true { SystemCalls.pause() } }
        for action in actions { action() }
        GroupWitness.end()
        if let signal = status.signal { die(of: signal) }
        SystemCalls.exit(status.code)
    }

    /// Returns where the signal does not end the process: the first process of a container is spared.
    private static func die(of signal: Int32) {
        // One byte is too little for a core file, and, unlike zero, also keeps the kernel from starting a program for it.
        var limit = rlimit()
        if SystemCalls.coreLimit(&limit) {
            limit.rlim_cur = min(limit.rlim_max, 1)
            SystemCalls.setCoreLimit(limit)
        }
        SystemCalls.useDefault(for: signal)
        // To this thread: the one that waits for signals would take it.
        Signals.deliver(signal)
    }
}
