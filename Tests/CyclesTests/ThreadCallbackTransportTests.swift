import CyclesTesting
import Testing

@testable import Cycles

/// Answers requests for `/fast` at once and all others when it is opened.
private final class HangingTransport: BlockingHTTPTransport {
    private let state = WaitableLock((isOpen: false, hanging: 0))

    var hanging: Int { state.withLock { $0.hanging } }

    func open() { state.withLock { $0.isOpen = true } }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        if !request.url.hasSuffix("/fast") {
            state.withLock { $0.hanging += 1 }
            state.wait { $0.isOpen ? () : nil }
        }
        return HTTPResponse(status: 200)
    }

    /// Waits until that many requests hang.
    func waitUntilHanging(_ count: Int) { state.wait { $0.hanging == count ? () : nil } }
}

private final class NotedExchange: Sendable {
    private let isFinished = WaitableLock(false)

    func finish(_ transferred: Transferred) { isFinished.withLock { $0 = true } }
    func wait() { isFinished.wait { $0 ? () : nil } }
}

@Suite struct ThreadCallbackTransportTests {
    private func request(_ path: String, _ priority: RequestPriority) -> HTTPRequest {
        var request = HTTPRequest(method: .post, url: "http://127.0.0.1" + path)
        request.priority = priority
        return request
    }

    @Test(arguments: [
        (RequestPriority.settlement, RequestPriority.lease), (.normal, .settlement), (.lease, .settlement),
    ])
    func requestsThatHangDoNotStarveLeasesOrSettlements(hanging: RequestPriority, other: RequestPriority) {
        let inner = HangingTransport()
        let transport = ThreadCallbackTransport(inner)
        let hung = (0..<16).map { _ in NotedExchange() }
        for exchange in hung { transport.start(request("/slow", hanging), exchange.finish) }
        inner.waitUntilHanging(hanging == .normal ? 4 : 6)
        let exchange = NotedExchange()
        transport.start(request("/fast", other), exchange.finish)
        exchange.wait()
        inner.open()
        for exchange in hung { exchange.wait() }
    }
}
