/// The claims on record files that wait, since each takes a file descriptor until its attempt has ended.
struct RecordClaims: Sendable {
    struct Call: Sendable {
        let id: ReservationID
        let client: JournalClient
        let ignoresBackOff: Bool
        /// The present time, in milliseconds since 1970.
        let wall: Int64
        let completion: @Sendable (RecordClaim) -> Void

        init(
            _ id: ReservationID,
            _ client: JournalClient,
            ignoresBackOff: Bool,
            wall: Int64,
            _ completion: @escaping @Sendable (RecordClaim) -> Void
        ) {
            self.id = id
            self.client = client
            self.ignoresBackOff = ignoresBackOff
            self.wall = wall
            self.completion = completion
        }
    }

    /// The number of files that the clients of a process may have claimed together.
    private static let limit = 48

    private var calls: [Call] = []

    mutating func append(_ call: Call) { calls.append(call) }

    /// Removes and returns the claims for which there is room.
    mutating func takeNext(_ clients: some Sequence<JournalClient>) -> [Call] {
        guard !calls.isEmpty else { return [] }
        let held = clients.reduce(0) { sum, client in sum + client.store.withLock { $0.locks.count } }
        let count = min(max(0, RecordClaims.limit - held), calls.count)
        defer { calls.removeFirst(count) }
        return Array(calls.prefix(count))
    }
}

/// The clients that wait for logs to be taken over.
struct TakeOverLine: Sendable {
    typealias Waiter = (client: JournalClient, completion: @Sendable ([SettlementRecord], Bool) -> Void)

    private var waiting: [Waiter] = []
    private var served: [Waiter] = []
    private var isRunning = false

    mutating func append(_ client: JournalClient, _ completion: @escaping @Sendable ([SettlementRecord], Bool) -> Void)
    {
        waiting.append((client, completion))
    }

    /// Begins a take-over for all who wait.
    /// - Returns: Whether there is one to begin.
    mutating func begin() -> Bool {
        guard !isRunning, !waiting.isEmpty else { return false }
        (served, waiting, isRunning) = (waiting, [], true)
        return true
    }

    /// Ends the take-over.
    /// - Returns: The clients that it was for.
    mutating func end() -> [Waiter] {
        defer { (served, isRunning) = ([], false) }
        return served
    }
}
