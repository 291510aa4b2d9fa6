/// The seam inside the client: sends a request and calls back. Whatever has no task to wait in goes through it; both
/// public protocols are adapted to it.
package protocol CallbackTransport: Sendable {
    /// Sends a request. The exchange is told when it begins and, once, how it ended: on any thread, possibly before
    /// this returns.
    func start(_ request: HTTPRequest, _ exchange: any Exchange)

    /// Runs `work` at a time on a thread of the transport's, instead of what was given before. False if it has none.
    func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool
}

extension CallbackTransport {
    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool { false }
}

/// One request on its way, from the point of view of whoever sent it.
package protocol Exchange: AnyObject, Sendable {
    /// The request has its turn; until now it may have waited in line. Not called if it never gets that far.
    func didStart()
    /// There is an answer, or there will be none. Must return soon: other exchanges wait.
    func didFinish(_ outcome: Result<HTTPResponse, HTTPTransportError>)
}

/// Sends each request from a task of its own.
package struct TaskCallbackTransport: CallbackTransport {
    private let transport: any HTTPTransport

    package init(_ transport: any HTTPTransport) { self.transport = transport }

    package func start(_ request: HTTPRequest, _ exchange: any Exchange) {
        let transport = transport
        Task.detached {
            exchange.didStart()
            do throws(HTTPTransportError) {
                exchange.didFinish(.success(try await transport.send(request)))
            } catch {
                exchange.didFinish(.failure(error))
            }
        }
    }

    package func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        Task.detached {
            // `Task.sleep` takes a thread of its own on Linux, which may not be there.
            while ContinuousClock.now < time { await SystemThread.pauseTask(until: time) }
            work()
        }
        return true
    }
}

/// A blocking transport in which requests may wait in line, and which says when one has its turn.
package protocol QueueingHTTPTransport: BlockingHTTPTransport {
    func send(_ request: HTTPRequest, whenStarted: () -> Void) throws(HTTPTransportError) -> HTTPResponse
}

extension BlockingHTTPTransport {
    /// Sends a request, and tells the exchange.
    fileprivate func perform(_ request: HTTPRequest, _ exchange: any Exchange) {
        exchange.didFinish(
            Result { () throws(HTTPTransportError) in
                if let queueing = self as? any QueueingHTTPTransport {
                    return try queueing.send(request) { exchange.didStart() }
                }
                exchange.didStart()
                return try send(request)
            }
        )
    }
}

/// Sends each request at once, on the thread that asks.
package struct InlineCallbackTransport: CallbackTransport {
    private let transport: any BlockingHTTPTransport

    package init(_ transport: any BlockingHTTPTransport) { self.transport = transport }

    package func start(_ request: HTTPRequest, _ exchange: any Exchange) {
        transport.perform(request, exchange)
    }
}

/// Sends requests from a few threads, which are started when they are needed and end when they are not.
package final class ThreadCallbackTransport: CallbackTransport {
    private struct Line {
        var waiting: TransferQueue<(request: HTTPRequest, exchange: any Exchange)>
        /// How many wait; idle threads have not noticed all of them yet.
        var count = 0
        var threads = 0
        var idle = 0

        init(maxThreads: Int) {
            let reserved = maxThreads / 4
            waiting = TransferQueue(limit: maxThreads - 2 * reserved, reserved: reserved)
        }

        mutating func next() -> (request: HTTPRequest, exchange: any Exchange)? {
            guard let next = waiting.next() else { return nil }
            count -= 1
            return next
        }
    }

    private let transport: any BlockingHTTPTransport
    private let line: WaitableLock<Line>
    private let maxThreads: Int
    private let threads: ThreadSource

    /// - Parameter maxThreads: The most threads at once. A quarter of them is for leases alone, and a quarter for
    ///   settlements, so that no request of another kind keeps a lease waiting.
    package init(_ transport: any BlockingHTTPTransport, maxThreads: Int = 8, threads: ThreadSource = .system) {
        self.threads = threads
        line = WaitableLock(Line(maxThreads: maxThreads))
        self.transport = transport
        self.maxThreads = maxThreads
    }

    package func start(_ request: HTTPRequest, _ exchange: any Exchange) {
        let needsThread = line.withLock { line in
            line.waiting.enqueue((request, exchange), priority: request.priority)
            line.count += 1
            guard line.count > line.idle, line.threads < maxThreads else { return false }
            line.threads += 1
            return true
        }
        guard needsThread else { return }
        if threads.start({ self.work() }) { return }
        // The threads that there are may all wait for answers: the caller's own performs what may be performed.
        line.withLock { $0.threads -= 1 }
        performWaiting()
    }

    private func work() {
        while true {
            performWaiting()
            line.withLock { $0.idle += 1 }
            let hasWork = line.wait(atMost: .seconds(5)) { line in line.waiting.hasNext ? true : nil } ?? false
            let mayEnd = line.withLock { line in
                line.idle -= 1
                guard !hasWork, !line.waiting.hasNext else { return false }
                line.threads -= 1
                return true
            }
            if mayEnd { return }
        }
    }

    private func performWaiting() {
        while let next = line.withLock({ $0.next() }) {
            transport.perform(next.request, next.exchange)
            line.withLock { $0.waiting.finishOne(next.request.priority) }
        }
    }
}
