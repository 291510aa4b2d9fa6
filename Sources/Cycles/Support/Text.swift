extension String {
    /// Whether there is nothing but Unicode white space.
    package var isBlank: Bool {
        // Most texts begin with a character that settles it without a table.
        if let first = utf8.first, first > 0x20, first < 0x7f { return false }
        return unicodeScalars.allSatisfy(\.properties.isWhitespace)
    }

    /// Without white space at either end.
    package var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }

    /// Whether a text is somewhere within this one, byte by byte. Looking for one by the standard library's own means would
    /// bring regular expressions into every program.
    package func hasPart(_ part: String) -> Bool {
        let (whole, part) = (Array(utf8), Array(part.utf8))
        guard part.count <= whole.count else { return false }
        return (0...(whole.count - part.count)).contains { whole[$0..<($0 + part.count)].elementsEqual(part) }
    }

    package func hasSameUTF8(as other: String) -> Bool {
        let fast = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                left.count == right.count && left.indices.allSatisfy { left[$0] == right[$0] }
            }
        }
        if case .some(.some(let same)) = fast { return same }
        return utf8.elementsEqual(other.utf8)
    }

    package func hashUTF8(into hasher: inout Hasher) {
        var copy = self
        copy.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
}
