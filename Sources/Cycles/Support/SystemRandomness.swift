#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Random bits of the operating system.
package enum SystemRandomness {
    /// Returns 128 random bits with one system call. The standard generator makes one call for each word.
    package static func words() -> (UInt64, UInt64) {
        var words: (UInt64, UInt64) = (0, 0)
        let result = withUnsafeMutableBytes(of: &words) { getentropy($0.baseAddress, $0.count) }
        if result == 0 { return words }
        var generator = SystemRandomNumberGenerator()
        return (generator.next(), generator.next())
    }
}
