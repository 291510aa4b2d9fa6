/// Carries requests to a server and answers back, without knowing the protocol.
///
/// A transport sends each request once, follows no redirect and keeps the time limits of the request. Conform to it
/// to bring another HTTP library, or to stand in for the network in tests; `CurlTransport` is the default.
public protocol HTTPTransport: Sendable {
    /// Sends a request and returns its answer, whatever the status.
    ///
    /// When the calling task is cancelled, the exchange is aborted and fails with `cancelled`.
    /// - Throws: ``HTTPTransportError`` if there is no complete answer.
    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse

    /// Ends exchanges in flight, closes connections, and refuses further requests.
    func shutdown() async
}

/// Carries requests to a server and answers back on the caller's own thread.
public protocol BlockingHTTPTransport: Sendable {
    /// Sends a request and returns its answer, whatever the status. Blocks until then.
    /// - Throws: ``HTTPTransportError`` if there is no complete answer.
    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse
}
