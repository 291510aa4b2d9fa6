import Cycles
import CyclesTesting

/// An authority behind faults of the network, which a request to `/next` replaces by a new one.
///
/// An authority keeps all its reservations. One for each part of a soak keeps the server small.
final class PartedAuthority: BlockingHTTPTransport {
    /// The path that replaces the authority.
    static let nextPath = "/next"
    static let apiKey = "key-of-the-soak"

    private struct Part: Sendable {
        let authority: LocalAuthority
        let faulty: FaultyTransport

        init(_ number: UInt64) {
            authority = LocalAuthority(options: .init(maxExtensions: 1_000))
            authority.addAPIKey(apiKey, tenant: "acme")
            authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000_000_000_000))
            let faults = FaultyTransport.Faults(
                lostRequest: 0.001,
                lostResponse: 0.001,
                reset: 0.001,
                serverError: 0.001,
                throttled: 0.000_2,
                truncated: 0.000_5,
                malformed: 0.000_5
            )
            faulty = FaultyTransport(authority, seed: number, faults: faults)
        }
    }

    private let current = Lock((number: UInt64(0), part: Part(0)))

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        if request.url.hasSuffix(PartedAuthority.nextPath) {
            current.withLock { $0 = ($0.number + 1, Part($0.number + 1)) }
            return HTTPResponse(status: 200)
        }
        let part = current.withLock { $0.part }
        // Reads check the ledger.
        return try request.method == .get ? part.authority.send(request) : part.faulty.send(request)
    }
}
