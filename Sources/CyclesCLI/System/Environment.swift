#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The environment of the process.
enum Environment {
    /// The value of a variable; nil if it is not set, or blank.
    static func text(_ name: String) -> String? {
        guard let value = getenv(name).map({ String(cString: $0) }) else { return nil }
        return value.utf8.allSatisfy { $0 == 0x20 || $0 == 0x09 } ? nil : value
    }

    /// All variables, as `NAME=value`.
    static var all: [String] {
        var result: [String] = []
        var next = environ
        while let entry = next.pointee {
            result.append(String(cString: entry))
            next += 1
        }
        return result
    }
}
