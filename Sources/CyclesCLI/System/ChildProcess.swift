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
        /// The system does not say.
        case unknown

        /// As a shell has it.
        var status: ExitStatus {
            switch self {
            case .exited(let code): ExitStatus(code: code)
            case .signalled(let number): .signal(number)
            case .unknown: .failure
            }
        }

        var isSuccess: Bool { self == .exited(0) }
    }

    let identifier: pid_t

    /// Starts a program, which is looked for along PATH if its name has no slash.
    /// - Parameters:
    ///   - words: The program and its arguments, as bytes: not all that the system takes for text is UTF-8.
    ///   - environment: All of it, as `NAME=value`.
    ///   - descriptor: What it inherits besides what was inherited itself.
    ///   - number: Under which number it does.
    init(
        _ words: [[UInt8]],
        environment: [[UInt8]],
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
        Descriptors.keepFromPrograms()
        var identifier = pid_t()
        let result = CStrings.with(words) { arguments in
            guard let program = arguments[0] else { return EINVAL }
            return CStrings.with(environment) { environment in
                posix_spawnp(&identifier, program, &actions, &attributes, arguments, environment)
            }
        }
        guard result == 0 else { throw SystemFailure("start", String(decoding: words[0], as: UTF8.self), code: result) }
        self.identifier = identifier
    }

    /// Waits until it has ended. `beforeReaping` runs while its number still means it and nothing else.
    func wait(_ beforeReaping: @escaping @Sendable () -> Void) async -> Ending {
        await withCheckedContinuation { continuation in
            let wait: @Sendable () -> Void = { continuation.resume(returning: waitHere(beforeReaping)) }
            // Where there is no thread, the one that asks has nothing else to do: the command runs, and is to be settled.
            if !Threads.start(wait) { wait() }
        }
    }

    private func waitHere(_ beforeReaping: () -> Void) -> Ending {
        var information = siginfo_t()
        while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        beforeReaping()
        var status: Int32 = 0
        var result = waitpid(identifier, &status, 0)
        while result < 0, errno == EINTR { result = waitpid(identifier, &status, 0) }
        guard result == identifier else { return .unknown }
        let signal = status & 0x7f
        return signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
    }

    func send(_ signal: Int32) { kill(identifier, signal) }
}

private enum CStrings {
    /// A list of texts as C has it, with nothing at its end.
    static func with<Result>(
        _ texts: [[UInt8]],
        _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var copies = texts.map { text in
            (text + [0]).withUnsafeBytes { bytes in
                bytes.baseAddress.flatMap { strdup($0.assumingMemoryBound(to: CChar.self)) }
            }
        }
        copies.append(nil)
        defer { for copy in copies { free(copy) } }
        return copies.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("a list with an end has a beginning") }
            return body(base)
        }
    }
}
