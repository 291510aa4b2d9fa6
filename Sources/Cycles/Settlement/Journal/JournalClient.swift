/// One identity among those that share a journal: its record files, and its observer.
final class JournalClient: Sendable {
    /// Runs work on a thread of the client. False if it has none.
    typealias Run = @Sendable (_ work: [@Sendable () -> Void]) -> Bool

    private struct State {
        /// Reservations that may have a record file; their records no longer go to the log.
        var filed: Set<ReservationID> = []
        /// Whether the client has shut down: what it still writes is for another process.
        var isClosed = false
    }

    /// Names the client in the log's keys.
    let number: Int
    let observer: any CyclesObserver
    let audience: JournalAudience
    /// Runs the client's completions and its observer.
    let run: Run
    let store: Lock<RecordStore>
    private let state = Lock(State())

    init(
        _ number: Int,
        _ store: sending RecordStore,
        _ observer: any CyclesObserver,
        _ audience: JournalAudience,
        run: @escaping Run
    ) {
        self.number = number
        self.audience = audience
        self.store = Lock(store)
        self.observer = observer
        self.run = run
    }

    func key(_ id: ReservationID) -> CommitLog.Key { CommitLog.Key(client: number, id: id) }

    func mayHaveFile(_ id: ReservationID) -> Bool { state.withLock { $0.filed.contains(id) } }

    /// Whether a record goes to its file rather than to the log.
    func usesFile(_ id: ReservationID) -> Bool { state.withLock { $0.isClosed || $0.filed.contains(id) } }

    func addFile(_ id: ReservationID) { state.withLock { _ = $0.filed.insert(id) } }
    func addFiles(_ ids: some Sequence<ReservationID>) { state.withLock { $0.filed.formUnion(ids) } }
    func removeFile(_ id: ReservationID) { state.withLock { _ = $0.filed.remove(id) } }
    func close() { state.withLock { $0.isClosed = true } }
}
