/// The pending claims on record files. Their number is limited, since each claim holds a file descriptor until its
/// attempt has ended.
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

    /// The maximum number of files that all clients of a process claim at a time.
    private static let limit = 48

    private var calls: [Call] = []

    mutating func append(_ call: Call) { calls.append(call) }

    /// Removes and returns as many claims as the limit allows.
    mutating func takeNext(_ clients: some Sequence<JournalClient>) -> [Call] {
        guard !calls.isEmpty else { return [] }
        let held = clients.reduce(0) { sum, client in sum + client.store.withLock { $0.locks.count } }
        let count = min(max(0, RecordClaims.limit - held), calls.count)
        defer { calls.removeFirst(count) }
        return Array(calls.prefix(count))
    }
}

/// The clients that wait for a take-over of logs.
struct TakeOverLine: Sendable {
    typealias Waiter = (client: JournalClient, completion: @Sendable ([SettlementRecord], Bool) -> Void)

    private var waiting: [Waiter] = []
    private var served: [Waiter] = []
    private var isRunning = false

    mutating func append(_ client: JournalClient, _ completion: @escaping @Sendable ([SettlementRecord], Bool) -> Void)
    {
        waiting.append((client, completion))
    }

    /// Begins a take-over for all waiting clients.
    /// - Returns: Whether to perform a take-over.
    mutating func begin() -> Bool {
        guard !isRunning, !waiting.isEmpty else { return false }
        (served, waiting, isRunning) = (waiting, [], true)
        return true
    }

    /// Ends the take-over.
    /// - Returns: The clients that the take-over served.
    mutating func end() -> [Waiter] {
        defer { (served, isRunning) = ([], false) }
        return served
    }
}
