#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program started by this process, with the same terminal, process group and directory.
struct ChildProcess: Sendable {
    enum Ending: Hashable, Sendable {
        case exited(Int32)
        case signalled(Int32)
        /// The system does not report the status.
        case unknown

        /// The exit status as shells report it.
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

    /// Starts a program. A name without a slash is searched in PATH. The shell runs a file that the system cannot
    /// execute, as with `env` and `execvp`.
    /// - Parameters:
    ///   - words: The program and its arguments, as bytes, because they may not be UTF-8.
    ///   - environment: The whole environment, as `NAME=value`.
    ///   - descriptor: A descriptor to inherit, in addition to those that this process has inherited.
    ///   - number: The number of that descriptor in the program.
    ///   - isAboutToStart: Called immediately before each attempt to start the program.
    init(
        _ words: [[UInt8]],
        environment: [[UInt8]],
        inheriting descriptor: Int32,
        as number: Int32,
        isAboutToStart: () -> Void
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
        var (blocked, defaulted) = (Signals.none, Signals.ignoredHere)
        posix_spawnattr_setsigmask(&attributes, &blocked)
        posix_spawnattr_setsigdefault(&attributes, &defaulted)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
        // If both numbers are equal, this clears the close-on-exec flag.
        posix_spawn_file_actions_adddup2(&actions, descriptor, number)
        Descriptors.keepFromPrograms()
        var identifier = pid_t()
        func spawn(_ path: [UInt8], _ words: [[UInt8]]) -> Int32 {
            CStrings.with(words) { arguments in
                CStrings.with(environment) { environment in
                    CStrings.with([path]) { path in
                        guard let path = path[0] else { return ENOMEM }
                        return posix_spawn(&identifier, path, &actions, &attributes, arguments, environment)
                    }
                }
            }
        }
        let shell = Array("/bin/sh".utf8)
        try ProgramSearch(words.first ?? []).start { path in
            isAboutToStart()
            let result = spawn(path, words)
            guard result == ENOEXEC else { return result }
            return spawn(shell, [shell, path] + words.dropFirst()) == 0 ? 0 : result
        }
        self.identifier = identifier
    }

    /// Whether signals to this process's group reach the program.
    var isInThisGroup: Bool { getpgid(identifier) == getpgrp() }

    func send(_ signal: Int32) { kill(identifier, signal) }

    /// An ended child of this process that has not been reaped; nil if there is none.
    static var nextEnded: pid_t? {
        var information = siginfo_t()
        while waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) != 0 {
            guard errno == EINTR else { return nil }
        }
        #if canImport(Musl)
            let identifier = information.__si_fields.__si_common.__first.__piduid.si_pid
        #elseif canImport(Glibc)
            let identifier = information._sifields._sigchld.si_pid
        #else
            let identifier = information.si_pid
        #endif
        return identifier > 0 ? identifier : nil
    }

    /// Reaps an ended child. Its process id may be reused afterwards.
    static func reap(_ identifier: pid_t) -> Ending {
        var status: Int32 = 0
        var result = waitpid(identifier, &status, 0)
        while result < 0, errno == EINTR { result = waitpid(identifier, &status, 0) }
        guard result == identifier else { return .unknown }
        let signal = status & 0x7f
        return signal == 0 ? .exited((status >> 8) & 0xff) : .signalled(signal)
    }
}

private enum CStrings {
    /// Calls `body` with a null-terminated array of C strings.
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
