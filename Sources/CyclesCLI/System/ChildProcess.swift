#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Another program, started by this one, with the same terminal, group and directory.
struct ChildProcess: Sendable {
    enum Ending: Hashable, Sendable {
        case exited(Int32)
        case signalled(Int32)

        /// As a shell has it.
        var status: ExitStatus {
            switch self {
            case .exited(let code): ExitStatus(code: code)
            case .signalled(let number): .signal(number)
            }
        }

        var isSuccess: Bool { self == .exited(0) }
    }

    let identifier: pid_t

    /// Starts a program, which is looked for along PATH if its name has no slash.
    /// - Parameters:
    ///   - words: The program and its arguments.
    ///   - environment: All of it, as `NAME=value`.
    ///   - descriptor: What it inherits besides what was inherited itself.
    ///   - number: Under which number it does.
    init(
        _ words: [String],
        environment: [String],
        inheriting descriptor: Int32,
        as number: Int32
    ) throws(SystemFailure) {
        #if canImport(Darwin)
            var attributes: posix_spawnattr_t?
            var actions: posix_spawn_file_actions_t?
        #else
            var attributes = posix_spawnattr_t()
            var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawnattr_init(&attributes)
        posix_spawn_file_actions_init(&actions)
        defer {
            posix_spawnattr_destroy(&attributes)
            posix_spawn_file_actions_destroy(&actions)
        }
        var (blocked, defaulted) = (Signals.none, Signals.ignored)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        posix_spawnattr_setsigdefault(&attributes, &defaulted)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        // Onto itself, it is at least not closed any more.
        posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        var identifier = pid_t()
        let result = CStrings.with(words) { arguments in
            CStrings.with(environment) { environment in
                posix_spawnp(&identifier, words[0], &actions, &attributes, arguments, environment)
            }
        }
        guard result == 0 else { throw SystemFailure("start", words[0], code: result) }
        self.identifier = identifier
    }

    /// The lowest descriptor that a program would not inherit. Not above 9: some shells do not understand more in a
    /// redirection.
    static var freeDescriptor: Int32? {
        (3...9).first { number in
            let flags = fcntl(number, F_GETFD)
            return flags < 0 || flags & FD_CLOEXEC != 0
        }
    }

    /// Waits until it has ended. `beforeReaping` runs while its number still means it and nothing else.
    func wait(_ beforeReaping: @escaping @Sendable () -> Void) async -> Ending {
        await withCheckedContinuation { continuation in
            Threads.start {
                var information = siginfo_t()
                while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
                beforeReaping()
                var status: Int32 = 0
                while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
                let signal = status & 0x7f
                continuation.resume(returning: signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal))
            }
        }
    }

    func send(_ signal: Int32) { kill(identifier, signal) }
}

private enum CStrings {
    /// A list of texts as C has it, with nothing at its end.
    static func with<Result>(
        _ texts: [String],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var copies = texts.map { strdup($0) } + [nil]
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("a list with an end has a beginning") }
            return body(base)
        }
    }
}
