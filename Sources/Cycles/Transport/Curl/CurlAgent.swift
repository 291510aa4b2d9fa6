import CCurl

/// Drives all transfers of a transport on one thread with one multi handle.
///
/// Callers leave messages in a mailbox and wake the thread, once for a batch and only if it sleeps. All else belongs to
/// the thread: the multi handle, the queue for connections, the easy handles.
final class CurlAgent: Sendable {
    /// Something for the thread to do.
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
        /// Whether the thread is about to sleep in libcurl, or does: it has to be woken to see the mailbox.
        var isSleeping = false
        var whenEnded: [@Sendable () -> Void] = []

        /// Whether there is nothing for the thread to do.
        var isQuiet: Bool { messages.isEmpty && phase == .running }
    }

    /// The longest time that tasks wait to be resumed by another task, in milliseconds.
    private static let longestHandOver = 2
    /// The number of times that messages of jobs are handled before transfers go on.
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

    /// Takes a transfer on. Its completion is called once, on the I/O thread.
    func submit(_ transfer: CurlTransfer) {
        switch post(.start(transfer)) {
        case .starting, .running: break
        case .notStarted:
            if ensureThread() { submit(transfer) } else { transfer.complete(.failure(.noThread)) }
        case .ending, .ended: transfer.complete(.failure(.shutDown(wasRequestSent: false)))
        }
    }

    /// Aborts a transfer that was submitted or is about to be.
    func cancel(_ transfer: CurlTransfer) {
        transfer.cancel()
        _ = post(.cancel(transfer))
    }

    /// Runs `work` at a time on the I/O thread, instead of what was given before. False if there is no such thread.
    func lendThread(at time: ContinuousClock.Instant, _ work: @escaping @Sendable () -> Void) -> Bool {
        ensureThread() && post(.lend(CurlErrand(time: time, work: work))) == .running
    }

    /// Runs `work` on the I/O thread. False if that is not there.
    func run(_ work: [@Sendable () -> Void]) -> Bool {
        switch post(.perform(work)) {
        case .starting, .running: true
        case .notStarted, .ending, .ended: false
        }
    }

    /// Leaves a message if the thread runs or is being started, and wakes the thread. Returns the phase.
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

    /// Ends all transfers and the thread, then calls `whenEnded`. May be called more than once.
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

    /// Whether there is an I/O thread, or none is needed any more. Starts the thread if need be.
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

    /// The next request may find a thread again.
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
        let whenEnded = mailbox.withLock { mailbox in
            mailbox.phase = .ended
            return mailbox.whenEnded
        }
        // Too early, so that whoever gave it learns that there is no thread any more.
        worker.errand?.work()
        for callback in whenEnded { callback() }
    }

    /// Empties the mailbox. Jobs may leave messages in it, which are handled at once unless there is no end of them.
    /// - Returns: Whether the thread is to end.
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

    /// Sleeps until a transfer can go on, there is mail or a time is over.
    private func sleep(milliseconds limit: Int) {
        let maySleep = mailbox.withLock { mailbox in
            mailbox.isSleeping = mailbox.isQuiet
            return mailbox.isSleeping
        }
        guard maySleep else { return }
        multi.sleep(milliseconds: limit)
        // The mailbox is looked at next, so that nobody has to wake the thread.
        mailbox.withLock { $0.isSleeping = false }
    }
}

extension CurlAgent: TaskExecutor {
    /// Runs a job of a task on the I/O thread, or elsewhere if that has ended or cannot be had.
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
