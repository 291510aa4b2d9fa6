extension String {
    /// Whether the text consists of Unicode white space only, or is empty.
    package var isBlank: Bool {
        // Most texts begin with a character that decides without a table.
        if let first = utf8.first, first > 0x20, first < 0x7f { return false }
        return unicodeScalars.allSatisfy(\.properties.isWhitespace)
    }

    /// The text without white space at either end.
    package var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// Whether the text contains a part, compared byte by byte. The standard library's `contains` would link the
    /// library of regular expressions.
    package func hasPart(_ part: String) -> Bool {
        let (whole, part) = (Array(utf8), Array(part.utf8))
        guard part.count <= whole.count else { return false }
        return (0...(whole.count - part.count)).contains { whole[$0..<($0 + part.count)].elementsEqual(part) }
    }

    package func hasSameUTF8(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        var (left, right) = (self, other)
        return left.withUTF8 { left in
            right.withUTF8 { right in
                guard let left = left.baseAddress, let other = right.baseAddress else { return true }
                return UnsafeRawPointer(left).hasSameBytes(as: other, count: right.count)
            }
        }
    }

    package func hashUTF8(into hasher: inout Hasher) {
        var copy = self
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}

extension UnsafeRawPointer {
    /// Whether the same bytes begin at both addresses, compared eight at a time.
    @inline(__always)
    package func hasSameBytes(as other: UnsafeRawPointer, count: Int) -> Bool {
        var index = 0
        while index &+ 8 <= count {
            let word = loadUnaligned(fromByteOffset: index, as: UInt64.self)
            guard word == other.loadUnaligned(fromByteOffset: index, as: UInt64.self) else { return false }
            index &+= 8
        }
        while index < count {
            let byte = load(fromByteOffset: index, as: UInt8.self)
            guard byte == other.load(fromByteOffset: index, as: UInt8.self) else { return false }
            index &+= 1
        }
        return true
    }
}
