#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

extension JournalConfiguration {
    /// The reason why the configured directory is refused, with a path to use instead; nil if it is accepted.
    ///
    /// Relative paths are refused, since a process in another current directory would not find the records of an
    /// earlier process.
    package var directoryProblem: String? {
        guard case .directory(let path) = self else { return nil }
        if path.isBlank { return "is blank; write a path that begins with /" }
        if path.utf8.contains(0) { return "contains NUL; write a path without it" }
        if path.utf8.first == UInt8(ascii: "/") { return nil }
        if path == "~" || path.hasPrefix("~/") {
            let example = JournalConfiguration.home.map { "; write \($0)\(path.dropFirst())" } ?? ""
            return "is \"\(path)\", but only shells expand ~\(example)"
        }
        if path.hasPrefix("~") {
            return "is \"\(path)\", but only shells expand ~; write a path that begins with /"
        }
        let advice = JournalConfiguration.absolute(path).map { "; write \($0)" } ?? "; write a path that begins with /"
        return "is \"\(path)\", a relative path, which names another directory for each current directory\(advice)"
    }

    private static var home: String? {
        guard let home = getenv("HOME").map({ String(cString: $0) }), home.hasPrefix("/") else { return nil }
        return home == "/" ? "" : home
    }

    /// The absolute form of a relative path, without `.` and `..`.
    private static func absolute(_ path: String) -> String? {
        guard let current = getcwd(nil, 0) else { return nil }
        defer { free(current) }
        let here = String(cString: current)
        guard here.hasPrefix("/") else { return nil }
        var parts = here.split(separator: "/")
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return "/" + parts.joined(separator: "/")
    }
}
