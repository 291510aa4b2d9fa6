import Cycles
import CyclesTesting

/// Lets settlements through, answers them with 503, or refuses them for good.
final class CommitInterruption: BlockingHTTPTransport {
    private let inner: any BlockingHTTPTransport
    private let began = Flag()
    private let ended = Flag()
    private let refuses = Flag()

    private let retryAfter: Int?

    /// - Parameter retryAfter: How many seconds are to be waited, if it says so.
    init(_ inner: any BlockingHTTPTransport, retryAfter: Int? = nil) {
        self.inner = inner
        self.retryAfter = retryAfter
    }

    func begin() { began.set() }

    func end(refusing: Bool = false) {
        if refusing { refuses.set() }
        ended.set()
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        guard request.url.hasSuffix("/commit"), began.isSet else { return try inner.send(request) }
        guard ended.isSet else {
            return HTTPResponse(status: 503, headers: retryAfter.map { ["Retry-After": String($0)] } ?? [:])
        }
        guard refuses.isSet else { return try inner.send(request) }
        let body = #"{"error":"UNIT_MISMATCH","message":"no","request_id":"req_1"}"#
        return HTTPResponse(status: 400, body: Array(body.utf8))
    }
}
