/// Splits a stream of bytes into lines of limited length.
///
/// The bytes of a line that exceeds the limit are skipped up to the next line break, so that memory stays bounded.
struct LineSplitter {
    enum Line: Equatable {
        case line([UInt8])
        /// A line that exceeds the limit.
        case oversized
    }

    /// The maximum length of a line in bytes, without its line break.
    let limit: Int
    private var bytes: [UInt8] = []
    private var isSkipping = false

    init(limit: Int) { self.limit = limit }

    /// Adds bytes, and returns the lines that they complete. Empty lines are left out.
    mutating func add(_ chunk: UnsafeRawBufferPointer) -> [Line] {
        var lines: [Line] = []
        var rest = chunk[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            append(rest[..<end], to: &lines)
            rest = rest[(end + 1)...]
            if !isSkipping, !bytes.isEmpty { lines.append(.line(bytes)) }
            bytes = []
            isSkipping = false
        }
        append(rest, to: &lines)
        return lines
    }

    /// Returns the last line if it has no line break.
    mutating func finish() -> [Line] {
        defer { bytes = [] }
        return isSkipping || bytes.isEmpty ? [] : [.line(bytes)]
    }

    private mutating func append(_ part: Slice<UnsafeRawBufferPointer>, to lines: inout [Line]) {
        guard !isSkipping else { return }
        if bytes.count + part.count > limit {
            isSkipping = true
            bytes = []
            lines.append(.oversized)
        } else {
            bytes += part
        }
    }
}
