import Cycles
import CyclesTesting
import Synchronization

/// Serves an authority, records possible changes of its state, and can log requests.
final class ServedAuthority: BlockingHTTPTransport {
    private let authority: LocalAuthority
    private let writesLog: Bool
    private let hasChanged = Atomic(false)

    init(_ authority: LocalAuthority, writesLog: Bool) {
        self.authority = authority
        self.writesLog = writesLog
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        var response = try authority.send(request)
        // Clients compare their clocks with the field.
        response.headers["Date"] = Instants.httpDate(Instants.now)
        if request.method == .post { markChanged() }
        if writesLog { log(request, response) }
        return response
    }

    func markChanged() { hasChanged.store(true, ordering: .sequentiallyConsistent) }

    /// Whether the state may have changed since the last call.
    func takeChange() -> Bool { hasChanged.exchange(false, ordering: .sequentiallyConsistent) }

    private func log(_ request: HTTPRequest, _ response: HTTPResponse) {
        let code = (try? JSONValue(parsing: response.body))?["error"]?.string.map { " " + $0 } ?? ""
        let names = [
            response.headers["X-Request-Id"], response.headers["X-Cycles-Trace-Id"].map { "trace \($0)" },
        ].compactMap { $0 }
        let id = names.isEmpty ? "" : " (\(names.joined(separator: ", ")))"
        // The path follows the scheme and the host.
        let parts = request.url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        let path = "/" + (parts.count > 3 ? parts[3] : "")
        Console.error("\(request.method.rawValue) \(path): \(response.status)\(code)\(id)")
    }
}
