#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The environment of the process.
enum Environment {
    /// The value of a variable; nil if the variable is unset or blank.
    static func text(_ name: String) -> String? {
        guard let value = getenv(name).map({ String(cString: $0) }) else { return nil }
        return value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 } ? nil : value
    }

    /// The value of a variable as bytes; nil if the variable is unset.
    static func bytes(_ name: String) -> [UInt8]? { getenv(name).map(bytes) }

    /// Overwrites the value of a variable in the memory that the system shows to other processes.
    static func erase(_ name: String) {
        guard let value = getenv(name) else { return }
        memset(value, 0, strlen(value))
    }

    /// All variables, as bytes of `NAME=value`.
    static var all: [[UInt8]] {
        var result: [[UInt8]] = []
        var next = environ
        while let entry = next.pointee {
            result.append(bytes(entry))
            next += 1
        }
        return result
    }

    /// The last words of the command line, as bytes.
    static func lastWords(_ count: Int) -> [[UInt8]] {
        let all = Int(CommandLine.argc)
        return (max(0, all - count)..<all).compactMap { CommandLine.unsafeArgv[$0].map(bytes) }
    }

    private static func bytes(_ text: UnsafeMutablePointer<CChar>) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: text, count: strlen(text)))
    }
}
