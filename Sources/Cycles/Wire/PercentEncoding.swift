/// Encodes texts as parts of a URL (RFC 3986). Leaves only letters, digits and `-._~` unencoded.
package enum PercentEncoding {
    /// Encodes a text as one path segment or one part of a query. No encoded character can end the part.
    package static func encode(_ text: String) -> String {
        var copy = text
        if copy.withUTF8({ $0.allSatisfy(isUnreserved) }) { return text }
        var result = ""
        for byte in text.utf8 {
            if isUnreserved(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- 0x61 < 26 || byte &- 0x30 < 10 || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
            || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
    }
}

/// Builds the query of a URL parameter by parameter.
package struct QueryString {
    private var text = ""

    package mutating func add(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        text += (text.isEmpty ? "?" : "&") + "\(name)=" + PercentEncoding.encode(value)
    }

    package func appended(to path: String) -> String { path + text }
}
