/// Text for one line of a terminal, with control characters escaped.
///
/// Errors and events contain messages of servers, names of scopes and paths of files, which may hold any character.
/// Escape them when you print them for people:
///
/// ```swift
/// print(TerminalText(error))
/// ```
///
/// Control characters, line breaks and invisible format characters, such as those that change the direction of text,
/// become JSON escapes (`\n`, `\u001b`). A JSON document without white space stays the same document. Backslashes are
/// not escaped, so that escaping an escaped text changes nothing.
public struct TerminalText: Hashable, Sendable, CustomStringConvertible {
    /// The escaped text.
    public let description: String

    /// Escapes the description of a value.
    public init(_ value: some CustomStringConvertible) { description = TerminalText.escaped(value.description) }

    private static func escaped(_ text: String) -> String {
        // Fast path: nearly all texts are printable ASCII.
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            if isShown(scalar) { result.unicodeScalars.append(scalar) } else { result += escape(scalar) }
        }
        return result
    }

    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        // The joiners shape emoji and several scripts, and do not move text.
        case .format: scalar.value == 0x200c || scalar.value == 0x200d
        default: true
        }
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\u{8}": "\\b"
        case "\t": "\\t"
        case "\n": "\\n"
        case "\u{c}": "\\f"
        case "\r": "\\r"
        default:
            UTF16.encode(scalar)?.map { unit in
                let digits = String(unit, radix: 16)
                return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            }.joined() ?? ""
        }
    }
}
