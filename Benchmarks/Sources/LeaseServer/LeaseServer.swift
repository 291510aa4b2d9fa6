import Cycles
import CyclesTesting
import Measurement
import Synchronization

/// Serves an authority until its standard input ends, and measures the lateness of each extension.
///
/// Prints its URL first. At the end it prints the number of extensions, their maximum lateness, and the lateness of the
/// 99.9th percentile. Lateness counts from the time at which a client with a time limit of 7 seconds has to send an
/// extension.
@main
struct LeaseServer {
    static func main() throws {
        let authority = LocalAuthority(options: .init(maxExtensions: 1_000, maxLead: .seconds(60)))
        authority.addAPIKey("key-of-the-benchmark", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000_000_000))
        let watch = LeaseWatch(authority)
        let server = LoopbackServer(watch)
        try server.start()
        print(server.baseURL)
        measurement_flush()
        while readLine() != nil {}
        server.stop()
        print(watch.report)
    }
}

/// Passes requests to the authority, and records the time of the latest answer about each reservation.
private final class LeaseWatch: BlockingHTTPTransport {
    private struct Books {
        var answered: [String: ContinuousClock.Instant] = [:]
        var lateness: [Duration] = []
    }

    /// The lead of 60 seconds, minus two time limits and a margin of one second.
    private static let delay = Duration.seconds(60 - 2 * 7 - 1)

    private let authority: any BlockingHTTPTransport
    private let books = Mutex(Books())

    init(_ authority: LocalAuthority) { self.authority = authority }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let now = ContinuousClock.now
        let path = request.url.split(separator: "/").dropFirst(2)
        if path.last == "extend" {
            let id = String(path.dropLast().last ?? "")
            books.withLock { books in
                if let last = books.answered[id] { books.lateness.append(now - last - LeaseWatch.delay) }
            }
            let response = try authority.send(request)
            books.withLock { $0.answered[id] = .now }
            return response
        }
        let response = try authority.send(request)
        if path.last == "reservations", let id = LeaseWatch.reservationID(response.body) {
            books.withLock { $0.answered[id] = .now }
        }
        return response
    }

    /// The text after `"reservation_id":"`.
    private static func reservationID(_ body: [UInt8]) -> String? {
        let text = String(decoding: body, as: UTF8.self)
        guard let start = text.firstRange(of: "\"reservation_id\":\"")?.upperBound else { return nil }
        return text[start...].split(separator: "\"").first.map(String.init)
    }

    var report: String {
        let lateness = books.withLock { $0.lateness }.sorted()
        guard let latest = lateness.last else { return "0 0 0" }
        let most = lateness[lateness.count * 999 / 1_000]
        return "\(lateness.count) \(latest / .milliseconds(1)) \(most / .milliseconds(1))"
    }
}
