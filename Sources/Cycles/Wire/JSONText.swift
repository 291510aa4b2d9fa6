/// A string of a document or the name of a member, with unresolved escapes.
package struct JSONText {
    let start: UnsafeRawPointer
    let length: Int
    let hasEscapes: Bool

    private var content: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: length) }

    /// Whether the resolved text is equal to a name.
    @inline(__always)
    package static func == (left: JSONText, right: StaticString) -> Bool {
        let length = right.utf8CodeUnitCount
        guard left.length == length, !left.hasEscapes else { return left.hasEscapes && left.text == "\(right)" }
        return left.start.hasSameBytes(as: right.utf8Start, count: length)
    }

    /// Whether the text has no escapes and is equal to another.
    static func == (left: JSONText, right: String) -> Bool {
        guard left.length == right.utf8.count, !left.hasEscapes else { return false }
        var right = right
        return right.withUTF8 { right in
            right.baseAddress.map { left.start.hasSameBytes(as: $0, count: left.length) } ?? true
        }
    }

    /// The text with resolved escapes.
    package var text: String {
        if !hasEscapes { return String(decoding: content, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var position = 0
        while position < content.count {
            guard content[position] == UInt8(ascii: "\\") else {
                result.append(content[position])
                position += 1
                continue
            }
            position += 2
            switch content[position - 1] {
            case UInt8(ascii: "b"): result.append(0x08)
            case UInt8(ascii: "f"): result.append(0x0c)
            case UInt8(ascii: "n"): result.append(0x0a)
            case UInt8(ascii: "r"): result.append(0x0d)
            case UInt8(ascii: "t"): result.append(0x09)
            case UInt8(ascii: "u"):
                var scalar = UInt32(JSONText.hexadecimal(content, at: position) ?? 0)
                position += 4
                if scalar & 0xfc00 == 0xd800, let low = JSONText.lowSurrogate(content, at: position) {
                    scalar = 0x10000 + (scalar & 0x3ff) << 10 + UInt32(low) & 0x3ff
                    position += 6
                }
                // Only a tolerant reader accepts a lone surrogate, which is not a scalar.
                result += String(Character(Unicode.Scalar(scalar) ?? "\u{fffd}")).utf8
            default: result.append(content[position - 1])
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Returns the low half of a surrogate pair, if it is escaped at `position`.
    static func lowSurrogate(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 2 <= bytes.count, bytes[position] == UInt8(ascii: "\\"),
            bytes[position + 1] == UInt8(ascii: "u"),
            let unit = hexadecimal(bytes, at: position + 2), unit & 0xfc00 == 0xdc00
        else { return nil }
        return unit
    }

    /// Returns the value of four hexadecimal digits; nil if there are no four.
    static func hexadecimal(_ bytes: UnsafeRawBufferPointer, at position: Int) -> UInt16? {
        guard position + 4 <= bytes.count else { return nil }
        var value: UInt16 = 0
        for byte in bytes[position..<(position + 4)] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}
