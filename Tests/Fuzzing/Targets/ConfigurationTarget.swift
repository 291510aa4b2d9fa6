@testable import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Settings as texts. The first byte of an input chooses the kind of text.
enum ConfigurationTarget {
    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        switch input.byte() % 4 {
        case 0: try readURL(input.text)
        case 1: try readTime(input.text)
        case 2: try readKeyFile(Array(input.rest.prefix(4_096)))
        default: try readEnvironment(&input)
        }
    }

    /// An accepted URL has the form that requests need, and its prefix is a base URL with the same prefix.
    private static func readURL(_ text: String) throws(Finding) {
        guard let url = try? BaseURL(text) else { return }
        try require(url.raw.hasSameUTF8(as: text), "the URL changed")
        try require(url.prefix.hasPrefix(url.isSecure ? "https://" : "http://"), "the scheme changed")
        try require(url.prefix.hasPart(url.authority) && !url.authority.isEmpty, "the host changed")
        try require(!url.prefix.hasSuffix("/"), "a slash is left at the end")
        try require(url.prefix.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "the URL cannot be sent")
        try require(!url.authority.utf8.contains { "/?#@\\".utf8.contains($0) }, "the host is \(url.authority)")
        let again = try require(try? BaseURL(url.prefix), "the prefix is refused")
        try require(again.prefix == url.prefix && again.authority == url.authority, "the prefix is not stable")
        let separator = url.prefix.utf8.dropFirst(url.isSecure ? 8 : 7).dropFirst(url.authority.utf8.count).first
        try require(separator == nil || separator == UInt8(ascii: "/"), "the path follows without a slash")
    }

    /// An accepted time is within its range, and its milliseconds are the same time.
    private static func readTime(_ text: String) throws(Finding) {
        guard let time = Duration(configured: text) else { return }
        try require(time >= .zero && time < .seconds(320_000_000_000), "\(text) is \(time)")
        let milliseconds = time.wholeMilliseconds
        try require(Duration(configured: "\(milliseconds)") == time, "\(milliseconds) ms is another time")
        try require(Duration(configured: "\(milliseconds)ms") == time, "\(milliseconds)ms is another time")
    }

    /// A key is the first line of its file.
    private static func readKeyFile(_ contents: [UInt8]) throws(Finding) {
        var ends: [CInt] = [-1, -1]
        guard pipe(&ends) == 0 else { fatalError("pipe: \(errno)") }
        defer { close(ends[0]) }
        // The zero keeps the address valid; it is not written.
        _ = (contents + [0]).withUnsafeBytes { write(ends[1], $0.baseAddress!, $0.count - 1) }
        close(ends[1])
        var line = contents.prefix { $0 != 0x0a && $0 != 0x0d }
        if line.starts(with: [0xef, 0xbb, 0xbf]) { line = line.dropFirst(3) }
        let expected = String(decoding: line, as: UTF8.self)
        let key = try? KeyFile.key(at: "/dev/fd/\(ends[0])")
        try require(key?.hasSameUTF8(as: expected) ?? expected.isBlank, "the key is not the first line")
    }

    /// Accepted variables have usable values, and no text shows a secret.
    private static func readEnvironment(_ input: inout FuzzInput) throws(Finding) {
        var variables: [String: String] = [:]
        while let line = input.line() {
            let parts = line.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            variables[String(decoding: parts[0], as: UTF8.self)] = String(decoding: parts[1], as: UTF8.self)
        }
        variables["API_KEY_FILE"] = nil
        let configuration: CyclesConfiguration
        do throws(CyclesError) {
            configuration = try .fromEnvironment(prefix: "") { variables[$0] }
        } catch {
            return try conceals(variables, "\(error)")
        }
        try require(configuration.connectTimeout > .zero && configuration.readTimeout > .zero, "a limit of no time")
        try require(configuration.retry.maxRetries >= 0 && configuration.retry.initialDelay > .zero, "unusable retries")
        try require(configuration.retry.multiplier >= 1 && configuration.retry.multiplier.isFinite, "no multiplier")
        try require(configuration.journal.directoryProblem == nil, "an unusable directory")
        var dumped = ""
        dump(configuration, to: &dumped)
        try conceals(variables, "\(configuration)\n\(String(reflecting: configuration))\n\(dumped)")
        let headers: HTTPHeaders
        do throws(CyclesError) {
            headers = try RequestAssembly(configuration).credentials.headers(for: .post)
        } catch {
            return try conceals(variables, "\(error)")
        }
        try require(headers.firstDefect == nil, "a field of requests is invalid")
    }

    private static func conceals(_ variables: [String: String], _ text: String) throws(Finding) {
        let names = ["API_KEY", "ADMIN_API_KEY"]
        for name in names {
            // A short key, or one that another variable contains, may stand in the text by chance.
            guard let key = variables[name], key.utf8.count >= 12,
                !variables.contains(where: { $0.key != name && $0.value.hasPart(key) })
            else { continue }
            let isChance = "CyclesConfiguration(baseURL: apiKey: [redacted], tenant: Optional(nil)".hasPart(key)
            try require(isChance || !text.hasPart(key), "\(name) is shown: \(text)")
        }
    }
}
