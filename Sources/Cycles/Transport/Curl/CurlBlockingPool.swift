import Synchronization

/// Performs transfers on the callers' threads. Handles are kept for their connections.
final class CurlBlockingPool: CallbackTransport {
    private struct State {
        var idle: [CurlSession] = []
        var queue: TransferQueue<Waiter>
    }

    /// A thread that waits for a connection.
    private final class Waiter: Sendable {
        private let isAdmitted = WaitableLock(false)

        func admit() { isAdmitted.withLock { $0 = true } }
        func wait() { isAdmitted.wait { $0 ? () : nil } }
    }

    private let state: Lock<State>
    private let settings: CurlSettings
    /// Transfers in flight read the flag while they wait, without the lock.
    private let isShutDown = Atomic(false)

    init(_ settings: CurlSettings) {
        self.settings = settings
        state = Lock(
            State(queue: TransferQueue(limit: settings.maxConnections, reserved: settings.reservedConnections))
        )
    }

    /// Sends the request on the calling thread, which blocks until `done` has been called.
    func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        done(send(request))
    }

    func send(_ request: HTTPRequest) -> Transferred {
        let arrival = SystemTime.monotonic.wholeNanoseconds
        let priority = request.priority
        let waiter: Waiter? = state.withLock { state in
            if state.queue.startAtOnce(priority) { return nil }
            let waiter = Waiter()
            state.queue.enqueue(waiter, priority: priority)
            return waiter
        }
        waiter?.wait()
        // The time limit of the request begins when the request leaves the queue.
        let start = waiter == nil ? arrival : SystemTime.monotonic.wholeNanoseconds
        var kept: CurlSession?
        let outcome = Result { () throws(HTTPTransportError) in
            let session = try takeSession()
            try session.handle.prepare(request, at: start)
            let response = try session.perform { isShutDown.load(ordering: .relaxed) }
            // A handle that has failed may have outdated addresses or name servers.
            kept = session
            return response
        }
        let next = state.withLock { state in
            if let kept, !isShutDown.load(ordering: .relaxed) { state.idle.append(kept) }
            state.queue.finishOne(priority)
            return state.queue.next()
        }
        next?.admit()
        return Transferred(outcome, waited: .nanoseconds(start - arrival))
    }

    private func takeSession() throws(HTTPTransportError) -> CurlSession {
        if isShutDown.load(ordering: .relaxed) { throw .shutDown(wasRequestSent: false) }
        if Resumptions.isCollecting { throw .blockedTransport }
        return if let idle = state.withLock({ $0.idle.popLast() }) { idle } else { try CurlSession(settings) }
    }

    /// Makes transfers in flight fail within a second, and refuses further transfers.
    func shutdown() {
        isShutDown.store(true, ordering: .relaxed)
        state.withLock { $0.idle = [] }
    }
}

/// A handle with connections of its own, used by one thread at a time.
private final class CurlSession: @unchecked Sendable {
    // Unchecked is sound: the pool gives the session to one thread at a time.
    let handle: CurlHandle
    private let multi: CurlMulti
    /// Whether TLS may write to a connection. Unlike libcurl, TLS libraries do not suppress SIGPIPE.
    private var mayUseTLS: Bool

    init(_ settings: CurlSettings) throws(HTTPTransportError) {
        multi = CurlMulti(maxConnections: CurlSession.keptConnections)
        guard multi.isUsable else { throw .outOfMemory }
        handle = try CurlHandle(settings, multi.sockets)
        mayUseTLS = settings.proxy != nil
    }

    /// Performs the request for which the handle was prepared.
    func perform(isInterrupted: () -> Bool) throws(HTTPTransportError) -> HTTPResponse {
        mayUseTLS = mayUseTLS || handle.options.isSecure
        guard mayUseTLS else { return try run(isInterrupted) }
        return try SystemThread.withoutBrokenPipeSignal { () throws(HTTPTransportError) in try run(isInterrupted) }
    }

    private func run(_ isInterrupted: () -> Bool) throws(HTTPTransportError) -> HTTPResponse {
        try multi.add(handle)
        while true {
            multi.perform()
            if let (_, code) = multi.nextFinished() {
                let result = handle.prepareAgain(after: code) ? nil : handle.result(code)
                multi.remove(handle)
                if let result { return try result.get() }
                try multi.add(handle)
            } else if isInterrupted() {
                let error = handle.interruption(.other) {
                    "The transport was shut down while the request to \($0) was in flight"
                }
                multi.remove(handle)
                throw error
            } else {
                multi.sleep(milliseconds: handle.isConnecting ? CurlHandle.longestSleepWhileConnecting : 1_000)
            }
        }
    }

    /// Usually there is one server. Requests with another base URL are rare.
    private static let keptConnections = 4
}

extension HTTPTransportError {
    fileprivate static let blockedTransport = HTTPTransportError.unsent(
        "a blocking request would hold up every transfer of the transport on whose thread it was made; send it from a task "
            + "without `taskExecutor`, or await an asynchronous request"
    )
}
