import CCurl

/// Performs all transfers of a transport on one thread with one multi handle.
///
/// Callers put messages in a mailbox and wake the thread, once for a batch and only if the thread sleeps. Everything
/// else belongs to the thread: the multi handle, the queue for connections, the easy handles.
final class CurlAgent: Sendable {
    /// A request to the thread.
    private enum Message {
        case start(CurlTransfer)
        case cancel(CurlTransfer)
        case lend(CurlErrand)
        case run(UnownedJob)
        case perform([@Sendable () -> Void])
    }

    private enum Phase { case notStarted, starting, running, ending, ended }

    private struct Mailbox {
        var messages: [Message] = []
        var phase = Phase.notStarted
        /// Whether the thread sleeps in libcurl or is about to. It must then be woken to read the mailbox.
        var isSleeping = false
        var whenEnded: [@Sendable () -> Void] = []

        /// Whether the thread has nothing to do.
        var isQuiet: Bool { messages.isEmpty && phase == .running }
    }

    /// The maximum time that tasks wait to be resumed together, in milliseconds.
    private static let longestHandOver = 2
    /// The maximum number of times that the messages of jobs are handled before transfers continue.
    private static let longestChain = 4

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

    /// Accepts a transfer. Its completion is called once, on the I/O thread.
    func submit(_ transfer: CurlTransfer) {
        switch post(.start(transfer)) {
        case .starting, .running: break
        case .notStarted:
            if ensureThread() { submit(transfer) } else { transfer.complete(.failure(.noThread)) }
        case .ending, .ended: transfer.complete(.failure(.shutDown(wasRequestSent: false)))
        }
    }

    /// Aborts a transfer that was submitted or is about to be submitted.
    func cancel(_ transfer: CurlTransfer) {
        transfer.cancel()
        _ = post(.cancel(transfer))
    }

    /// Runs `work` at a given time on the I/O thread, in place of work lent before. Returns false if there is no such
    /// thread.
    func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        ensureThread() && post(.lend(CurlErrand(time: time, work: work))) == .running
    }

    /// Runs `work` on the I/O thread. Returns false if there is no such thread.
    func run(_ work: [@Sendable () -> Void]) -> Bool {
        switch post(.perform(work)) {
        case .starting, .running: true
        case .notStarted, .ending, .ended: false
        }
    }

    /// Posts a message if the thread runs or is being started, and wakes the thread. Returns the phase.
    private func post(_ message: Message) -> Phase {
        let (phase, needsWaking) = mailbox.withLock { mailbox in
            guard mailbox.phase == .running || mailbox.phase == .starting else { return (mailbox.phase, false) }
            mailbox.messages.append(message)
            defer { mailbox.isSleeping = false }
            return (mailbox.phase, mailbox.isSleeping)
        }
        if needsWaking { multi.wake() }
        return phase
    }

    /// Ends all transfers and the thread, then calls `whenEnded`. May be called several times.
    func end(_ whenEnded: (@Sendable () -> Void)? = nil) {
        let (isOver, needsWaking) = mailbox.withLock { mailbox in
            switch mailbox.phase {
            case .notStarted, .ended:
                mailbox.phase = .ended
                return (true, false)
            case .starting, .running, .ending:
                if let whenEnded { mailbox.whenEnded.append(whenEnded) }
                mailbox.phase = .ending
                defer { mailbox.isSleeping = false }
                return (false, mailbox.isSleeping)
            }
        }
        if isOver { whenEnded?() }
        if needsWaking { multi.wake() }
    }

    /// Starts the I/O thread if necessary. Returns false if the thread could not be started.
    func ensureThread() -> Bool {
        let isNew = mailbox.withLock { mailbox in
            guard mailbox.phase == .notStarted else { return false }
            mailbox.phase = .starting
            return true
        }
        guard isNew else { return true }
        let isStarted = multi.isUsable && threads.start { self.run() }
        if isStarted { didStart() } else { didNotStart() }
        return isStarted
    }

    private func didStart() { mailbox.withLock { if $0.phase == .starting { $0.phase = .running } } }

    /// Returns to the initial phase, since a later request may find a thread.
    private func didNotStart() {
        let old = mailbox.withLock { mailbox in
            let old = mailbox
            mailbox = Mailbox(phase: old.phase == .ending ? .ended : .notStarted)
            return old
        }
        for message in old.messages {
            switch message {
            case .start(let transfer): transfer.complete(.failure(.noThread))
            case .run(let job): globalConcurrentExecutor.enqueue(ExecutorJob(job))
            case .perform(let work): for item in work { item() }
            case .cancel, .lend: break
            }
        }
        for callback in old.whenEnded { callback() }
    }

    // MARK: On the I/O thread

    private func run() {
        didStart()
        var worker = CurlWorker(multi: multi, settings: settings)
        var isEnding = false
        while !isEnding {
            worker.takeDueErrand()?.work()
            resumptions.collect {
                isEnding = handleMessages(&worker)
                if isEnding { worker.abandonAll() } else { worker.advance() }
            }
            if isEnding { break }
            sleep(milliseconds: resumptions.isPending ? CurlAgent.longestHandOver : worker.longestSleep)
            resumptions.resumeAll()
        }
        resumptions.resumeAll()
        multi.close()
        let whenEnded = mailbox.withLock { mailbox in
            mailbox.phase = .ended
            // The callbacks may refer to the owner of the transport, and must not keep it.
            defer { mailbox.whenEnded = [] }
            return mailbox.whenEnded
        }
        // Runs the errand early, so that its owner learns that the thread has ended.
        worker.errand?.work()
        for callback in whenEnded { callback() }
    }

    /// Handles all messages. Jobs may post further messages, which are handled at once, up to a limit.
    /// - Returns: Whether the thread must end.
    private func handleMessages(_ worker: inout CurlWorker) -> Bool {
        var messages: [Message] = []
        for _ in 0..<CurlAgent.longestChain {
            let isEnding = mailbox.withLock { mailbox in
                swap(&mailbox.messages, &messages)
                return mailbox.phase == .ending
            }
            for message in messages {
                switch message {
                case .start(let transfer): worker.accept(transfer)
                case .cancel(let transfer): worker.cancel(transfer)
                case .lend(let errand): worker.errand = errand
                case .run(let job): job.runSynchronously(on: asUnownedTaskExecutor())
                case .perform(let work): for item in work { item() }
                }
            }
            if isEnding { return true }
            if messages.isEmpty { break }
            messages.removeAll(keepingCapacity: true)
        }
        return false
    }

    /// Sleeps until a transfer can continue, a message arrives or the time has passed.
    private func sleep(milliseconds limit: Int) {
        let maySleep = mailbox.withLock { mailbox in
            mailbox.isSleeping = mailbox.isQuiet
            return mailbox.isSleeping
        }
        guard maySleep else { return }
        multi.sleep(milliseconds: limit)
        // The mailbox is read next, so that no caller needs to wake the thread.
        mailbox.withLock { $0.isSleeping = false }
    }
}

extension CurlAgent: TaskExecutor {
    /// Runs a job of a task on the I/O thread, or on the global executor if the thread has ended or cannot be started.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        while true {
            switch post(.run(job)) {
            case .starting, .running: return
            case .notStarted where ensureThread(): continue
            case .notStarted, .ending, .ended: return globalConcurrentExecutor.enqueue(ExecutorJob(job))
            }
        }
    }
}

extension HTTPTransportError {
    fileprivate static var noThread: HTTPTransportError {
        HTTPTransportError(
            kind: .resourcesExhausted,
            message:
                "Nothing was sent: the system gives the process no thread or file descriptor for network transfers; "
                + "raise its limits (ulimit -u, ulimit -n, or pids.max of its cgroup)",
            wasRequestSent: false
        )
    }
}
