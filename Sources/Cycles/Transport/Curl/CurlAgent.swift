import CCurl
import Synchronization

/// One request on its way through the agent.
final class CurlTransfer: @unchecked Sendable {
    // Unchecked: `done` is set before the transfer is submitted, and the rest of what changes belongs to the I/O thread.
    let request: HTTPRequest
    var done: (@Sendable (Transferred) -> Void)?
    fileprivate let isCancelled = Atomic<Bool>(false)
    private let submitted = ContinuousClock.now
    private var waited = Duration.zero
    fileprivate(set) var handle: CurlHandle?

    init(_ request: HTTPRequest, _ done: (@Sendable (Transferred) -> Void)? = nil) {
        self.request = request
        self.done = done
    }

    fileprivate func didStart() { waited = submitted.duration(to: .now) }

    fileprivate func complete(_ outcome: Result<HTTPResponse, HTTPTransportError>) {
        done?(Transferred(outcome, waited: waited))
    }
}

/// Drives all transfers of a transport on one thread with one multi handle.
///
/// Callers leave transfers in a mailbox and wake the thread, once for a batch and only if it sleeps. All else belongs
/// to the thread: the multi handle, the queue for connections, the easy handles.
final class CurlAgent: Sendable {
    private struct Mailbox {
        var arrivals: [CurlTransfer] = []
        var cancellations: [CurlTransfer] = []
        /// Whether the thread is about to sleep in libcurl, or does: it has to be woken to see the mailbox.
        var isSleeping = false
        var phase = Phase.notStarted
        var whenEnded: [@Sendable () -> Void] = []
        /// Whether the thread runs. It may still fail to start while the phase is `running`.
        var hasThread = false
        /// Something that the thread does for others.
        var errand: (time: ContinuousClock.Instant, work: @Sendable () -> Void)?
        /// Whether the thread has not seen the errand yet.
        var isErrandNew = false

        /// Whether there is nothing for the thread to do.
        var isQuiet: Bool { arrivals.isEmpty && cancellations.isEmpty && !isErrandNew && phase == .running }

        /// The errand if it is due, which is taken out then.
        mutating func dueErrand() -> (@Sendable () -> Void)? {
            isErrandNew = false
            guard let next = errand, next.time <= .now else { return nil }
            errand = nil
            return next.work
        }
    }

    /// The longest time that tasks wait to be resumed by another task.
    private static let longestHandOver = Duration.milliseconds(2)

    private enum Phase { case notStarted, running, ending, ended }

    private let mailbox = Lock(Mailbox())
    private let resumptions = Resumptions()
    private let multi: CurlMulti
    private let settings: CurlSettings
    private let threads: ThreadSource

    init(_ settings: CurlSettings, threads: ThreadSource = .system) {
        self.settings = settings
        self.threads = threads
        multi = CurlMulti(maxConnections: settings.totalConnections)
    }

    // MARK: From any thread

    /// Takes a transfer on. Its completion is called once, on the I/O thread.
    func submit(_ transfer: CurlTransfer) {
        enum Next { case none, wake, startThread, refuse }
        let next: Next = mailbox.withLock { mailbox in
            switch mailbox.phase {
            case .notStarted:
                mailbox.arrivals.append(transfer)
                mailbox.phase = .running
                return .startThread
            case .running:
                mailbox.arrivals.append(transfer)
                guard mailbox.isSleeping else { return .none }
                mailbox.isSleeping = false
                return .wake
            case .ending, .ended: return .refuse
            }
        }
        switch next {
        case .none: break
        case .wake: multi.wake()
        case .startThread: startThread()
        case .refuse: transfer.complete(.failure(.shutDown(wasRequestSent: false)))
        }
    }

    /// Whether there is an I/O thread, or none is needed any more. Starts the thread if need be.
    func ensureThread() -> Bool {
        let isNew = mailbox.withLock { mailbox in
            guard mailbox.phase == .notStarted else { return false }
            mailbox.phase = .running
            return true
        }
        return !isNew || startThread()
    }

    /// Runs `work` at a time on the I/O thread, instead of what was given before. False if there is no such thread.
    func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        guard ensureThread() else { return false }
        let (isAccepted, needsWaking) = mailbox.withLock { mailbox in
            guard mailbox.phase == .running, mailbox.hasThread else { return (false, false) }
            mailbox.errand = (time, work)
            mailbox.isErrandNew = true
            defer { mailbox.isSleeping = false }
            return (true, mailbox.isSleeping)
        }
        if needsWaking { multi.wake() }
        return isAccepted
    }

    /// Aborts a transfer that was submitted or is about to be.
    func cancel(_ transfer: CurlTransfer) {
        transfer.isCancelled.store(true, ordering: .releasing)
        let needsWaking = mailbox.withLock { mailbox in
            guard mailbox.phase == .running else { return false }
            mailbox.cancellations.append(transfer)
            defer { mailbox.isSleeping = false }
            return mailbox.isSleeping
        }
        if needsWaking { multi.wake() }
    }

    /// Ends all transfers and the thread, then calls `whenEnded`. May be called more than once.
    func end(_ whenEnded: (@Sendable () -> Void)? = nil) {
        let (isOver, needsWaking) = mailbox.withLock { mailbox in
            switch mailbox.phase {
            case .notStarted, .ended:
                mailbox.phase = .ended
                return (true, false)
            case .running, .ending:
                if let whenEnded { mailbox.whenEnded.append(whenEnded) }
                mailbox.phase = .ending
                defer { mailbox.isSleeping = false }
                return (false, mailbox.isSleeping)
            }
        }
        if isOver { whenEnded?() }
        if needsWaking { multi.wake() }
    }

    @discardableResult
    private func startThread() -> Bool {
        guard multi.isUsable, threads.start({ self.run() }) else {
            // The next request may find a thread again.
            let (stranded, whenEnded) = mailbox.withLock { mailbox in
                mailbox.phase = mailbox.phase == .ending ? .ended : .notStarted
                defer {
                    mailbox.arrivals = []
                    mailbox.cancellations = []
                    mailbox.whenEnded = []
                }
                return (mailbox.arrivals, mailbox.whenEnded)
            }
            for transfer in stranded {
                transfer.complete(
                    .failure(
                        HTTPTransportError(
                            kind: .resourcesExhausted,
                            message: "Nothing was sent: the system gives the process no thread or file descriptor for "
                                + "network transfers; raise its limits (ulimit -u, ulimit -n, or pids.max of its cgroup)",
                            wasRequestSent: false
                        )
                    )
                )
            }
            for callback in whenEnded { callback() }
            return false
        }
        return true
    }

    // MARK: On the I/O thread

    private func run() {
        mailbox.withLock { $0.hasThread = true }
        var worker = Worker(multi: multi, settings: settings)
        var arrivals: [CurlTransfer] = []
        var cancellations: [CurlTransfer] = []
        while true {
            let (isEnding, errand) = mailbox.withLock { mailbox in
                swap(&mailbox.arrivals, &arrivals)
                swap(&mailbox.cancellations, &cancellations)
                return (mailbox.phase == .ending, mailbox.dueErrand())
            }
            errand?()
            resumptions.collect {
                for transfer in arrivals { worker.accept(transfer) }
                for transfer in cancellations { worker.cancel(transfer) }
                if !isEnding { worker.advance() }
            }
            arrivals.removeAll(keepingCapacity: true)
            cancellations.removeAll(keepingCapacity: true)
            if isEnding { break }
            sleep(atMost: resumptions.isPending ? CurlAgent.longestHandOver : worker.longestSleep)
            resumptions.resumeAll()
        }
        worker.abandonAll()
        let (stranded, whenEnded, errand) = mailbox.withLock { mailbox in
            mailbox.phase = .ended
            mailbox.hasThread = false
            defer {
                mailbox.arrivals = []
                mailbox.whenEnded = []
                mailbox.errand = nil
            }
            return (mailbox.arrivals, mailbox.whenEnded, mailbox.errand)
        }
        // Too early, so that whoever gave it learns that there is no thread any more.
        errand?.work()
        for transfer in stranded { transfer.complete(.failure(.shutDown(wasRequestSent: false))) }
        for callback in whenEnded { callback() }
    }

    /// Sleeps until a transfer can go on, there is mail or the errand is due.
    private func sleep(atMost limit: Duration) {
        let (maySleep, errandTime) = mailbox.withLock { mailbox in
            mailbox.isSleeping = mailbox.isQuiet
            return (mailbox.isSleeping, mailbox.errand?.time)
        }
        guard maySleep else { return }
        multi.sleep(atMost: errandTime.map { min(limit, ContinuousClock.now.duration(to: $0)) } ?? limit)
        // Whatever ended the sleep, the mailbox is looked at next.
        mailbox.withLock { $0.isSleeping = false }
    }
}

/// The state of the I/O thread.
private struct Worker {
    let multi: CurlMulti
    let settings: CurlSettings
    var queue: TransferQueue<CurlTransfer>
    var idleHandles: [CurlHandle] = []
    var activeHandles: [ObjectIdentifier: CurlHandle] = [:]
    /// The active handles that have no connection yet.
    private var connectingHandles: [CurlHandle] = []

    init(multi: CurlMulti, settings: CurlSettings) {
        self.multi = multi
        self.settings = settings
        queue = TransferQueue(limit: settings.maxConnections, reserved: settings.reservedConnections)
    }

    mutating func accept(_ transfer: CurlTransfer) {
        if transfer.isCancelled.load(ordering: .acquiring) {
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

    /// The longest time that the thread may sleep.
    var longestSleep: Duration {
        connectingHandles.isEmpty ? .seconds(3_600) : CurlHandle.longestSleepWhileConnecting
    }

    /// Starts what can be started, moves everything on, and hands out what has finished.
    mutating func advance() {
        repeat {
            startTransfers()
            guard !activeHandles.isEmpty else { return }
            multi.perform()
            lookAfterConnecting()
        } while completeTransfers() && !queue.isEmpty
    }

    /// Fails everything that has not finished.
    mutating func abandonAll() {
        for transfer in queue.removeAll(where: { _ in true }) {
            transfer.complete(.failure(.shutDown(wasRequestSent: false)))
        }
        for handle in Array(activeHandles.values) {
            let error = handle.interruption(.other) {
                "The transport was shut down while the request to \($0) was in flight"
            }
            finish(handle, .failure(error))
        }
        idleHandles.removeAll()
    }

    private mutating func startTransfers() {
        while let transfer = queue.next() {
            do throws(HTTPTransportError) {
                let handle = try takeHandle()
                do throws(HTTPTransportError) {
                    try handle.prepare(transfer.request)
                    try multi.add(handle)
                } catch {
                    idleHandles.append(handle)
                    throw error
                }
                handle.transfer = transfer
                transfer.handle = handle
                activeHandles[ObjectIdentifier(handle)] = handle
                connectingHandles.append(handle)
                transfer.didStart()
            } catch {
                queue.finishOne(transfer.request.priority)
                transfer.complete(.failure(error))
            }
        }
    }

    private mutating func takeHandle() throws(HTTPTransportError) -> CurlHandle {
        if let idle = idleHandles.popLast() { return idle }
        return try CurlHandle(settings, multi.sockets)
    }

    /// Whether any transfer has finished.
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

    /// Notes which transfers have got their connection, and ends waiting that takes too long.
    private mutating func lookAfterConnecting() {
        if multi.sockets.hasNewConnections {
            multi.sockets.hasNewConnections = false
            // libcurl may have replaced a connection that turned out to be dead.
            connectingHandles = activeHandles.values.filter(\.isConnecting)
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
        activeHandles[ObjectIdentifier(handle)] = nil
        connectingHandles.removeAll { $0 === handle }
        let transfer = handle.transfer
        if let transfer { queue.finishOne(transfer.request.priority) }
        handle.transfer = nil
        transfer?.handle = nil
        idleHandles.append(handle)
        transfer?.complete(result)
    }
}
