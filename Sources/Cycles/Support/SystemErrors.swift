#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Error numbers of the system.
enum SystemErrors {
    /// What a number means, such as "No such file or directory".
    static func text(_ number: Int32) -> String { String(cString: strerror(number)) }
}
