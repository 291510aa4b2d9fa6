/// The parts of a valid base URL.
package struct BaseURL: Hashable, Sendable {
    /// The URL as configured; identifies the journal's folder.
    package let raw: String
    /// The scheme, host, port and path prefix, without a trailing slash.
    package let prefix: String
    /// The host and port as written in the URL.
    package let authority: String
    /// Whether the scheme is `https`.
    package let isSecure: Bool

    /// Checks a URL and splits it into its parts.
    /// - Throws: ``CyclesError/configuration(_:)`` with the setting `name` and the problem.
    package init(_ raw: String, name: String = "baseURL") throws(CyclesError) {
        func refuse(_ message: String) -> CyclesError {
            .configuration(ConfigurationIssue(name: name, message: message))
        }
        guard !raw.isEmpty else { throw refuse("is empty; give the server's URL, such as https://cycles.example.com") }
        guard raw.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw refuse("contains white space, control characters or non-ASCII characters; encode or remove them")
        }
        let rest: Substring
        if let https = raw.dropPrefix(ignoringCase: "https://") {
            (isSecure, rest) = (true, https)
        } else if let http = raw.dropPrefix(ignoringCase: "http://") {
            (isSecure, rest) = (false, http)
        } else {
            throw refuse("has to begin with http:// or https://")
        }
        guard !rest.contains("?"), !rest.contains("#") else {
            throw refuse("has a query or fragment; leave it out")
        }
        guard !rest.contains("\\") else { throw refuse("contains a backslash") }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash]
        guard !authority.contains("@") else {
            throw refuse("contains user information; credentials belong in apiKey")
        }
        guard BaseURL.isValidAuthority(authority) else {
            throw refuse("has no valid host and port")
        }
        var path = rest[slash...]
        while path.last == "/" { path.removeLast() }
        guard !path.split(separator: "/").contains(where: { $0 == "." || $0 == ".." }) else {
            throw refuse("has a path with . or .. in it")
        }
        self.raw = raw
        self.authority = String(authority)
        prefix = (isSecure ? "https://" : "http://") + authority + path
    }

    private static func isValidAuthority(_ authority: Substring) -> Bool {
        let host: Substring
        let port: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { return false }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { return false }
            port = rest.isEmpty ? nil : rest.dropFirst()
            guard host.utf8.contains(UInt8(ascii: ":")) else { return false }
        } else {
            let parts = authority.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { return false }
            host = parts[0]
            port = parts.count == 2 ? parts[1] : nil
            guard !host.contains("["), !host.contains("]") else { return false }
        }
        guard !host.isEmpty else { return false }
        guard let port else { return true }
        return !port.isEmpty && port.utf8.allSatisfy { $0 &- 0x30 < 10 } && (Int(port).map { $0 <= 65_535 } ?? false)
    }
}

extension String {
    fileprivate func dropPrefix(ignoringCase prefix: String) -> Substring? {
        guard utf8.count >= prefix.utf8.count, self.prefix(prefix.count).lowercased() == prefix else { return nil }
        return dropFirst(prefix.count)
    }
}
