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

    /// Runs tasks on the thread that performs the transfers, which spares the two switches between threads that each
    /// request otherwise costs.
    ///
    /// Pass it to `Task(executorPreference:)` or `withTaskExecutorPreference(_:operation:)`. The tasks share one thread with
    /// all transfers: work that computes for long or blocks holds them up. Blocking requests fail there. Once the
    /// transport has been shut down, the tasks continue on the threads of the concurrency runtime.
    public var taskExecutor: any TaskExecutor { agent }

    /// Sends a request and returns its answer, whatever the status.
    ///
    /// Cancelling the task aborts the transfer and closes its connection.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        try await transfer(request).outcome.get()
    }

    /// Sends a request on this thread and returns its answer, whatever the status. Blocks until then.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        try blockingPool.send(request).outcome.get()
    }

    /// Fails requests in flight and further ones, closes the connections and ends the thread.
    public func shutdown() async { await awaiting { done in shutdown { done(()) } } }

    /// The same as ``shutdown()``; calls back once the thread has ended.
    private func shutdown(_ done: @escaping @Sendable () -> Void) {
        blockingPool.shutdown()
        agent.end(done)
    }
}

extension CurlTransport: CallbackTransport {
    /// `done` is called on the I/O thread.
    package func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        agent.submit(CurlTransfer(request, done))
    }

    package func transfer(_ request: HTTPRequest) async -> Transferred {
        let transfer = CurlTransfer(request)
        return await withTaskCancellationHandler {
            await awaiting { done in
                transfer.done = done
                agent.submit(transfer)
            }
        } onCancel: {
            agent.cancel(transfer)
        }
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        agent.lendThread(at: time, work)
    }

    package func run(_ work: [@Sendable () -> Void]) -> Bool { agent.run(work) }
}

extension CurlTransport {
    /// The transport of a client for tasks.
    /// - Parameter isOwned: Whether the client closes it.
    package func forTasks(isOwned: Bool) -> ClientTransport {
        ClientTransport(calls: self, background: self, blocksCallers: false, close: close(isOwned))
    }

    /// The transport of a client for threads. Where the system has no I/O thread to give, requests that no caller waits
    /// for are sent on the thread that starts them.
    /// - Parameter isOwned: Whether the client closes it.
    package func forThreads(isOwned: Bool) -> ClientTransport {
        ClientTransport(
            calls: blockingPool,
            background: BackgroundTransport(agent: agent, pool: blockingPool),
            blocksCallers: true,
            close: close(isOwned)
        )
    }

    private func close(_ isOwned: Bool) -> @Sendable (_ done: @escaping @Sendable () -> Void) -> Void {
        { [self] done in if isOwned { shutdown(done) } else { done() } }
    }

    private struct BackgroundTransport: CallbackTransport {
        let agent: CurlAgent
        let pool: CurlBlockingPool

        func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
            if agent.ensureThread() {
                agent.submit(CurlTransfer(request, done))
            } else {
                pool.start(request, done)
            }
        }

        func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
            agent.lendThread(at: time, work)
        }

        func run(_ work: [@Sendable () -> Void]) -> Bool { agent.run(work) }
    }
}
