#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Signals that a command of the tool takes, on a thread of their own, instead of being ended by them.
enum Signals {
    /// Sent by Ctrl-C.
    static let interrupt = SIGINT
    /// Sent by Ctrl-Z.
    static let stop = SIGTSTP
    /// A child process has ended.
    static let childEnded = SIGCHLD

    /// These ask a process to end.
    private static let ending = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// These mean something to some programs.
    private static let others = [SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT]

    /// Which signals a command takes.
    enum Use: Sendable {
        /// None: they do what they do to any program.
        case none
        /// None that asks to end. A pipe that nobody reads any more is a failed write: something is to be done then.
        case noPipe
        /// Those that ask to end or to stop.
        case ending
        /// Those that ask to end; and a pipe without a reader does not end the command.
        case endingButNoPipe
        /// Those that can be passed on to a program, and the end of one.
        case all
    }

    /// A signal that was taken.
    struct Received: Sendable {
        let number: Int32
        /// The process that sent the signal; 0 for the kernel.
        let sender: Int32
        /// Whether the kernel sent the signal, as it does on behalf of a terminal.
        let isFromKernel: Bool
    }

    private struct State {
        var taken: [Int32] = []
        /// Signals that this process ignores although whoever started it does not.
        var ignoredHere: [Int32] = []
    }

    private static let state = Lock(State())

    static func asksToEnd(_ signal: Int32) -> Bool { ending.contains(signal) }

    /// The name that people know a signal by.
    static func name(_ signal: Int32) -> String {
        switch signal {
        case SIGINT: "SIGINT"
        case SIGTERM: "SIGTERM"
        case SIGHUP: "SIGHUP"
        case SIGQUIT: "SIGQUIT"
        default: "signal \(signal)"
        }
    }

    /// A set for the calls that take one.
    static func signalSet(_ signals: [Int32]) -> sigset_t {
        var result = sigset_t()
        sigemptyset(&result)
        for signal in signals { sigaddset(&result, signal) }
        return result
    }

    /// The signals that are blocked in a program which is started: none.
    static var none: sigset_t { signalSet([]) }
    /// The signals that this process ignores, and that a program which is started does not.
    static var ignoredHere: sigset_t { signalSet(state.withLock { $0.ignoredHere }) }

    private static func ignore(_ signal: Int32) {
        guard !isIgnored(signal) else { return }
        SystemCalls.ignore(signal)
        state.withLock { $0.ignoredHere.append(signal) }
    }

    /// Ends the process as a write to a pipe without a reader ends any program. Returns if whoever started the process
    /// ignores that signal, and so wants to hear of it.
    static func endWithPipe() {
        guard state.withLock({ $0.ignoredHere.contains(SIGPIPE) }) || !isIgnored(SIGPIPE) else { return }
        ProcessEnd.leave(.signal(SIGPIPE))
    }

    /// Blocks signals in this thread and those that it starts, until ``take(_:)`` has a thread for them.
    ///
    /// To be called before anything else has started a thread.
    static func block(_ use: Use) {
        let signals: [Int32]
        switch use {
        case .none, .noPipe: signals = []
        case .ending: signals = ending + [SIGTSTP]
        case .endingButNoPipe: signals = ending
        case .all:
            signals = ending + others + [SIGTSTP, SIGCHLD]
            // Where this is ignored, the end of a child is not reported to its parent.
            SystemCalls.useNoAction(for: SIGCHLD)
            #if canImport(Darwin)
                // Without an action, these are dropped even while they are blocked.
                for signal in [SIGWINCH, SIGCONT] where !isIgnored(signal) { SystemCalls.useNoAction(for: signal) }
            #endif
        }
        // What nohup and shells ignore on purpose for programs in the background stays ignored.
        let taken = signals.filter { !isIgnored($0) }
        var blocked = signalSet(taken)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        state.withLock { $0 = State(taken: taken) }
        // A file that may not grow any more is a failed write: what is spent or held is not forgotten for it.
        ignore(SIGXFSZ)
        if use == .noPipe || use == .endingButNoPipe || use == .all { ignore(SIGPIPE) }
        if use == .all { GroupWitness.start() }
    }

    /// Gives signals to `handle` from now on, on a thread that does nothing else; first those that came before.
    ///
    /// Of several that wait, the one with the lowest number is handled first: what asks to end comes before the end of a
    /// child.
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
            // The sender cannot be told. What a terminal may have sent while it is ours, it probably did.
            let isOurs = tcgetpgrp(STDIN_FILENO) == getpgrp()
            let isFromTerminal = isOurs && [SIGINT, SIGQUIT, SIGWINCH, SIGTSTP].contains(signal)
            return Received(number: signal, sender: 0, isFromKernel: isFromTerminal)
        #else
            var information = siginfo_t()
            let signal = sigwaitinfo(&set, &information)
            return signal > 0 ? Received(signal, information) : nil
        #endif
    }

    /// Takes a signal that waits for the thread of ``take(_:)``; nil if it does not.
    static func takeWaiting(_ signal: Int32) -> Received? {
        #if canImport(Darwin)
            return nil
        #else
            var (set, information) = (signalSet([signal]), siginfo_t())
            var noTime = timespec()
            return sigtimedwait(&set, &information, &noTime) == signal ? Received(signal, information) : nil
        #endif
    }

    /// Whether this process was told to continue, and has not taken note yet: a stop before that is over.
    static var continues: Bool {
        var waiting = sigset_t()
        return sigpending(&waiting) == 0 && sigismember(&waiting, SIGCONT) == 1
    }

    /// Stops this process as Ctrl-Z does to any program, unless it was told to continue meanwhile. For the thread of
    /// ``take(_:)``.
    static func stopHere() {
        if !continues { deliver(SIGTSTP) }
    }

    /// Lets a signal do to this process what it does to any program.
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
            // Signals that processes send have codes of zero and less.
            isFromKernel = information.si_code > 0
        }
    }
#endif
