/// A type that sends HTTP requests to a server and returns the answers. A transport does not know the protocol.
///
/// A transport sends each request once, follows no redirects and observes the time limits of the request. Conform to
/// this protocol to use another HTTP library, or to replace the network in tests. The default is `CurlTransport`.
public protocol HTTPTransport: Sendable {
    /// Sends a request and returns the answer, whatever its status.
    ///
    /// Cancelling the calling task aborts the exchange. The call then fails with `cancelled`.
    /// - Throws: ``HTTPTransportError`` if no complete answer arrives.
    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse

    /// Aborts exchanges in flight, closes connections, and refuses further requests.
    func shutdown() async
}

/// A type that sends HTTP requests on the calling thread.
public protocol BlockingHTTPTransport: Sendable {
    /// Sends a request and returns the answer, whatever its status. Blocks until the exchange ends.
    /// - Throws: ``HTTPTransportError`` if no complete answer arrives.
    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse
}
