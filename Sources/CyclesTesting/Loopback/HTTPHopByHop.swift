import Cycles

extension HTTPHeaders {
    private static let hopByHopNames: Set<String> = [
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    ]

    /// Returns the elements of a comma-separated list, in lower case and without surrounding white space.
    ///
    /// Only ASCII letters are folded, as other implementations do: `lowercased()` would turn a Kelvin sign into `k`.
    static func listElements(_ text: String) -> [String] {
        text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map { element in
            var element = element
            while let first = element.first, first == 0x20 || first == 0x09 { element.removeFirst() }
            while let last = element.last, last == 0x20 || last == 0x09 { element.removeLast() }
            return String(decoding: element.map { $0 &- 0x41 < 26 ? $0 | 0x20 : $0 }, as: UTF8.self)
        }
    }

    /// Returns the fields without those that apply to the connection only (RFC 9110, section 7.6.1).
    ///
    /// - Parameter names: Further fields to omit, in lower case.
    func withoutHopByHopFields(and names: Set<String> = []) -> HTTPHeaders {
        var dropped = HTTPHeaders.hopByHopNames.union(names)
        for value in values(for: "Connection") { dropped.formUnion(HTTPHeaders.listElements(value)) }
        var result = HTTPHeaders()
        forEachField { name, value in
            guard !dropped.contains(String(decoding: name, as: UTF8.self).lowercased()) else { return }
            result.append(name: name, value: value)
        }
        return result
    }
}
