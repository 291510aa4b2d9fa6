/// The default transport, based on libcurl. Keeps connections open, and uses HTTP/2 over TLS if the server offers it.
///
/// Asynchronous requests share one thread, which starts with the first of them. Blocking requests are performed on the
/// caller's thread. At most `maxConnections` requests of each kind are in flight at a time, in addition to a few that
/// are reserved for leases and settlements. Further requests wait in a queue; their time limits begin when they leave
/// the queue. A request whose kept connection turns out to be lost is sent once more over a new connection. The
/// transport retries nothing else, follows no redirects, and ignores proxy settings in the environment.
///
/// With libcurl before 7.87.0, a host name that the system's resolver cannot resolve delays all asynchronous requests
/// until the resolver gives up, regardless of time limits.
public final class CurlTransport: HTTPTransport, BlockingHTTPTransport {
    private let agent: CurlAgent
    private let blockingPool: CurlBlockingPool

    /// Creates a transport with the connection settings of a configuration: `tls`, `proxy`, `unixSocketPath`,
    /// `maxConnections` and `maxResponseBytes`. Each request has its own time limits. If libcurl does not accept a
    /// setting, requests fail with an error that names the setting.
    public convenience init(configuration: CyclesConfiguration) {
        self.init(configuration: configuration, threads: .system)
    }

    /// - Parameter threads: The source of the I/O thread.
    package init(configuration: CyclesConfiguration, threads: ThreadSource) {
        let settings = CurlSettings(configuration)
        agent = CurlAgent(settings, threads: threads)
        blockingPool = CurlBlockingPool(settings)
    }

    deinit { agent.end() }

    /// Runs tasks on the thread that performs the transfers, which avoids the two thread switches of each request.
    ///
    /// Pass the executor to `Task(executorPreference:)` or `withTaskExecutorPreference(_:operation:)`. The tasks share
    /// one thread with all transfers: a task that blocks or computes for long delays them. Blocking requests fail on
    /// this thread. After the transport has been shut down, the tasks continue on the global concurrent executor.
    public var taskExecutor: any TaskExecutor { agent }

    /// Sends a request and returns the answer, whatever its status.
    ///
    /// Cancelling the task aborts the transfer and closes its connection.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        try await transfer(request).outcome.get()
    }

    /// Sends a request on the calling thread and returns the answer, whatever its status. Blocks until the exchange
    /// ends.
    /// - Throws: ``HTTPTransportError`` that names the host, the phase and libcurl's reason.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        try blockingPool.send(request).outcome.get()
    }

    /// Aborts requests in flight, refuses further requests, closes the connections and ends the thread.
    public func shutdown() async { await awaiting { done in shutdown { done(()) } } }

    /// The callback form of ``shutdown()``. Calls back once the thread has ended.
    private func shutdown(_ done: @escaping @Sendable () -> Void) {
        blockingPool.shutdown()
        agent.end(done)
    }
}

extension CurlTransport: CallbackTransport {
    /// Sends a request. `done` is called on the I/O thread.
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

    /// The transport of a client for threads. If the I/O thread cannot be started, requests that no caller waits for
    /// are sent on the thread that starts them.
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
