import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Signals that ask a process to end, taken by a thread of their own instead of ending it.
enum Signals {
    /// What Ctrl-C sends.
    static let interrupt = SIGINT

    /// What asks a process to end.
    private static let ending = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// What programs give a meaning of their own.
    private static let others = [SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGCONT]

    /// Which signals a command takes upon itself.
    enum Use: Sendable {
        /// None: they do what they do to any program.
        case none
        /// None that asks it to end. A pipe that nobody reads any more is a failed write: something is to be done then.
        case noPipe
        /// What asks it to end.
        case ending
        /// The same, and a pipe that nobody reads any more does not end it.
        case endingButNoPipe
        /// Whatever it could pass on to a program that it runs.
        case all
    }

    static func asksToEnd(_ signal: Int32) -> Bool { ending.contains(signal) }

    /// A set for the calls that take one.
    private static func set(_ signals: [Int32]) -> sigset_t {
        var result = sigset_t()
        sigemptyset(&result)
        for signal in signals { sigaddset(&result, signal) }
        return result
    }

    /// What programs are started with: nothing blocked that this process blocks, and the default for what it ignores.
    static var none: sigset_t { Signals.set([]) }
    static var ignored: sigset_t { Signals.set(ignoredHere.withLock { $0 }) }

    /// Signals that this process ignores although whoever started it does not.
    private static let ignoredHere = Mutex([Int32]())

    private static func ignore(_ signal: Int32) {
        guard !isIgnored(signal) else { return }
        SystemCalls.ignore(signal)
        ignoredHere.withLock { $0.append(signal) }
    }

    /// Ends the process as a write to a pipe without a reader ends any program. Returns if whoever started the process
    /// ignores that signal, and so wants to hear of it.
    static func endWithPipe() {
        guard ignoredHere.withLock({ $0.contains(SIGPIPE) }) || !isIgnored(SIGPIPE) else { return }
        SystemCalls.useDefault(for: SIGPIPE)
        raise(SIGPIPE)
    }

    /// Blocks the signals in this thread and those that it starts, until ``take(_:)`` has a thread for them.
    ///
    /// To be called before anything else has started a thread.
    static func block(_ use: Use) {
        let signals =
            switch use {
            case .none, .noPipe: [Int32]()
            case .ending, .endingButNoPipe: ending
            case .all: ending + others
            }
        // What nohup and shells ignore on purpose for programs in the background stays ignored.
        let taken = signals.filter { !isIgnored($0) }
        var blocked = set(taken)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        Signals.taken.withLock { $0 = taken }
        // A file that may not grow any more is a failed write: what is spent or held is not forgotten for it.
        ignore(SIGXFSZ)
        guard use == .noPipe || use == .endingButNoPipe || use == .all else { return }
        ignore(SIGPIPE)
        guard use != .noPipe else { return }
        // Where this is ignored, nobody learns how a program ended, not even who started it.
        SystemCalls.useDefault(for: SIGCHLD)
    }

    private static let taken = Mutex([Int32]())

    /// From now on signals go to `handle`, on a thread that does nothing else. Those that came before are handed on.
    /// - Parameter handle: Is told the number, and whether a terminal sent it, which sends it to the whole group.
    static func take(_ handle: @escaping @Sendable (_ signal: Int32, _ isFromTerminal: Bool) -> Void) {
        let taken = taken.withLock { $0 }
        guard !taken.isEmpty else { return }
        let isStarted = Threads.start {
            var blocked = set(taken)
            while true {
                #if canImport(Darwin)
                    var signal: Int32 = 0
                    guard sigwait(&blocked, &signal) == 0 else { continue }
                    // Who sent it cannot be told. What a terminal may have sent while it is ours, it probably did.
                    let isOurs = tcgetpgrp(STDIN_FILENO) == getpgrp()
                    handle(signal, isOurs && [SIGINT, SIGQUIT, SIGWINCH].contains(signal))
                #else
                    var information = siginfo_t()
                    let signal = sigwaitinfo(&blocked, &information)
                    // The kernel itself sends on behalf of a terminal; what processes send has codes of zero and less.
                    if signal > 0 { handle(signal, information.si_code > 0) }
                #endif
            }
        }
        guard isStarted else {
            Console.error(
                "cycles: the system gives the tool no thread for signals; raise the limit on threads (ulimit -u, or "
                    + "pids.max of the cgroup)"
            )
            SystemCalls.exit(ExitStatus.temporary.code)
        }
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

/// Threads that nobody joins.
enum Threads {
    private final class Body {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// Whether the system had a thread to give.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let argument = Unmanaged.passRetained(Body(body)).toOpaque()
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let result = pthread_create(
            &thread,
            nil,
            { argument in
                #if canImport(Darwin)
                    let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                #else
                    let body = Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue()
                #endif
                body.run()
                return nil
            },
            argument
        )
        guard result == 0 else {
            Unmanaged<Body>.fromOpaque(argument).release()
            return false
        }
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
        return true
    }
}
