#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Open files, by their numbers.
enum Descriptors {
    private static let inherited = Lock(Set<Int32>())
    /// More than the tool ever opens.
    private static let range: Range<Int32> = 3..<1_024

    /// Sees to it that nothing the process opens becomes standard input, output or error where those are closed: an answer
    /// must not be written to a socket. To be called before anything else is opened.
    ///
    /// Reading and writing fail as they do on a closed descriptor, and a program that is started finds it closed.
    static func occupyStandard() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            let access = number == STDIN_FILENO ? O_WRONLY : O_RDONLY
            // The lowest free number is taken, and those below are open by now.
            if open("/dev/null", access | O_CLOEXEC) < 0 { _ = open("/", O_RDONLY | O_CLOEXEC) }
        }
    }

    /// To be called before anything is opened.
    static func rememberInherited() {
        inherited.withLock { $0 = Set(range.filter { fcntl($0, F_GETFD) >= 0 }) }
    }

    /// Sees to it that a program which is started next inherits what was inherited, and nothing that has been opened
    /// since: libraries do not always think of that.
    static func keepFromPrograms() {
        let inherited = inherited.withLock { $0 }
        for number in range where !inherited.contains(number) {
            let flags = fcntl(number, F_GETFD)
            if flags >= 0, flags & FD_CLOEXEC == 0 { _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC) }
        }
    }

    /// The lowest number that a program would not inherit. Not above 9: some shells do not understand more in a
    /// redirection.
    static var free: Int32? { (3...9).first { number in !inherited.withLock { $0.contains(number) } } }
}
