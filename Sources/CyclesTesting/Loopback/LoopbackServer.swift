public import Cycles

/// Why a ``LoopbackServer`` could not start.
public struct LoopbackServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Which system call failed, and why.
    public var message: String
    /// The system's error number (`errno`).
    public var code: Int32

    /// What failed, and why.
    public var description: String { message }
}

/// Serves a transport over real sockets, on 127.0.0.1 unless told otherwise, HTTP/1.1 and HTTP/1.0.
///
/// With it a client's real transport, another client or `curl` can talk to a ``MockTransport`` or an in-memory
/// authority:
///
/// ```swift
/// let server = LoopbackServer(authority)
/// try server.start()
/// defer { server.stop() }
/// let client = try CyclesClient(baseURL: server.baseURL, apiKey: "key", tenant: "acme")
/// ```
///
/// Each connection has a thread of its own and is kept alive; pipelined requests are answered in their order. The
/// transport gets the method, the base URL with the request's target, the fields without those that are about the
/// connection (`Connection`, `Transfer-Encoding`, `Expect` and the like) and the whole body, and is called from many
/// threads at once. Its answer goes out with the server's own framing: its `Content-Length`, `Transfer-Encoding` and
/// `Connection` are dropped.
///
/// A transport that throws makes a 502 with a JSON body; `connectionFailed` and `timedOut` make a connection that is
/// closed without an answer, so that a ``FaultyTransport`` behind the server loses answers on the wire. Requests that
/// are no proper HTTP get a 4xx or 5xx, and their connection is closed.
public final class LoopbackServer: Sendable {
    /// What the server allows.
    public struct Options: Hashable, Sendable {
        /// How many connections are served at a time, 1 or more. Further ones wait in the system's backlog until one
        /// ends: nothing that can still be served is refused.
        public var maxConnections: Int
        /// How long a connection may stay open without a request.
        public var idleTimeout: Duration
        /// How long a request may take to arrive whole, from its first byte; later it is answered 408. An answer may
        /// take as long to be read.
        public var requestTimeout: Duration
        /// How long the request line may be, in bytes; longer ones are answered 414.
        public var maxRequestLineBytes: Int
        /// How long the header fields of a request may be together, in bytes, up to 65 535; longer ones are answered
        /// 431.
        public var maxHeaderBytes: Int
        /// How many header fields a request may have; with more it is answered 431.
        public var maxHeaderCount: Int
        /// How large a body may be, in bytes; larger ones are answered 413.
        public var maxBodyBytes: Int

        /// Options; the defaults suit tests and development.
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

    /// A server that is not started yet.
    ///
    /// - Parameters:
    ///   - transport: answers the requests.
    ///   - host: the address to listen on, in numbers, IPv4 or IPv6. With another than `127.0.0.1` and `::1` others may
    ///     reach the server over the network; `0.0.0.0` and `::` are all addresses of this machine.
    ///   - port: where to listen; 0 for a port that is free.
    ///   - options: what the server allows.
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

    /// Begins to serve; does nothing while the server runs.
    ///
    /// A server that was stopped can be started again, on the port that it had.
    /// - Throws: ``LoopbackServerError`` if the port is taken, the host is no address of this machine, or the system has no sockets or threads to give.
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

    /// Stops to serve: closes the listener, breaks all connections and waits for the threads. Does nothing if the
    /// server is stopped already.
    ///
    /// An answer that the transport is working on is waited for and then dropped.
    public func stop() {
        let acceptor = state.withLock { state in
            defer { state.acceptor = nil }
            return state.acceptor
        }
        acceptor?.stop()
    }

    /// The port; before the first start the one that was asked for, which may be 0.
    public var port: UInt16 { state.withLock { $0.port } }

    /// `http://127.0.0.1:` and the port, or the other address that it listens on, without a slash at the end. Known once
    /// the server has been started.
    public var baseURL: String { LoopbackServer.baseURL(host: host, port: port) }

    /// How many connections were accepted in all, over all starts.
    public var connectionCount: Int { counter.value }

    /// How many connections are open.
    public var openConnections: Int { state.withLock { $0.acceptor }?.openCount ?? 0 }

    private static func baseURL(host: String, port: UInt16) -> String {
        // What stands for all addresses is none that one could connect to.
        let reachable = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
        return reachable.contains(":") ? "http://[\(reachable)]:\(port)" : "http://\(reachable):\(port)"
    }
}

/// Carries one connection from its first request to its end, on its own thread. Decides nothing about HTTP.
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

    /// Whether the connection stays open.
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
