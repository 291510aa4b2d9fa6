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

    private static let ending = [SIGINT, SIGTERM, SIGHUP, SIGQUIT]
    /// What `nohup` and shells ignore on purpose for programs in the background stays ignored.
    private static let taken = ending.filter { !isIgnored($0) }

    /// A set for the calls that take one.
    private static func set(_ signals: [Int32]) -> sigset_t {
        var result = sigset_t()
        sigemptyset(&result)
        for signal in signals { sigaddset(&result, signal) }
        return result
    }

    /// What programs are started with: nothing blocked that this process blocks, and the default for what it ignores.
    static var none: sigset_t { Signals.set([]) }
    static var ignored: sigset_t { Signals.set([SIGPIPE]) }

    /// Blocks the signals in this thread and those that it starts, until ``take(_:)`` has a thread for them. Writing to
    /// a pipe that nobody reads does not end the process, either.
    ///
    /// To be called before anything else has started a thread.
    static func block() {
        var blocked = set(taken)
        pthread_sigmask(SIG_BLOCK, &blocked, nil)
        _ = SystemCalls.signal(SIGPIPE, SIG_IGN)
    }

    /// From now on signals go to `handle`, on a thread that does nothing else. Those that came before are handed on.
    /// - Parameter handle: Is told the number, and whether a terminal sent it, which sends it to the whole group.
    static func take(_ handle: @escaping @Sendable (_ signal: Int32, _ isFromTerminal: Bool) -> Void) {
        guard !taken.isEmpty else { return }
        Threads.start {
            var blocked = set(taken)
            while true {
                #if canImport(Darwin)
                    var signal: Int32 = 0
                    guard sigwait(&blocked, &signal) == 0 else { continue }
                    handle(signal, false)
                #else
                    var information = siginfo_t()
                    let signal = sigwaitinfo(&blocked, &information)
                    // The kernel itself sends on behalf of a terminal; what processes send has codes of zero and less.
                    if signal > 0 { handle(signal, information.si_code > 0) }
                #endif
            }
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

    /// Ends the program if the system has no thread to give: nothing that the tool does works without.
    static func start(_ body: @escaping @Sendable () -> Void) {
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
            Console.error("cycles: the system has no thread to give: \(String(cString: strerror(result)))")
            SystemCalls.exit(ExitStatus.failure.code)
        }
        #if canImport(Darwin)
            if let thread { pthread_detach(thread) }
        #else
            pthread_detach(thread)
        #endif
    }
}
