import Cycles

/// What a request's URL says, in pieces.
struct RequestTarget: Sendable {
    /// Everything up to and including `/v1`: what evidence URLs begin with.
    let base: String
    /// The path after `/v1`, each segment decoded.
    let segments: [String]
    let query: RequestQuery

    /// Takes a URL apart. The authority answers under any host and any path in front of `/v1`.
    init(_ url: String) throws(Refusal) {
        let beforeFragment = url.prefix { $0 != "#" }
        let resource = beforeFragment.prefix { $0 != "?" }
        let parts = resource.split(separator: "/", omittingEmptySubsequences: false)
        // "http:", "", the host, and then the path.
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

/// The parameters of a query string. Of several with one name the first counts; those that nobody knows are ignored, as
/// additive parameters have to be (specification: EVOLUTION CONTRACT).
struct RequestQuery: Sendable {
    private var values: [String: String] = [:]

    /// Decodes a query string as forms encode it, where a plus sign is a space: that is how servers read it.
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

    /// A value that says something: an empty one comes from a variable that was not set.
    func filled(_ name: String) -> String? {
        guard let value = values[name], value.contains(where: { !$0.isWhitespace }) else { return nil }
        return value
    }

    /// The values that are asked for, by level, as the ledger keeps them.
    func levels(_ levels: [ScopeLevel], _ rules: ServerRules) -> [(level: ScopeLevel, value: String)] {
        levels.compactMap { level in filled(level.rawValue).map { (level, rules.canonical($0)) } }
    }

    /// How many rows to a page (specification: parameter `Limit`).
    func limit() throws(Refusal) -> Int {
        guard let text = values["limit"] else { return 50 }
        guard let limit = Int(text), (1...200).contains(limit) else { throw .invalid("limit must be 1 to 200") }
        return limit
    }

    /// A bound of a time window; a blank one is not set (specification: TIME-RANGE FILTERS).
    func instant(_ name: String) throws(Refusal) -> Int64? {
        guard let text = filled(name) else { return nil }
        guard let milliseconds = InternetTimestamp.parse(text) else { throw .invalid("\(name) must be a date-time") }
        return milliseconds
    }
}
