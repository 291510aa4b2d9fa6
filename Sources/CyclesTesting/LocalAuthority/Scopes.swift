/// A level of the budget hierarchy. The order of the cases is the canonical order (specification: SCOPE DERIVATION).
enum ScopeLevel: String, CaseIterable, Sendable {
    case tenant, workspace, app, workflow, agent, toolset

    /// Whether a value can be part of a scope (specification: `Subject`, CHARSET). With colons and slashes, two
    /// subjects could share a scope.
    static func isValue(_ text: String) -> Bool {
        guard (1...128).contains(text.utf8.count) else { return false }
        return text.utf8.allSatisfy { byte in
            byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 26 || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
        }
    }
}

/// A canonical scope such as `tenant:acme/agent:bot`: some of the levels, in canonical order.
struct ScopePath: Hashable, Sendable {
    private(set) var segments: [Segment] = []

    struct Segment: Hashable, Sendable {
        let level: ScopeLevel
        let value: String
    }

    /// Creates the scope of the levels with a value; nil if there are none. The values have to be valid.
    init?(value: (ScopeLevel) -> String?) {
        for level in ScopeLevel.allCases {
            if let text = value(level) { segments.append(Segment(level: level, value: text)) }
        }
        if segments.isEmpty { return nil }
    }

    /// Parses a scope; nil unless it is canonical.
    init?(parsing text: String) {
        var levels = ScopeLevel.allCases[...]
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard let colon = part.firstIndex(of: ":"), let level = ScopeLevel(rawValue: String(part[..<colon])),
                let position = levels.firstIndex(of: level)
            else { return nil }
            let value = String(part[part.index(after: colon)...])
            guard ScopeLevel.isValue(value) else { return nil }
            segments.append(Segment(level: level, value: value))
            levels = levels[(position + 1)...]
        }
    }

    /// The scope and all scopes above it, from the root down.
    var chain: [String] {
        var text = ""
        return segments.map { segment in
            text += (text.isEmpty ? "" : "/") + segment.level.rawValue + ":" + segment.value
            return text
        }
    }

    func value(of level: ScopeLevel) -> String? { segments.first { $0.level == level }?.value }
}
