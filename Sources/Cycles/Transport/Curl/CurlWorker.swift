import CCurl
import Synchronization

/// A request that the agent performs.
final class CurlTransfer: @unchecked Sendable {
    // Unchecked is sound: `done` is set before the transfer is submitted, and all other mutable state belongs to the
    // I/O thread.
    let request: HTTPRequest
    var done: (@Sendable (Transferred) -> Void)?
    private let cancellation = Atomic<Bool>(false)
    // Monotonic times in nanoseconds.
    private let submitted = SystemTime.monotonic.wholeNanoseconds
    fileprivate var began: Int64?
    fileprivate var handle: CurlHandle?

    init(_ request: HTTPRequest, _ done: (@Sendable (Transferred) -> Void)? = nil) {
        self.request = request
        self.done = done
    }

    var isCancelled: Bool { cancellation.load(ordering: .acquiring) }

    func cancel() { cancellation.store(true, ordering: .releasing) }

    func complete(_ outcome: Result<HTTPResponse, HTTPTransportError>) {
        done?(Transferred(outcome, waited: .nanoseconds((began ?? submitted) - submitted)))
    }
}

/// Work that the I/O thread performs for others at a given time.
struct CurlErrand: Sendable {
    let time: ContinuousClock.Instant
    let work: @Sendable () -> Void
}

/// The state of the I/O thread.
struct CurlWorker {
    let multi: CurlMulti
    let settings: CurlSettings
    private var queue: TransferQueue<CurlTransfer>
    /// All handles. Those with a transfer are active.
    private var handles: [CurlHandle] = []
    private var idleHandles: [CurlHandle] = []
    /// The active handles that have no connection yet.
    private var connectingHandles: [CurlHandle] = []
    var errand: CurlErrand?

    init(multi: CurlMulti, settings: CurlSettings) {
        self.multi = multi
        self.settings = settings
        queue = TransferQueue(limit: settings.maxConnections, reserved: settings.reservedConnections)
    }

    mutating func accept(_ transfer: CurlTransfer) {
        if transfer.isCancelled {
            transfer.complete(.failure(.cancelledInLine))
        } else {
            queue.enqueue(transfer, priority: transfer.request.priority)
        }
    }

    mutating func cancel(_ transfer: CurlTransfer) {
        if let handle = transfer.handle {
            let error = handle.interruption(.cancelled) { "The request to \($0) was cancelled" }
            finish(handle, .failure(error))
        } else if !queue.removeAll(where: { $0 === transfer }).isEmpty {
            transfer.complete(.failure(.cancelledInLine))
        }
    }

    /// Removes and returns the errand if it is due.
    mutating func takeDueErrand() -> CurlErrand? {
        guard let next = errand, next.time <= .now else { return nil }
        errand = nil
        return next
    }

    /// The maximum time that the thread may sleep, in milliseconds.
    var longestSleep: Int {
        let limit = connectingHandles.isEmpty ? 3_600_000 : CurlHandle.longestSleepWhileConnecting
        guard let errand else { return limit }
        return min(
            limit,
            max(0, Int(clamping: ContinuousClock.now.duration(to: errand.time).wholeMillisecondsRoundedUp))
        )
    }

    /// Starts the transfers that have connections, drives all transfers, and delivers results.
    mutating func advance() {
        repeat {
            startTransfers()
            guard idleHandles.count < handles.count else { return }
            multi.perform()
            updateConnecting()
        } while completeTransfers() && !queue.isEmpty
    }

    /// Fails all unfinished transfers.
    mutating func abandonAll() {
        for transfer in queue.removeAll(where: { _ in true }) {
            transfer.complete(.failure(.shutDown(wasRequestSent: false)))
        }
        for handle in handles where handle.transfer != nil {
            let error = handle.interruption(.other) {
                "The transport was shut down while the request to \($0) was in flight"
            }
            finish(handle, .failure(error))
        }
    }

    private mutating func startTransfers() {
        guard queue.hasNext else { return }
        let now = SystemTime.monotonic.wholeNanoseconds
        while let transfer = queue.next() {
            do throws(HTTPTransportError) {
                let handle = if let idle = idleHandles.last { idle } else { try makeHandle() }
                try handle.prepare(transfer.request, at: now)
                try multi.add(handle)
                idleHandles.removeLast()
                handle.transfer = transfer
                transfer.handle = handle
                transfer.began = now
                connectingHandles.append(handle)
            } catch {
                queue.finishOne(transfer.request.priority)
                transfer.complete(.failure(error))
            }
        }
    }

    private mutating func makeHandle() throws(HTTPTransportError) -> CurlHandle {
        let handle = try CurlHandle(settings, multi.sockets)
        handles.append(handle)
        idleHandles.append(handle)
        return handle
    }

    /// Delivers the results of finished transfers. Returns whether any transfer has finished.
    private mutating func completeTransfers() -> Bool {
        var hasCompleted = false
        while let (easy, code) = multi.nextFinished() {
            hasCompleted = true
            guard let handle = CurlHandle.of(easy: easy) else { continue }
            if handle.prepareAgain(after: code) {
                restart(handle)
            } else {
                finish(handle, handle.result(code))
            }
        }
        return hasCompleted
    }

    /// Records which transfers have connections. Stops transfers from waiting too long for the connections of others.
    private mutating func updateConnecting() {
        if multi.sockets.hasNewConnections {
            multi.sockets.hasNewConnections = false
            // libcurl may have replaced a connection that turned out to be dead.
            connectingHandles = handles.filter { $0.transfer != nil && $0.isConnecting }
        } else if !connectingHandles.isEmpty {
            connectingHandles.removeAll { !$0.isConnecting }
        }
        for handle in connectingHandles where handle.hasWaitedEnough {
            handle.stopWaiting()
            restart(handle)
        }
    }

    private mutating func restart(_ handle: CurlHandle) {
        multi.remove(handle)
        do throws(HTTPTransportError) {
            try multi.add(handle)
            if !connectingHandles.contains(where: { $0 === handle }) { connectingHandles.append(handle) }
        } catch {
            finish(handle, .failure(error))
        }
    }

    private mutating func finish(_ handle: CurlHandle, _ result: Result<HTTPResponse, HTTPTransportError>) {
        multi.remove(handle)
        if !connectingHandles.isEmpty { connectingHandles.removeAll { $0 === handle } }
        idleHandles.append(handle)
        guard let transfer = handle.transfer else { return }
        handle.transfer = nil
        transfer.handle = nil
        queue.finishOne(transfer.request.priority)
        transfer.complete(result)
    }
}
