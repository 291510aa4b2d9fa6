import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Open files, by their numbers.
enum Descriptors {
    private static let inherited = Mutex(Set<Int32>())
    /// More than the tool ever opens.
    private static let range: Range<Int32> = 3..<1_024

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
