import CCurl
import Synchronization

/// Performs transfers on the threads of their callers, with handles that are kept for their connections.
final class CurlBlockingPool: Sendable {
    private struct State {
        var idle: [CurlHandle] = []
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

    private let state: Monitor<State>
    private let settings: CurlSettings
    /// Read by transfers in flight while they wait, without the lock.
    private let isShutDown = ShutdownFlag()

    init(_ settings: CurlSettings) {
        self.settings = settings
        state = Monitor(
            State(queue: TransferQueue(limit: settings.maxConnections, reserved: settings.reservedConnections))
        )
    }

    /// - Parameter whenStarted: Is called when the request has its turn.
    func send(_ request: HTTPRequest, whenStarted: () -> Void) throws(HTTPTransportError) -> HTTPResponse {
        let ticket = state.withLock { state in
            state.nextTicket += 1
            state.queue.enqueue(state.nextTicket, priority: request.priority)
            state.admit()
            return state.nextTicket
        }
        // The time limit of the request begins when it has its turn.
        let turn: (idle: CurlHandle?, isShutDown: Bool) = state.wait { state in
            guard state.admitted.remove(ticket) != nil else { return nil }
            return (state.idle.popLast(), state.isShutDown)
        }
        var kept: CurlHandle?
        defer {
            state.withLock { state in
                if let kept, !state.isShutDown { state.idle.append(kept) }
                state.queue.finishOne(request.priority)
                state.admit()
            }
        }
        if turn.isShutDown {
            throw HTTPTransportError(
                kind: .other,
                message: "The transport has been shut down; make a new client to send requests",
                wasRequestSent: false
            )
        }
        let handle: CurlHandle
        if let idle = turn.idle { handle = idle } else { handle = try newHandle() }
        kept = handle
        try handle.prepare(request)
        whenStarted()
        let code = SystemThread.withoutBrokenPipeSignal { curl_easy_perform(handle.easy) }
        if code == CURLE_ABORTED_BY_CALLBACK {
            throw handle.interruption(.other) { "The transport was shut down while the request to \($0) was in flight" }
        }
        return try handle.result(code).get()
    }

    /// Makes transfers in flight fail within a second, which is how often libcurl asks, and refuses further ones.
    func shutdown() {
        isShutDown.raise()
        state.withLock { state in
            state.isShutDown = true
            state.idle = []
        }
    }

    private func newHandle() throws(HTTPTransportError) -> CurlHandle {
        let handle = try CurlHandle(settings)
        cycles_easy_set_progress_callback(handle.easy) { context, _, _, _, _ in
            guard let context else { return 0 }
            return Unmanaged<ShutdownFlag>.fromOpaque(context).takeUnretainedValue().isRaised ? 1 : 0
        }
        // The pool outlives its handles, and the flag the pool's last transfer.
        cycles_easy_set_pointer(handle.easy, CURLOPT_XFERINFODATA, Unmanaged.passUnretained(isShutDown).toOpaque())
        cycles_easy_set_long(handle.easy, CURLOPT_NOPROGRESS, 0)
        return handle
    }
}

private final class ShutdownFlag: Sendable {
    private let flag = Atomic<Bool>(false)
    var isRaised: Bool { flag.load(ordering: .relaxed) }
    func raise() { flag.store(true, ordering: .relaxed) }
}
