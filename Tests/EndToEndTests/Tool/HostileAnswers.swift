import Cycles
import CyclesTesting

/// Makes a server send text that would control a terminal: each text of its answers ends with `addition`.
final class HostileAnswers: BlockingHTTPTransport {
    static let addition = "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}1m\u{202e}\u{2066}\u{200f}\u{61c}\u{2028}\u{85}\u{7f}\t\r\nend"

    private let inner: any BlockingHTTPTransport

    init(_ inner: any BlockingHTTPTransport) { self.inner = inner }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        var request = request
        // Identifiers come back as they were handed out.
        request.url = HostileAnswers.without(request.url)
        var response = try inner.send(request)
        if let body = try? JSONValue(parsing: response.body) {
            // An answer may have white space between its values, and need not escape what JSON lets stand.
            response.body = Array("\r\n\t".utf8) + HostileAnswers.spoiled(body).encoded + Array("\n \r\n".utf8)
        }
        return response
    }

    private static func spoiled(_ value: JSONValue, _ name: String = "") -> JSONValue {
        switch value {
        case .object(let members): .object(Dictionary(uniqueKeysWithValues: members.map { ($0, spoiled($1, $0)) }))
        case .array(let elements): .array(elements.map { spoiled($0, name) })
        // Without these nothing would be allowed or shown.
        case .string(let text):
            .string(["decision", "unit", "status", "next_cursor"].contains(name) ? text : text + addition)
        default: value
        }
    }

    /// A URL without the percent-encoded addition.
    private static func without(_ url: String) -> String {
        guard let first = url.utf8.firstIndex(of: UInt8(ascii: "%")),
            let last = url.utf8.lastIndex(of: UInt8(ascii: "%"))
        else { return url }
        // The last escape is followed by "end".
        return String(url[..<first]) + String(url[last...].dropFirst(6))
    }
}
