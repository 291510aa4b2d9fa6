import Cycles

/// The parts of a request's URL.
struct RequestTarget: Sendable {
    /// The part up to and including `/v1`. Evidence URLs begin with it.
    let base: String
    /// The decoded segments of the path after `/v1`.
    let segments: [String]
    let query: RequestQuery

    /// Parses a URL. Any host and any path before `/v1` is accepted.
    init(_ url: String) throws(Refusal) {
        let beforeFragment = url.prefix { $0 != "#" }
        let resource = beforeFragment.prefix { $0 != "?" }
        let parts = resource.split(separator: "/", omittingEmptySubsequences: false)
        // The parts are "http:", "", the host, and the path.
        let hasHost = parts.count > 1 && parts[0].hasSuffix(":") && parts[1].isEmpty
        let pathStart = hasHost ? 3 : 1
        guard let version = parts.indices.dropFirst(pathStart).first(where: { parts[$0] == "v1" }) else {
            throw Refusal(.notFound, "There is nothing at this path")
        }
        base = parts[...version].joined(separator: "/")
        var segments: [String] = []
        for part in parts[(version + 1)...] {
            guard let segment = PercentEncoding.decode(part) else { throw .invalid("The path is not validly encoded") }
            segments.append(segment)
        }
        self.segments = segments
        query = try RequestQuery(beforeFragment.dropFirst(resource.count).dropFirst())
    }
}

/// The parameters of a query string. Of several parameters with the same name, the first counts. Unknown parameters are
/// ignored (specification: EVOLUTION CONTRACT).
struct RequestQuery: Sendable {
    private var values: [String: String] = [:]

    /// Decodes a query string as an HTML form, in which a plus sign is a space. Servers do the same.
    init(_ text: Substring) throws(Refusal) {
        for pair in text.split(separator: "&") {
            let name = pair.prefix { $0 != "=" }
            guard let decodedName = PercentEncoding.decode(name, plusIsSpace: true),
                let value = PercentEncoding.decode(pair.dropFirst(name.count).dropFirst(), plusIsSpace: true)
            else { throw .invalid("The query is not validly encoded") }
            if values[decodedName] == nil { values[decodedName] = value }
        }
    }

    subscript(name: String) -> String? { values[name] }

    /// The value of a parameter; nil if it is absent or empty.
    func filled(_ name: String) -> String? {
        guard let value = values[name], value.contains(where: { !$0.isWhitespace }) else { return nil }
        return value
    }

    /// The subject values in the query, in the ledger's form.
    func levels(_ levels: [ScopeLevel], _ rules: ServerRules) -> [(level: ScopeLevel, value: String)] {
        levels.compactMap { level in filled(level.rawValue).map { (level, rules.canonical($0)) } }
    }

    /// The maximum number of rows of a page (specification: parameter `Limit`).
    func limit() throws(Refusal) -> Int {
        guard let text = values["limit"] else { return 50 }
        guard let limit = Int(text), (1...200).contains(limit) else { throw .invalid("limit must be 1 to 200") }
        return limit
    }

    /// A bound of a time window in milliseconds since 1970; nil if it is absent or empty (specification: TIME-RANGE
    /// FILTERS).
    func instant(_ name: String) throws(Refusal) -> Int64? {
        guard let text = filled(name) else { return nil }
        guard let milliseconds = InternetTimestamp.parse(text) else { throw .invalid("\(name) must be a date-time") }
        return milliseconds
    }
}
