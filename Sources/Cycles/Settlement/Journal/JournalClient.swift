/// One identity among the users of a journal: its record files and its observer.
final class JournalClient: Sendable {
    /// Runs work on a thread of the client. Returns false if the client has no thread.
    typealias Run = @Sendable (_ work: [@Sendable () -> Void]) -> Bool

    private struct Entry {
        /// Whether the reservation may have a record file. If so, its record no longer goes to the log.
        var isFiled = false
        /// Whether the file is locked for an attempt of this client.
        var isLocked = false
        /// Whether an attempt is in progress.
        var isAttempted = false
        /// The time at which the last attempt of this client began, in milliseconds since 1970; 0 if there was none.
        var attemptedAt: Int64 = 0
    }

    private struct State {
        /// The reservations that have a file, or that were attempted.
        var entries: [ReservationID: Entry] = [:]
        /// Whether the client has shut down. Another process then settles its remaining records.
        var isClosed = false
    }

    /// Identifies the client in the log's keys.
    let number: Int
    let observer: any CyclesObserver
    let audience: JournalAudience
    /// Runs the client's completions and observer.
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

    func mayHaveFile(_ id: ReservationID) -> Bool { state.withLock { $0.entries[id]?.isFiled ?? false } }

    /// Whether a reservation's record goes to its file rather than to the log.
    func usesFile(_ id: ReservationID) -> Bool {
        state.withLock { $0.isClosed || ($0.entries[id]?.isFiled ?? false) }
    }

    /// Begins an attempt, unless the reservation has a file, which must be claimed first.
    /// - Returns: Whether the attempt has begun.
    func beginAttempt(_ id: ReservationID) -> Bool {
        state.withLock { state in
            if let entry = state.entries[id], entry.isFiled, !entry.isLocked { return false }
            state.entries[id, default: Entry()].isAttempted = true
            return true
        }
    }

    /// Whether a file that is made for the reservation must be locked, for the attempt in progress.
    func needsLock(_ id: ReservationID) -> Bool {
        state.withLock { state in !state.isClosed && (state.entries[id]?.isAttempted ?? false) }
    }

    /// The reservations that have files.
    var filed: Set<ReservationID> { state.withLock { Set($0.entries.lazy.filter { $0.value.isFiled }.map(\.key)) } }

    func addFile(_ id: ReservationID, isLocked: Bool = false) {
        state.withLock {
            $0.entries[id, default: Entry()].isFiled = true
            $0.entries[id]?.isLocked = isLocked
        }
    }

    /// The time at which the last attempt began, in milliseconds since 1970; nil if this client made none.
    func attemptTime(of id: ReservationID) -> Int64? { state.withLock { $0.entries[id]?.attemptedAt } }

    /// Records the end of an attempt.
    /// - Returns: Whether the file must be unlocked.
    func endAttempt(_ id: ReservationID, at time: Int64) -> Bool {
        state.withLock { state in
            state.entries[id, default: Entry()].attemptedAt = time
            state.entries[id]?.isAttempted = false
            return state.entries[id]?.isLocked ?? false
        }
    }

    /// Records that no attempt is in progress.
    func endAttempt(_ id: ReservationID) { state.withLock { $0.entries[id]?.isAttempted = false } }

    /// Removes a reservation that is settled or no longer has a file.
    func forget(_ id: ReservationID) { state.withLock { $0.entries[id] = nil } }

    /// Removes a reservation unless it may have a file.
    /// - Returns: Whether the reservation was removed.
    func forgetUnlessFiled(_ id: ReservationID) -> Bool {
        state.withLock { state in
            guard let entry = state.entries[id] else { return true }
            if !entry.isFiled { state.entries[id] = nil }
            return !entry.isFiled
        }
    }

    func close() { state.withLock { $0.isClosed = true } }

    /// Whether the client has shut down.
    var isClosed: Bool { state.withLock { $0.isClosed } }
}
