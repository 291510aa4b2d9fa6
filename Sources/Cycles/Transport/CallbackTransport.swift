/// The client's internal transport: sends a request and calls back. Adapters exist for ``HTTPTransport`` and
/// ``BlockingHTTPTransport``.
package protocol CallbackTransport: Sendable {
    /// Sends a request and calls `done` once, on any thread, possibly before this method returns. `done` must return
    /// soon, because other requests wait for it.
    func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void)

    /// Sends a request on behalf of the current task. Cancelling the task aborts the request.
    func transfer(_ request: HTTPRequest) async -> Transferred

    /// Runs `work` at a given time on a thread of the transport, in place of work lent before. Returns false if the
    /// transport has no such thread.
    func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool

    /// Runs `work` in order, after earlier work, on the thread that starts requests. Returns false if no such thread is
    /// running.
    func run(_ work: [@Sendable () -> Void]) -> Bool
}

extension CallbackTransport {
    package func transfer(_ request: HTTPRequest) async -> Transferred {
        await awaiting { done in start(request, done) }
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool { false }

    package func run(_ work: [@Sendable () -> Void]) -> Bool { false }
}

/// The result of a request.
package struct Transferred: Sendable {
    package let outcome: Result<HTTPResponse, HTTPTransportError>
    /// The time that the request spent in the queue before it was sent.
    package let waited: Duration

    package init(_ outcome: Result<HTTPResponse, HTTPTransportError>, waited: Duration = .zero) {
        self.outcome = outcome
        self.waited = waited
    }
}

/// The transport of a client. The code that makes the transport decides how requests are performed and whether the
/// client closes the transport.
package struct ClientTransport: Sendable {
    /// Performs the requests that a caller waits for: in a client for threads, on the caller's thread.
    package let calls: any CallbackTransport
    /// Performs all other requests.
    package let background: any CallbackTransport
    /// Whether callers are threads, which may be blocked, rather than tasks.
    package let blocksCallers: Bool
    /// Closes the transport if the client owns it, then calls back.
    package let close: @Sendable (_ done: @escaping @Sendable () -> Void) -> Void

    package init(
        calls: any CallbackTransport,
        background: any CallbackTransport,
        blocksCallers: Bool,
        close: @escaping @Sendable (_ done: @escaping @Sendable () -> Void) -> Void = { $0() }
    ) {
        self.calls = calls
        self.background = background
        self.blocksCallers = blocksCallers
        self.close = close
    }

    /// Creates a transport for tasks that performs all requests alike and stays open.
    package static func tasks(_ transport: any CallbackTransport) -> ClientTransport {
        ClientTransport(calls: transport, background: transport, blocksCallers: false)
    }

    /// Creates a transport for threads that stays open. A few threads of its own perform the requests that no caller
    /// waits for.
    package static func threads(
        _ transport: any BlockingHTTPTransport,
        _ threads: ThreadSource = .system
    ) -> ClientTransport {
        ClientTransport(
            calls: InlineCallbackTransport(transport),
            background: ThreadCallbackTransport(transport, threads: threads),
            blocksCallers: true
        )
    }
}

/// Sends each request from a separate task.
package struct TaskCallbackTransport: CallbackTransport {
    private let transport: any HTTPTransport

    package init(_ transport: any HTTPTransport) { self.transport = transport }

    package func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        Task.detached { done(await transfer(request)) }
    }

    package func transfer(_ request: HTTPRequest) async -> Transferred {
        do throws(HTTPTransportError) {
            return Transferred(.success(try await transport.send(request)))
        } catch {
            return Transferred(.failure(error))
        }
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        Task.detached {
            // On Linux, `Task.sleep` needs a thread of its own, which the system may not have.
            while ContinuousClock.now < time { await SystemThread.pauseTask(until: time) }
            work()
        }
        return true
    }
}

/// Sends each request at once, on the calling thread.
package struct InlineCallbackTransport: CallbackTransport {
    private let transport: any BlockingHTTPTransport

    package init(_ transport: any BlockingHTTPTransport) { self.transport = transport }

    package func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        done(Transferred(Result { () throws(HTTPTransportError) in try transport.send(request) }))
    }

    package func transfer(_ request: HTTPRequest) async -> Transferred {
        if Task.isCancelled { return Transferred(.failure(.cancelledInLine)) }
        return await awaiting { done in start(request, done) }
    }
}

/// Sends requests from a few threads. Each thread ends when no request is left.
package final class ThreadCallbackTransport: CallbackTransport {
    private struct Waiting {
        let request: HTTPRequest
        let done: @Sendable (Transferred) -> Void
        let since = ContinuousClock.now
    }

    private let transport: any BlockingHTTPTransport
    private let line: Lock<TransferQueue<Waiting>>
    private let threads: ThreadSource

    /// - Parameter maxThreads: The maximum number of threads. A quarter of them is reserved for leases, and a quarter
    ///   for settlements, so that no other request delays a lease.
    package init(_ transport: any BlockingHTTPTransport, maxThreads: Int = 8, threads: ThreadSource = .system) {
        let reserved = maxThreads / 4
        self.transport = transport
        self.threads = threads
        line = Lock(TransferQueue(limit: maxThreads - 2 * reserved, reserved: reserved))
    }

    package func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        let first = line.withLock { line in
            line.enqueue(Waiting(request: request, done: done), priority: request.priority)
            return line.next()
        }
        guard let first else { return }
        // If the system has no thread, the caller's thread sends the request.
        if !threads.start({ self.perform(first) }) { perform(first) }
    }

    private func perform(_ first: Waiting) {
        var next: Waiting? = first
        while let current = next {
            let waited = current.since.duration(to: .now)
            let outcome = Result { () throws(HTTPTransportError) in try transport.send(current.request) }
            current.done(Transferred(outcome, waited: waited))
            next = line.withLock { line in
                line.finishOne(current.request.priority)
                return line.next()
            }
        }
    }
}

extension HTTPTransportError {
    /// The error of a request that was cancelled before it was sent.
    static var cancelledInLine: HTTPTransportError {
        HTTPTransportError(kind: .cancelled, message: "The request was cancelled", wasRequestSent: false)
    }

    /// The error of a request over a transport that has been shut down.
    static func shutDown(wasRequestSent: Bool?) -> HTTPTransportError {
        HTTPTransportError(
            kind: .other,
            message: "The transport has been shut down; make a new client to send requests",
            wasRequestSent: wasRequestSent
        )
    }
}
