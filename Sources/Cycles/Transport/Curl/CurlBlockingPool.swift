import Synchronization

/// Performs transfers on the threads of their callers, with handles that are kept for their connections.
final class CurlBlockingPool: Sendable {
    private struct State {
        var idle: [CurlSession] = []
        var queue: TransferQueue<Int>
        var nextTicket = 0
        /// Who has been given a connection and has not noticed yet.
        var admitted: Set<Int> = []
        var isShutDown = false

        /// Gives free connections to those who wait for them.
        mutating func admit() {
            while let ticket = queue.next() { admitted.insert(ticket) }
        }
    }

    private let state: WaitableLock<State>
    private let settings: CurlSettings
    /// Read by transfers in flight while they wait, without the lock.
    private let isShutDown = ShutdownFlag()

    init(_ settings: CurlSettings) {
        self.settings = settings
        state = WaitableLock(
            State(queue: TransferQueue(limit: settings.maxConnections, reserved: settings.reservedConnections))
        )
    }

    func send(_ request: HTTPRequest) -> Transferred {
        let began = SystemTime.monotonic.wholeNanoseconds
        let ticket = state.withLock { state in
            state.nextTicket += 1
            state.queue.enqueue(state.nextTicket, priority: request.priority)
            state.admit()
            return state.nextTicket
        }
        // The time limit of the request begins when it has its turn.
        let (idle, isShutDown): (CurlSession?, Bool) = state.wait { state in
            guard state.admitted.remove(ticket) != nil else { return nil }
            return (state.idle.popLast(), state.isShutDown)
        }
        let now = SystemTime.monotonic.wholeNanoseconds
        var kept: CurlSession?
        defer {
            state.withLock { state in
                if let kept, !state.isShutDown { state.idle.append(kept) }
                state.queue.finishOne(request.priority)
                state.admit()
            }
        }
        let outcome = Result { () throws(HTTPTransportError) in
            if isShutDown { throw .shutDown(wasRequestSent: false) }
            let session = if let idle { idle } else { try CurlSession(settings) }
            try session.handle.prepare(request, at: now)
            let response = try SystemThread.withoutBrokenPipeSignal {
                session.perform { self.isShutDown.isRaised }
            }.get()
            // A handle that has failed may know name servers or addresses that are not right any more.
            kept = session
            return response
        }
        return Transferred(outcome, waited: .nanoseconds(now - began))
    }

    /// Makes transfers in flight fail within a second, and refuses further ones.
    func shutdown() {
        isShutDown.raise()
        state.withLock { state in
            state.isShutDown = true
            state.idle = []
        }
    }
}

extension CurlBlockingPool: CallbackTransport {
    /// The request is sent on the thread that asks, which blocks until `done` has been called.
    func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        done(send(request))
    }
}

/// A handle that has connections of its own, for one thread at a time.
private final class CurlSession: @unchecked Sendable {
    // Unchecked since the pool gives it to one thread at a time.
    let handle: CurlHandle
    private let multi: CurlMulti

    init(_ settings: CurlSettings) throws(HTTPTransportError) {
        multi = CurlMulti(maxConnections: CurlSession.keptConnections)
        guard multi.isUsable else { throw .outOfMemory }
        handle = try CurlHandle(settings, multi.sockets)
    }

    /// Performs the request that the handle is prepared for.
    func perform(isInterrupted: () -> Bool) -> Result<HTTPResponse, HTTPTransportError> {
        do throws(HTTPTransportError) {
            try multi.add(handle)
            while true {
                multi.perform()
                if let (_, code) = multi.nextFinished() {
                    let isRepeated = handle.prepareAgain(after: code)
                    let result = isRepeated ? nil : handle.result(code)
                    multi.remove(handle)
                    if let result { return result }
                    try multi.add(handle)
                } else if isInterrupted() {
                    let error = handle.interruption(.other) {
                        "The transport was shut down while the request to \($0) was in flight"
                    }
                    multi.remove(handle)
                    return .failure(error)
                } else {
                    multi.sleep(atMost: handle.isConnecting ? CurlHandle.longestSleepWhileConnecting : .seconds(1))
                }
            }
        } catch {
            return .failure(error)
        }
    }

    /// One server is the rule; a base URL with another is the exception.
    private static let keptConnections = 4
}

private final class ShutdownFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isRaised: Bool { flag.load(ordering: .relaxed) }
    func raise() { flag.store(true, ordering: .relaxed) }
}
