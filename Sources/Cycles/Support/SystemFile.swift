#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// System calls on descriptors whose names clash with Swift's own.
package enum SystemFile {
    /// Writes bytes, repeating the call after an interruption.
    /// - Returns: The number of bytes written; negative for a failure.
    package static func write(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        while true {
            #if canImport(Glibc)
                let written = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            #elseif canImport(Musl)
                let written = Musl.write(descriptor, bytes.baseAddress, bytes.count)
            #else
                let written = Darwin.write(descriptor, bytes.baseAddress, bytes.count)
            #endif
            if written >= 0 || errno != EINTR { return written }
        }
    }

    /// Reads bytes, repeating the call after an interruption.
    /// - Returns: The number of bytes read, 0 at the end; negative for a failure.
    package static func read(_ descriptor: Int32, _ bytes: UnsafeMutableRawBufferPointer) -> Int {
        while true {
            #if canImport(Glibc)
                let count = Glibc.read(descriptor, bytes.baseAddress, bytes.count)
            #elseif canImport(Musl)
                let count = Musl.read(descriptor, bytes.baseAddress, bytes.count)
            #else
                let count = Darwin.read(descriptor, bytes.baseAddress, bytes.count)
            #endif
            if count >= 0 || errno != EINTR { return count }
        }
    }

    /// Gives an open file another number if its number is that of a standard stream, which the program has closed.
    /// Output of the program must not get into the file.
    /// - Parameter descriptor: The result of a call that opens files; a negative one is returned unchanged.
    package static func aboveStandardStreams(_ descriptor: Int32) -> Int32 {
        guard (STDIN_FILENO...STDERR_FILENO).contains(descriptor) else { return descriptor }
        let other = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
        let reason = errno
        close(descriptor)
        errno = reason
        return other
    }

    package static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
            _ = Musl.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }
}
