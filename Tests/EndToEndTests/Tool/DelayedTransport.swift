import Cycles

/// Holds answers back until they are let go.
final class DelayedTransport: BlockingHTTPTransport {
    private let inner: any BlockingHTTPTransport
    private let holding = Flag()
    private let released = Flag()

    init(_ inner: any BlockingHTTPTransport) { self.inner = inner }

    var isHolding: Bool { holding.isSet }
    func letGo() { released.set() }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let answer = try inner.send(request)
        holding.set()
        while !released.isSet { pause(.milliseconds(1)) }
        return answer
    }
}
