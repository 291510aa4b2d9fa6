/// Texts as parts of a URL (RFC 3986): only letters, digits and `-._~` stand for themselves.
package enum PercentEncoding {
    /// A text as one segment of a path or one part of a query: no character of it can end the part.
    package static func encode(_ text: String) -> String {
        var text = text
        return text.withUTF8 { bytes in
            if bytes.allSatisfy(isUnreserved) { return String(decoding: bytes, as: UTF8.self) }
            var result: [UInt8] = []
            result.reserveCapacity(bytes.count * 3)
            for byte in bytes {
                if isUnreserved(byte) {
                    result.append(byte)
                } else {
                    result.append(UInt8(ascii: "%"))
                    for nibble in [byte >> 4, byte & 0xf] {
                        result.append(nibble < 10 ? 0x30 + nibble : 0x41 + nibble - 10)
                    }
                }
            }
            return String(decoding: result, as: UTF8.self)
        }
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

/// The query of a URL, built parameter by parameter.
package struct QueryString {
    private var text = ""

    package mutating func add(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        text += (text.isEmpty ? "?" : "&") + "\(name)=" + PercentEncoding.encode(value)
    }

    package func appended(to path: String) -> String { path + text }
}
