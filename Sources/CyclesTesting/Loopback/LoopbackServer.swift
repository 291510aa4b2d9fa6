public import Cycles

/// The error of a ``LoopbackServer`` that cannot be started.
public struct LoopbackServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The failed system call and the reason.
    public var message: String
    /// The system's error number (`errno`).
    public var code: Int32

    /// The message.
    public var description: String { message }
}

/// Serves a transport over real sockets, by default on 127.0.0.1, with HTTP/1.1 and HTTP/1.0.
///
/// A client with its real transport, another client or `curl` can then use a ``MockTransport`` or a ``LocalAuthority``:
///
/// ```swift
/// let server = LoopbackServer(authority)
/// try server.start()
/// defer { server.stop() }
/// let client = try CyclesClient(baseURL: server.baseURL, apiKey: "key", tenant: "acme")
/// ```
///
/// Each connection has its own thread and is kept alive; pipelined requests are answered in their order. The transport
/// receives the method, the base URL with the request's target, the fields without hop-by-hop fields (`Connection`,
/// `Transfer-Encoding`, `Expect` and others) and the whole body. It is called on many threads at once. The server
/// chooses the framing of its answers: their `Content-Length`, `Transfer-Encoding` and `Connection` are dropped.
///
/// An error of the transport is answered with a 502 and a JSON body. After `connectionFailed` and `timedOut` the
/// connection is closed without an answer, so that a ``FaultyTransport`` behind the server loses answers on the wire.
/// Invalid HTTP requests are answered with a 4xx or 5xx, and their connection is closed.
public final class LoopbackServer: Sendable {
    /// The limits of a server.
    public struct Options: Hashable, Sendable {
        /// The maximum number of concurrent connections, 1 or more. Further connections are not refused: they wait in
        /// the system's backlog.
        public var maxConnections: Int
        /// The time after which a connection without a request is closed.
        public var idleTimeout: Duration
        /// The time limit for receiving a request from its first byte on; a slower request is answered 408. Also the
        /// time limit for sending an answer.
        public var requestTimeout: Duration
        /// The maximum length of the request line in bytes; a longer one is answered 414.
        public var maxRequestLineBytes: Int
        /// The maximum total length of the header fields in bytes, at most 65 535; longer ones are answered 431.
        public var maxHeaderBytes: Int
        /// The maximum number of header fields; a request with more is answered 431.
        public var maxHeaderCount: Int
        /// The maximum size of a body in bytes; a larger one is answered 413.
        public var maxBodyBytes: Int

        /// Creates options. The defaults suit tests and development.
        public init(
            maxConnections: Int = 256,
            idleTimeout: Duration = .seconds(30),
            requestTimeout: Duration = .seconds(10),
            maxRequestLineBytes: Int = 8 * 1_024,
            maxHeaderBytes: Int = 32 * 1_024,
            maxHeaderCount: Int = 100,
            maxBodyBytes: Int = 1_024 * 1_024
        ) {
            self.maxConnections = maxConnections
            self.idleTimeout = idleTimeout
            self.requestTimeout = requestTimeout
            self.maxRequestLineBytes = maxRequestLineBytes
            self.maxHeaderBytes = maxHeaderBytes
            self.maxHeaderCount = maxHeaderCount
            self.maxBodyBytes = maxBodyBytes
        }
    }

    private struct State {
        var port: UInt16
        var acceptor: SocketAcceptor?
    }

    private let transport: any BlockingHTTPTransport
    private let host: String
    private let options: Options
    private let counter = ConnectionCounter()
    private let state: Lock<State>

    /// Creates a server. Call ``start()`` to serve.
    ///
    /// - Parameters:
    ///   - transport: The transport that answers the requests.
    ///   - host: The numeric IPv4 or IPv6 address to listen on. Addresses other than `127.0.0.1` and `::1` make the
    ///     server reachable over the network; `0.0.0.0` and `::` stand for all addresses of this machine.
    ///   - port: The port; 0 selects a free port.
    ///   - options: The limits of the server.
    public init(
        _ transport: any BlockingHTTPTransport,
        host: String = "127.0.0.1",
        port: UInt16 = 0,
        options: Options = Options()
    ) {
        self.transport = transport
        self.host = host
        self.options = options
        state = Lock(State(port: port, acceptor: nil))
    }

    deinit { stop() }

    /// Starts the server. Has no effect while the server runs.
    ///
    /// A stopped server can be started again, and then uses the same port.
    /// - Throws: ``LoopbackServerError`` if the port is in use, the host is not an address of this machine, or the
    ///   system is out of sockets or threads.
    public func start() throws(LoopbackServerError) {
        do throws(SocketError) {
            try state.withLock { (state: inout State) throws(SocketError) in
                guard state.acceptor == nil else { return }
                let listener = try ListeningSocket(host: host, port: state.port)
                let baseURL = LoopbackServer.baseURL(host: host, port: listener.port)
                let (transport, options) = (transport, options)
                state.acceptor = try SocketAcceptor(
                    listener: listener,
                    maxConnections: options.maxConnections,
                    counter: counter
                ) { socket in
                    LoopbackConnection(socket: socket, transport: transport, options: options, baseURL: baseURL).run()
                }
                state.port = listener.port
            }
        } catch {
            throw LoopbackServerError(message: error.message, code: error.code)
        }
    }

    /// Stops the server: closes the listener, breaks all connections and waits for the threads. Has no effect if the
    /// server is stopped.
    ///
    /// Also waits until the transport has answered the requests in progress. These answers are dropped.
    public func stop() {
        let acceptor = state.withLock { state in
            defer { state.acceptor = nil }
            return state.acceptor
        }
        acceptor?.stop()
    }

    /// The port. Before the first start, the requested port, which may be 0.
    public var port: UInt16 { state.withLock { $0.port } }

    /// The URL of the server without a trailing slash, such as `http://127.0.0.1:8080`. Valid once the server has been
    /// started.
    public var baseURL: String { LoopbackServer.baseURL(host: host, port: port) }

    /// The number of connections accepted in all runs of the server.
    public var connectionCount: Int { counter.value }

    /// The number of open connections.
    public var openConnections: Int { state.withLock { $0.acceptor }?.openCount ?? 0 }

    private static func baseURL(host: String, port: UInt16) -> String {
        // The wildcard addresses cannot be connected to.
        let reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
        return reachable.contains(":") ? "http://[\(reachable)]:\(port)" : "http://\(reachable):\(port)"
    }
}

/// Serves one connection on its own thread.
private struct LoopbackConnection {
    private static let lingerTimeout = Duration.seconds(1)
    private static let continueAnswer = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    let socket: ConnectionSocket
    let transport: any BlockingHTTPTransport
    let options: LoopbackServer.Options
    let baseURL: String

    func run() {
        var limits = HTTPRequestParser.Limits()
        limits.requestLineBytes = options.maxRequestLineBytes
        limits.headerBytes = options.maxHeaderBytes
        limits.headerCount = options.maxHeaderCount
        limits.bodyBytes = options.maxBodyBytes
        var parser = HTTPRequestParser(limits: limits)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 * 1_024, alignment: 1)
        defer { buffer.deallocate() }
        var isIdle = true
        var deadline = ContinuousClock.now + options.idleTimeout
        while true {
            switch parser.next() {
            case .needMore:
                if isIdle && !parser.isBetweenRequests {
                    isIdle = false
                    deadline = ContinuousClock.now + options.requestTimeout
                }
                switch socket.receive(into: buffer, until: deadline) {
                case .bytes(let count): parser.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                case .closed, .broken: return
                case .timedOut:
                    if !isIdle { refuse(status: 408, reason: "The request did not arrive in time.") }
                    return
                }
            case .sendContinue:
                guard socket.send(LoopbackConnection.continueAnswer, until: deadline) else { return }
            case .request(let request):
                guard answer(request) else { return }
                isIdle = true
                deadline = ContinuousClock.now + options.idleTimeout
            case .failure(let failure):
                refuse(status: failure.status, reason: failure.reason)
                return
            }
        }
    }

    /// Answers a request. Returns whether the connection stays open.
    private func answer(_ received: HTTPRequestParser.Request) -> Bool {
        let request = HTTPRequest(
            method: HTTPMethod(rawValue: received.method),
            url: received.target == "*" ? baseURL : baseURL + received.target,
            headers: received.headers.withoutHopByHopFields(and: ["expect"]),
            body: received.body
        )
        var response: HTTPResponse
        do throws(HTTPTransportError) {
            response = try transport.send(request)
        } catch {
            switch error.kind {
            case .connectionFailed, .timedOut: return false
            case .tls, .responseTooLarge, .invalidAnswer, .resourcesExhausted, .cancelled, .other:
                response = HTTPResponseWriter.failure(
                    status: 502,
                    message: "The transport behind the loopback server failed: \(error.message)"
                )
            }
        }
        let bytes = HTTPResponseWriter.bytes(
            for: response,
            toMethod: received.method,
            keepsAlive: received.keepsAlive
        )
        guard socket.send(bytes, until: ContinuousClock.now + options.requestTimeout) else { return false }
        if !received.keepsAlive { linger() }
        return received.keepsAlive
    }

    private func refuse(status: Int, reason: String) {
        let response = HTTPResponseWriter.failure(status: status, message: reason)
        let bytes = HTTPResponseWriter.bytes(for: response, toMethod: "GET", keepsAlive: false)
        if socket.send(bytes, until: ContinuousClock.now + options.requestTimeout) { linger() }
    }

    private func linger() {
        socket.finishSending(drainingUntil: ContinuousClock.now + LoopbackConnection.lingerTimeout)
    }
}
