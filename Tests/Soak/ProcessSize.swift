#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The resources that a process holds, as `/proc` shows them.
struct ProcessSize {
    var residentKiB: Int
    var threads: Int
    var descriptors: Int

    static var current: ProcessSize {
        let status = lines(of: "/proc/self/status")
        func number(_ name: String) -> Int {
            let line = status.first { $0.hasPrefix(name) } ?? ""
            return line.split { !$0.isNumber }.first.flatMap { Int($0) } ?? 0
        }
        return ProcessSize(
            residentKiB: number("VmRSS:"),
            threads: number("Threads:"),
            descriptors: (0..<4_096).count { fcntl($0, F_GETFD) >= 0 }
        )
    }

    private static func lines(of path: String) -> [Substring] {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var text: [UInt8] = []
        while case let byte = getc(file), byte != EOF { text.append(UInt8(byte)) }
        return String(decoding: text, as: UTF8.self).split(separator: "\n")
    }

    /// Compares the last quarter of the samples with the first, the warm-up.
    ///
    /// Memory may vary by a twentieth and 4 MiB, since the allocator keeps free pages. Threads end 5 seconds after their
    /// last work, and connections are replaced: their lowest numbers are compared, which rise if any are left behind.
    /// The address sanitizer keeps memory that was freed, and reports leaks itself.
    /// - Returns: A description of each resource that has grown.
    static func growth(_ samples: [ProcessSize]) -> [String] {
        let (first, last) = (samples.prefix(samples.count / 4), samples.suffix(samples.count / 4))
        func check(_ name: String, from before: Int?, to after: Int?, atMost limit: (Int) -> Int) -> String? {
            guard let before, let after, before > 0 else { return "\(name) cannot be measured here" }
            return after > limit(before) ? "\(name) grew from \(before) to \(after)" : nil
        }
        let isSanitized = getenv("ASAN_OPTIONS") != nil
        return [
            isSanitized
                ? nil
                : check(
                    "the resident memory in KiB",
                    from: first.map(\.residentKiB).max(),
                    to: last.map(\.residentKiB).max()
                ) { $0 + $0 / 20 + 4_096 },
            check("the number of threads", from: first.map(\.threads).max(), to: last.map(\.threads).min()) { $0 + 4 },
            check(
                "the number of descriptors",
                from: first.map(\.descriptors).max(),
                to: last.map(\.descriptors).min()
            ) { $0 + 8 },
        ].compactMap { $0 }
    }
}
