#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The file descriptors of the process.
enum Descriptors {
    private static let inherited = Lock(Set<Int32>())
    /// The numbers to check; the tool never opens more.
    private static let range: Range<Int32> = 3..<1_024

    /// Opens closed standard descriptors, so that no file or socket of the tool gets their numbers and receives output.
    /// Must be called before any file is opened.
    ///
    /// Reading and writing still fail as on a closed descriptor, and a started program finds the descriptors closed.
    static func occupyStandard() {
        for number in STDIN_FILENO...STDERR_FILENO where fcntl(number, F_GETFD) < 0 {
            let access = number == STDIN_FILENO ? O_WRONLY : O_RDONLY
            // `open` returns the lowest free number. All lower numbers are in use.
            if open("/dev/null", access | O_CLOEXEC) < 0 { _ = open("/", O_RDONLY | O_CLOEXEC) }
        }
    }

    /// Records the inherited descriptors. Must be called before any file is opened.
    static func rememberInherited() {
        inherited.withLock { $0 = Set(range.filter { fcntl($0, F_GETFD) >= 0 }) }
    }

    /// Sets the close-on-exec flag of all descriptors that were not inherited, because libraries may not set the flag.
    static func keepFromPrograms() {
        let inherited = inherited.withLock { $0 }
        for number in range where !inherited.contains(number) {
            let flags = fcntl(number, F_GETFD)
            if flags >= 0, flags & FD_CLOEXEC == 0 { _ = fcntl(number, F_SETFD, flags | FD_CLOEXEC) }
        }
    }

    /// The lowest number that a program would not inherit, at most 9, because some shells accept only one digit in a
    /// redirection.
    static var free: Int32? { (3...9).first { number in !inherited.withLock { $0.contains(number) } } }
}
