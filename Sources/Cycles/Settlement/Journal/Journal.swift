/// The thread that writes the journal of one directory, for all clients of the process that use the directory.
///
/// Calls that arrive during a sync are performed together in the next round. If the system cannot start a thread, the
/// calling thread performs the pending calls of all.
final class Journal: Sendable {
    typealias Call = @Sendable (inout JournalRounds) -> Void

    private struct Line {
        var calls: [Call] = []
        /// Whether a pending call needs a round at once.
        var isUrgent = false
        /// Whether the thread is running or being started.
        var hasThread = false
        /// Whether the thread sleeps until it is woken, so that even calls that are not urgent must wake it.
        var sleepsLong = false
        var worker: SystemThread?
        var lastClient = 0
    }

    private static let patience = Duration.seconds(5)
    /// The delay between puts and the next round. Drops that arrive in that time do not wake the thread.
    private static let delayOfDrops = Duration.milliseconds(100)

    private let folder: LogFolder?
    /// The initial state of a take-over of other processes' logs.
    private let takeOver: LogTakeOver?
    private let threads: ThreadSource
    private let line = WaitableLock(Line())
    private let rounds: Lock<JournalRounds>
    /// Runs the completions and observers of clients without a thread of their own.
    private let delivery: SerialThread
    /// Derives the names of folders, one at a time.
    private let naming: SerialThread

    init(_ files: any FileSystem, base: String?, threads: ThreadSource) {
        folder = base.map { LogFolder(files, base: $0) }
        takeOver = base.map { LogTakeOver(files, base: $0) }
        self.threads = threads
        rounds = Lock(JournalRounds(files, base: base))
        delivery = SerialThread(threads)
        naming = SerialThread(threads)
    }

    /// Adds a client.
    func enter(
        _ store: sending RecordStore,
        _ observer: any CyclesObserver,
        _ audience: JournalAudience,
        run: @escaping JournalClient.Run
    ) -> JournalClient {
        let number = line.withLock { line, _ in
            line.lastClient += 1
            return line.lastClient
        }
        let client = JournalClient(number, store, observer, audience, run: run)
        perform { $0.enter(client) }
        return client
    }

    /// Derives the name of an identity's folder, then performs the calls that wait for the name. If no thread can be
    /// started, the name is derived on first use.
    func deriveName(of identity: JournalIdentity, for calls: NamedCalls) {
        let isBegun = naming.begin {
            _ = JournalNames.folder(identity)
            calls.performAll()
        }
        if !isBegun { calls.performAll() }
    }

    /// Performs a call in the next round.
    /// - Parameter isUrgent: Whether a caller waits for the round.
    func perform(isUrgent: Bool = true, _ call: @escaping Call) {
        let needsThread = line.withLock { line, wakes in
            line.calls.append(call)
            if isUrgent { line.isUrgent = true }
            wakes = isUrgent || line.sleepsLong
            defer { line.hasThread = true }
            return !line.hasThread
        }
        guard needsThread, !threads.start({ self.run() }) else { return }
        repeat { performCalls(isHurried: true) } while !endsIfIdle()
    }

    /// Performs a call for a thread that waits for the disk.
    /// - Parameter call: Receives a completion that must be delivered directly.
    func performBlocking(_ call: @escaping @Sendable (inout JournalRounds, @escaping JournalRounds.Completion) -> Void)
        -> Bool
    {
        // The journal's own thread performs the calls, and so must not wait for one.
        guard line.withLock({ line, _ in line.worker == SystemThread.current }) else {
            return blocking { done in perform { call(&$0, done) } }
        }
        let result = Lock(false)
        finish(
            rounds.withLock { rounds in
                call(&rounds) { isDurable in result.withLock { $0 = isDurable } }
                return rounds.end(at: .now, isHurried: true)
            }
        )
        return result.withLock { $0 }
    }

    // MARK: The thread

    private func run() {
        while true {
            let outcome = performCalls(isHurried: false)
            let deadline = outcome.deadline ?? (outcome.expectsDrops ? .now + Journal.delayOfDrops : nil)
            let limit = deadline.map { $0 - .now } ?? Journal.patience
            let isWoken: Bool? = line.wait(atMost: max(.zero, limit)) { line in
                if line.isUrgent || (deadline == nil && !line.calls.isEmpty) { return true }
                line.sleepsLong = deadline == nil
                return nil
            }
            let hasCalls = line.withLock { line, _ in
                line.sleepsLong = false
                return !line.calls.isEmpty
            }
            // Lets other threads put their records first, so that one sync serves all records.
            if isWoken != nil, outcome.hasSeveral { SystemThread.yield() }
            if isWoken == nil, deadline == nil, !hasCalls, endsIfIdle() { return }
        }
    }

    private func endsIfIdle() -> Bool {
        line.withLock { line, _ in
            if line.calls.isEmpty { (line.hasThread, line.worker) = (false, nil) }
            return !line.hasThread
        }
    }

    /// - Returns: The outcome of the last round.
    @discardableResult
    private func performCalls(isHurried: Bool) -> JournalRounds.Outcome {
        while true {
            let calls = line.withLock { line, _ in
                defer { (line.calls, line.isUrgent) = ([], false) }
                line.worker = SystemThread.current
                return line.calls
            }
            let outcome = rounds.withLock { rounds in
                for call in calls { call(&rounds) }
                return rounds.end(at: .now, isHurried: isHurried)
            }
            finish(outcome)
            if outcome.hasMore || line.withLock({ line, _ in line.isUrgent }) { continue }
            return outcome
        }
    }

    /// Runs completions and observers. They may call the journal, and so run without the lock.
    private func finish(_ outcome: JournalRounds.Outcome) {
        for completion in outcome.direct { completion() }
        for (client, work) in outcome.apart where !client.run(work) { delivery.run(work) }
        if outcome.needsSuccessor { prepareSuccessor() }
        if let own = outcome.needsTakeOver { takeOverLogs(except: own) }
        if !outcome.unnamed.isEmpty { deriveNames(of: outcome.unnamed) }
    }

    /// Derives the names of folders for a report. Callers wait for the journal's thread, and each name takes long.
    private func deriveNames(of identities: [JournalIdentity]) {
        let work: @Sendable () -> Void = {
            for identity in identities { _ = JournalNames.folder(identity) }
            self.perform { $0.derivedNames() }
        }
        if !naming.begin(work) { work() }
    }

    /// Takes over the logs of processes that have ended. A thread of its own does so, since callers wait for the
    /// journal's thread and there may be thousands of records.
    private func takeOverLogs(except own: Set<String>) {
        let work: @Sendable () -> Void = {
            let result = self.takeOver.map { takeOver in
                var takeOver = takeOver
                takeOver.run(except: own)
                return takeOver
            }
            self.perform { $0.tookOver(result) }
        }
        let isShort = takeOver.map { !$0.isNeeded(except: own) } ?? true
        if isShort || !threads.start(attempts: 1, work) { work() }
    }

    /// Prepares the next log while this log still has room. A thread of its own does so, since callers wait for the
    /// journal's thread.
    private func prepareSuccessor() {
        guard let folder else { return }
        // Without a thread, the log is made when needed.
        _ = threads.start(attempts: 1) {
            let successor = (try? folder.makeLog(holding: [:], isFirst: false)) ?? nil
            self.perform(isUrgent: false) { $0.prepared(successor) }
        }
    }
}
