/// Writes, reads and removes records on a thread of its own, in the order of the calls. Calls that arrive while it is
/// busy are carried out together, with one sync of the directory.
///
/// While the system has no thread to give, the thread that calls first does the work of all.
package final class JournalWriter: Sendable {
    /// Takes whether everything of a batch is certain to be on disk.
    private typealias Completion = @Sendable (_ isSynced: Bool) -> Void
    private typealias Call = @Sendable (inout RecordStore) -> Completion

    private struct Line {
        var calls: [Call] = []
        /// Whether a thread is at work, or is being started.
        var hasThread = false
    }

    private let observer: any CyclesObserver
    private let threads: ThreadSource
    private let line = WaitableLock(Line())
    private let store: Lock<RecordStore>

    package init(_ store: sending RecordStore, observer: any CyclesObserver, threads: ThreadSource = .system) {
        self.store = Lock(store)
        self.observer = observer
        self.threads = threads
    }

    /// Puts a record on disk in place of one for the same reservation. `completion` takes whether it is there.
    package func write(_ record: SettlementRecord, _ completion: @escaping @Sendable (Bool) -> Void) {
        enqueue { store in
            let isWritten = store.write(record)
            return { isSynced in completion(isWritten && isSynced) }
        }
    }

    /// Forgets a reservation that is settled.
    package func remove(_ id: ReservationID, _ completion: @escaping @Sendable () -> Void) {
        enqueue { store in
            store.remove(id)
            return { _ in completion() }
        }
    }

    /// Keeps the record of a settlement that the server refuses for good, with the reason, for an operator.
    package func setAside(_ id: ReservationID, reason: String, _ completion: @escaping @Sendable () -> Void) {
        enqueue { store in
            store.setAside(id, reason: reason)
            return { _ in completion() }
        }
    }

    /// Reads all records, and tidies up.
    package func load(_ completion: @escaping @Sendable ([SettlementRecord]) -> Void) {
        enqueue { store in
            let records = store.load()
            return { _ in completion(records) }
        }
    }

    /// Uses another API key from now on: see ``RecordStore/changeKey(_:)``.
    package func changeKey(_ key: Secret, _ completion: @escaping @Sendable () -> Void) {
        enqueue { store in
            store.changeKey(key)
            return { _ in completion() }
        }
    }

    /// Calls back once all earlier calls are carried out.
    package func drain(_ completion: @escaping @Sendable () -> Void) { enqueue { _ in { _ in completion() } } }

    // MARK: The thread

    private func enqueue(_ call: @escaping Call) {
        let needsThread = line.withLock { line in
            line.calls.append(call)
            defer { line.hasThread = true }
            return !line.hasThread
        }
        guard needsThread, !threads.start({ self.run() }) else { return }
        repeat { performCalls() } while !endsIfIdle()
    }

    private func run() {
        while true {
            performCalls()
            let hasCalls = line.wait(atMost: .seconds(5)) { $0.calls.isEmpty ? nil : true }
            if hasCalls == nil, endsIfIdle() { return }
        }
    }

    private func endsIfIdle() -> Bool {
        line.withLock { line in
            if line.calls.isEmpty { line.hasThread = false }
            return !line.hasThread
        }
    }

    private func performCalls() {
        while true {
            let calls = line.withLock { line in
                defer { line.calls = [] }
                return line.calls
            }
            if calls.isEmpty { return }
            // Observers and completions may call the journal, and so run without the lock.
            let (completions, end) = store.withLock { store in (calls.map { $0(&store) }, store.endBatch()) }
            for event in end.events { observer.observe(event) }
            for completion in completions { completion(end.isSynced) }
        }
    }
}
