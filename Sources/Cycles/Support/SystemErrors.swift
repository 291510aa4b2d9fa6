#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Error numbers of the operating system.
enum SystemErrors {
    /// Returns the meaning of an error number, such as "No such file or directory".
    static func text(_ number: Int32) -> String { String(cString: strerror(number)) }

    /// Returns EMFILE or ENFILE if the process can open hardly any file at this moment, otherwise 0.
    ///
    /// Libraries that cannot open a file often report only that its contents are missing.
    static func descriptorShortage() -> Int32 {
        var opened: [Int32] = []
        defer { for descriptor in opened { _ = close(descriptor) } }
        for _ in 0..<4 {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { return errno == EMFILE || errno == ENFILE ? errno : 0 }
            opened.append(descriptor)
        }
        return 0
    }
}
