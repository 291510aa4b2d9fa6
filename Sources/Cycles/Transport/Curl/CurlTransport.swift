/// The default transport: libcurl, with connections that are kept and, over TLS, HTTP/2 where the server offers it.
///
/// Asynchronous requests share one thread, which is started at the first of them; blocking requests are performed on
/// their caller's thread. At most `maxConnections` requests of each sort are under way at once, besides a few that only
/// leases and settlements have; further ones wait in line, and their time limits start when their turn has come. A request
/// whose kept connection turns out to be lost is sent once more, over a new connection; nothing else is retried. Redirects
/// are not followed, and the environment's proxy settings are not looked at.
///
/// With libcurl before 7.87.0, a host name that the system's resolver does not get an answer for holds up all asynchronous
/// requests until the resolver gives up, whatever the time limits; newer ones leave it to itself.
public final class CurlTransport: HTTPTransport, BlockingHTTPTransport {
    private let agent: CurlAgent
    private let blockingPool: CurlBlockingPool

    /// A transport with the connection settings of a configuration: `tls`, `proxy`, `unixSocketPath`, `maxConnections`
    /// and `maxResponseBytes`. Time limits come with each request. Settings that libcurl does not accept show in the
    /// errors of the requests.
    public convenience init(configuration: CyclesConfiguration) {
        self.init(configuration: configuration, threads: .system)
    }

    /// - Parameter threads: Where the I/O thread comes from.
    package init(configuration: CyclesConfiguration, threads: ThreadSource) {
        let settings = CurlSettings(configuration)
        agent = CurlAgent(settings, threads: threads)
        blockingPool = CurlBlockingPool(settings)
    }

    deinit { agent.end() }

    /// Whether asynchronous requests can be carried.
    fileprivate var hasThread: Bool { agent.ensureThread() }

    /// Sends a request and returns its answer, whatever the status.
    ///
    /// Cancelling the task aborts the transfer and closes its connection.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let transfer = CurlTransfer(request)
        let delivery = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: CurlTransfer.Waiter) in
                transfer.receiver = .task(waiter)
                agent.submit(transfer)
            }
        } onCancel: {
            agent.cancel(transfer)
        }
        delivery.others?.deliver()
        return try delivery.outcome.get()
    }

    /// Sends a request on this thread and returns its answer, whatever the status. Blocks until then.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        try blockingPool.send(request) {}
    }

    /// Fails requests in flight and further ones, closes the connections and ends the thread.
    public func shutdown() async {
        blockingPool.shutdown()
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            agent.end { continuation.resume() }
        }
    }
}

extension CurlTransport {
    /// The same as ``shutdown()``, for a thread that may block.
    package func shutdownBlocking() {
        blockingPool.shutdown()
        let hasEnded = WaitableLock(false)
        agent.end { hasEnded.withLock { $0 = true } }
        hasEnded.wait { $0 ? () : nil }
    }
}

extension CurlTransport: QueueingHTTPTransport {
    package func send(
        _ request: HTTPRequest,
        whenStarted: () -> Void
    ) throws(HTTPTransportError) -> HTTPResponse {
        try blockingPool.send(request, whenStarted: whenStarted)
    }
}

extension CurlTransport: CallbackTransport {
    /// The exchange is told on the I/O thread.
    package func start(_ request: HTTPRequest, _ exchange: any Exchange) {
        let transfer = CurlTransfer(request)
        transfer.receiver = .exchange(exchange)
        agent.submit(transfer)
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        agent.lendThread(at: time, work)
    }
}

/// Carries what no caller waits for in a client for threads that may block: where the system has no I/O thread to give,
/// on the thread that asks.
package struct BlockingCurlCallbackTransport: CallbackTransport {
    private let transport: CurlTransport

    package init(_ transport: CurlTransport) { self.transport = transport }

    package func start(_ request: HTTPRequest, _ exchange: any Exchange) {
        if transport.hasThread {
            transport.start(request, exchange)
        } else {
            InlineCallbackTransport(transport).start(request, exchange)
        }
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        transport.lendThread(at: time, work)
    }
}
