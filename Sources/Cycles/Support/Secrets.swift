/// A secret text. Printing, dumping or reflecting it never shows the value.
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let value: String

    package init(_ value: String) { self.value = value }

    package static let placeholder = "[redacted]"

    package var description: String { Secret.placeholder }
    package var debugDescription: String { Secret.placeholder }
    package var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}

/// Removes secrets from texts of servers and libraries, which may quote sent values.
package struct Redactor: Sendable {
    private let secrets: [[UInt8]]

    /// Creates a redactor. Ignores texts of fewer than four bytes, which occur everywhere and are not secrets.
    package init(_ secrets: [String?]) {
        self.secrets = secrets.compactMap { $0 }.filter { $0.utf8.count >= 4 }.map { Array($0.utf8) }
    }

    package func redact(_ text: String) -> String {
        var bytes = Array(text.utf8)
        var changed = false
        for secret in secrets where bytes.count >= secret.count {
            var result: [UInt8] = []
            var position = 0
            while position < bytes.count {
                if bytes[position...].starts(with: secret) {
                    result += Secret.placeholder.utf8
                    position += secret.count
                    changed = true
                } else {
                    result.append(bytes[position])
                    position += 1
                }
            }
            bytes = result
        }
        return changed ? String(decoding: bytes, as: UTF8.self) : text
    }

    package func redact(_ text: String?) -> String? { text.map { redact($0) } }
}
