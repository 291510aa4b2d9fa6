#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Handles signals on a separate thread instead of by their default actions.
enum Signals {
    /// The signal of Ctrl-C.
    static let interrupt = SIGINT
    /// The signal of Ctrl-Z.
    static let stop = SIGTSTP
    /// The signal of an ended child process.
    static let childEnded = SIGCHLD

    /// The signals that ask a process to end.
    private static let ending = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// Further signals that `run` passes on.
    private static let others = [SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT]

    /// The signals that a command takes.
    enum Use: Sendable {
        /// None. All signals have their default actions.
        case none
        /// None. SIGPIPE is ignored: a write to a pipe without a reader fails, and the command handles the failure.
        case noPipe
        /// The signals that ask the process to end or to stop.
        case ending
        /// The signals that ask the process to end; SIGPIPE is ignored.
        case endingButNoPipe
        /// All signals that can be passed on to a program, and SIGCHLD.
        case all
    }

    /// A signal that was taken.
    struct Received: Sendable {
        let number: Int32
        /// The process that sent the signal; 0 for the kernel.
        let sender: Int32
        /// Whether the kernel sent the signal, for example on behalf of a terminal.
        let isFromKernel: Bool
    }

    private struct State {
        var taken: [Int32] = []
        /// The signals that this process ignores although its parent did not.
        var ignoredHere: [Int32] = []
    }

    private static let state = Lock(State())

    static func asksToEnd(_ signal: Int32) -> Bool { ending.contains(signal) }

    /// The name of a signal.
    static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGINT: "SIGINT"
        case SIGTERM: "SIGTERM"
        case SIGHUP: "SIGHUP"
        case SIGQUIT: "SIGQUIT"
        default: "signal \(signal)"
        }
    }

    /// Creates a set for system calls.
    static func signalSet(_ signals: [Int32]) -> sigset_t {
        var result = sigset_t()
        sigemptyset(&result)
        for signal in signals { sigaddset(&result, signal) }
        return result
    }

    /// The signals that are blocked in started programs: none.
    static var none: sigset_t { signalSet([]) }
    /// The signals that this process ignores and started programs do not.
    static var ignoredHere: sigset_t { signalSet(state.withLock { $0.ignoredHere }) }

    private static func ignore(_ signal: Int32) {
        guard !isIgnored(signal) else { return }
        SystemCalls.ignore(signal)
        state.withLock { $0.ignoredHere.append(signal) }
    }

    /// Ends the process by SIGPIPE, the default action of a write to a pipe without a reader. Returns if the parent
    /// ignores the signal, because it then expects an error.
    static func endWithPipe() {
        guard state.withLock({ $0.ignoredHere.contains(SIGPIPE) }) || !isIgnored(SIGPIPE) else { return }
        ProcessEnd.leave(.signal(SIGPIPE))
    }

    /// Blocks signals in this thread and in threads started by it, until ``take(_:)`` starts a thread for them.
    ///
    /// Must be called before any thread is started.
    static func block(_ use: Use) {
        let signals: [Int32]
        switch use {
        case .none, .noPipe: signals = []
        case .ending: signals = ending + [SIGTSTP]
        case .endingButNoPipe: signals = ending
        case .all:
            signals = ending + others + [SIGTSTP, SIGCHLD]
            // If SIGCHLD is ignored, the parent receives no status of its children.
            SystemCalls.useNoAction(for: SIGCHLD)
            #if canImport(Darwin)
                // Without a handler, these signals are dropped even while they are blocked.
                for signal in [SIGWINCH, SIGCONT] where !isIgnored(signal) { SystemCalls.useNoAction(for: signal) }
            #endif
        }
        // Signals that nohup and shells ignore for background programs stay ignored.
        let taken = signals.filter { !isIgnored($0) }
        var blocked = signalSet(taken)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        state.withLock { $0 = State(taken: taken) }
        // A file that reaches its size limit causes a failed write, not the end of the process.
        ignore(SIGXFSZ)
        if use == .noPipe || use == .endingButNoPipe || use == .all { ignore(SIGPIPE) }
        if use == .all { GroupWitness.start() }
    }

    /// Passes signals to `handle` on a separate thread, beginning with pending signals.
    ///
    /// Of several pending signals, the lowest number comes first. A request to end is therefore handled before the end
    /// of a child.
    static func take(_ handle: @escaping @Sendable (Received) -> Void) {
        let taken = state.withLock { $0.taken }
        guard !taken.isEmpty else { return }
        let isStarted = Threads.start {
            while true {
                if let received = next(of: taken) { handle(received) }
            }
        }
        guard isStarted else {
            Console.error(
                "cycles: the system gives the tool no thread for signals; raise the limit on threads (ulimit -u, or "
                    + "pids.max of the cgroup)"
            )
            ProcessEnd.leave(.temporary)
        }
    }

    private static func next(of signals: [Int32]) -> Received? {
        var set = signalSet(signals)
        #if canImport(Darwin)
            var signal: Int32 = 0
            guard sigwait(&set, &signal) == 0 else { return nil }
            // The sender is unknown. If the terminal belongs to this group, the terminal probably sent the signal.
            let isOurs = tcgetpgrp(STDIN_FILENO) == getpgrp()
            let isFromTerminal = isOurs && [SIGINT, SIGQUIT, SIGWINCH, SIGTSTP].contains(signal)
            return Received(number: signal, sender: 0, isFromKernel: isFromTerminal)
        #else
            var information = siginfo_t()
            let signal = sigwaitinfo(&set, &information)
            return signal > 0 ? Received(signal, information) : nil
        #endif
    }

    /// Consumes a pending signal; nil if the signal is not pending.
    static func takeWaiting(_ signal: Int32) -> Received? {
        #if canImport(Darwin)
            return nil
        #else
            var (set, information) = (signalSet([signal]), siginfo_t())
            var noTime = timespec()
            return sigtimedwait(&set, &information, &noTime) == signal ? Received(signal, information) : nil
        #endif
    }

    /// Whether SIGCONT is pending, which cancels an earlier stop.
    static var continues: Bool {
        var waiting = sigset_t()
        return sigpending(&waiting) == 0 && sigismember(&waiting, SIGCONT) == 1
    }

    /// Stops this process, unless SIGCONT is pending. Must be called on the thread of ``take(_:)``.
    static func stopHere() {
        if !continues { deliver(SIGTSTP) }
    }

    /// Performs the default action of a signal on this process.
    static func deliver(_ signal: Int32) {
        var set = signalSet([signal])
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        pthread_kill(pthread_self(), signal)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private static func isIgnored(_ signal: Int32) -> Bool {
        var action = sigaction()
        guard sigaction(signal, nil, &action) == 0 else { return false }
        #if canImport(Darwin)
            let handler = action.__sigaction_u.__sa_handler
        #elseif canImport(Musl)
            let handler = action.__sa_handler.sa_handler
        #else
            let handler = action.__sigaction_handler.sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }
}

#if !canImport(Darwin)
    extension Signals.Received {
        init(_ signal: Int32, _ information: siginfo_t) {
            number = signal
            #if canImport(Musl)
                sender = information.__si_fields.__si_common.__first.__piduid.si_pid
            #else
                sender = information._sifields._kill.si_pid
            #endif
            // The codes of signals sent by processes are zero or negative.
            isFromKernel = information.si_code > 0
        }
    }
#endif
