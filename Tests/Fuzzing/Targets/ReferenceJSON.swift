/// A second reader of JSON, as close to the grammar of RFC 8259 as possible and without regard to speed.
struct ReferenceJSON {
    indirect enum Value {
        case null
        case bool(Bool)
        case number(String)
        case string(String)
        case array([Value])
        case object([String: Value])
    }

    let value: Value
    /// The place of the value between the white space.
    let range: Range<Int>
    /// The number of containers around the innermost value, or the innermost empty container.
    let depth: Int
    /// Whether an escape is half of a surrogate pair. The replacement character stands for it.
    let hasLoneSurrogate: Bool

    /// Reads a document; nil if it breaks the grammar or is not UTF-8.
    init?(_ document: [UInt8]) {
        guard String(validating: document, as: UTF8.self) != nil else { return nil }
        var parser = Parser(document: document)
        parser.skipSpace()
        let start = parser.position
        guard let value = parser.value(inside: 0) else { return nil }
        range = start..<parser.position
        parser.skipSpace()
        guard parser.position == document.count else { return nil }
        self.value = value
        depth = parser.depth
        hasLoneSurrogate = parser.hasLoneSurrogate
    }

    /// The value of a number, if it is whole and fits in 64 bits.
    static func wholeNumber(_ digits: String) -> Int64? {
        let parts = digits.lowercased().split(separator: "e")
        let mantissa = parts[0].split(separator: ".")
        let fraction = mantissa.count == 2 ? mantissa[1] : ""
        var number = Array(mantissa[0] + fraction)
        let sign = number.first == "-" ? "-" : ""
        if !sign.isEmpty { number.removeFirst() }
        number = Array(number.drop { $0 == "0" })
        guard !number.isEmpty else { return 0 }
        // More than 100 000 zeros make no whole number of 64 bits, since no input of a target is as long.
        let power = parts.count == 2 ? Int(parts[1]) ?? (parts[1].hasPrefix("-") ? -100_000 : 100_000) : 0
        var scale = max(-100_000, min(100_000, power)) - fraction.count
        while scale < 0 {
            guard number.last == "0" else { return nil }
            number.removeLast()
            scale += 1
        }
        guard number.count + scale <= 19 else { return nil }
        return Int64(sign + String(number) + String(repeating: "0", count: scale))
    }

    private struct Parser {
        let document: [UInt8]
        var position = 0
        var depth = 0
        var hasLoneSurrogate = false

        var next: UInt8? { position < document.count ? document[position] : nil }

        mutating func skipSpace() {
            while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d { position += 1 }
        }

        mutating func accept(_ text: String) -> Bool {
            guard document[position...].starts(with: text.utf8) else { return false }
            position += text.utf8.count
            return true
        }

        mutating func value(inside outer: Int) -> Value? {
            if accept("null") { return .null }
            if accept("true") { return .bool(true) }
            if accept("false") { return .bool(false) }
            if next == UInt8(ascii: "\"") { return string().map { .string($0) } }
            if accept("[") { return array(inside: outer + 1) }
            if accept("{") { return object(inside: outer + 1) }
            return number().map { .number($0) }
        }

        mutating func array(inside level: Int) -> Value? {
            depth = max(depth, level)
            var elements: [Value] = []
            skipSpace()
            if accept("]") { return .array([]) }
            while true {
                skipSpace()
                guard let element = value(inside: level) else { return nil }
                elements.append(element)
                skipSpace()
                if accept("]") { return .array(elements) }
                guard accept(",") else { return nil }
            }
        }

        mutating func object(inside level: Int) -> Value? {
            depth = max(depth, level)
            var members: [String: Value] = [:]
            skipSpace()
            if accept("}") { return .object([:]) }
            while true {
                skipSpace()
                guard let name = string() else { return nil }
                skipSpace()
                guard accept(":") else { return nil }
                skipSpace()
                guard let member = value(inside: level) else { return nil }
                members[name] = member
                skipSpace()
                if accept("}") { return .object(members) }
                guard accept(",") else { return nil }
            }
        }

        mutating func number() -> String? {
            let start = position
            _ = accept("-")
            guard accept("0") || digits() else { return nil }
            if accept("."), !digits() { return nil }
            if accept("e") || accept("E") {
                if !accept("+") { _ = accept("-") }
                guard digits() else { return nil }
            }
            return String(decoding: document[start..<position], as: UTF8.self)
        }

        mutating func digits() -> Bool {
            let start = position
            while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
            return position > start
        }

        mutating func string() -> String? {
            guard accept("\"") else { return nil }
            var bytes: [UInt8] = []
            while let byte = next, byte >= 0x20 {
                if accept("\"") { return String(decoding: bytes, as: UTF8.self) }
                guard byte == UInt8(ascii: "\\") else {
                    bytes.append(byte)
                    position += 1
                    continue
                }
                guard let scalar = escape() else { return nil }
                bytes += String(Character(scalar)).utf8
            }
            return nil
        }

        mutating func escape() -> Unicode.Scalar? {
            let plain: [(String, Unicode.Scalar)] = [
                (#"\""#, "\""), (#"\\"#, "\\"), (#"\/"#, "/"), (#"\b"#, "\u{8}"), (#"\f"#, "\u{c}"), (#"\n"#, "\n"),
                (#"\r"#, "\r"), (#"\t"#, "\t"),
            ]
            for (text, scalar) in plain where accept(text) { return scalar }
            guard let unit = codeUnit() else { return nil }
            let afterFirst = position
            if (0xd800..<0xdc00).contains(unit), let low = codeUnit(), (0xdc00..<0xe000).contains(low) {
                return Unicode.Scalar(0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00))
            }
            position = afterFirst
            if let scalar = Unicode.Scalar(unit) { return scalar }
            hasLoneSurrogate = true
            return "\u{fffd}"
        }

        mutating func codeUnit() -> UInt32? {
            guard accept("\\u"), position + 4 <= document.count else { return nil }
            let digits = document[position..<position + 4]
            let isHexadecimal = digits.allSatisfy { Character(Unicode.Scalar($0)).isHexDigit }
            guard isHexadecimal else { return nil }
            position += 4
            return UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        }
    }
}
