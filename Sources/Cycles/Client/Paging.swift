/// The rows of one page after another: a value that says which page is needed, and is given it.
struct Paging<Row: Sendable>: Sendable {
    private let operation: String
    private var cursor: String?
    private var rows: [Row] = []
    private var position = 0
    private var isFinished = false
    /// Where pages began. A server that leads back there would keep a caller busy for ever.
    private var visited: Set<String> = []

    init(operation: String, start: String?) {
        self.operation = operation
        cursor = start
    }

    /// What to do for the next row.
    enum Step {
        case row(Row)
        case fetch(cursor: String?)
        case end
    }

    mutating func next() -> Step {
        if position < rows.count {
            defer { position += 1 }
            return .row(rows[position])
        }
        if isFinished { return .end }
        // A page that cannot be fetched ends the iteration.
        isFinished = true
        return .fetch(cursor: cursor)
    }

    /// Goes on with a page.
    /// - Throws: ``CyclesError/invalidResponse(_:)`` if the next page is one that was read already.
    mutating func accept(_ page: ResultPage<Row>) throws(CyclesError) {
        rows = page.rows
        position = 0
        guard let next = page.next else { return }
        guard visited.insert(next).inserted else { throw page.cycle(operation: operation) }
        cursor = next
        isFinished = false
    }
}

/// One page, and where the next begins.
struct ResultPage<Row: Sendable>: Sendable {
    let rows: [Row]
    let next: String?
    private let http: ResponseMetadata

    init<Value>(_ response: APIResponse<Value>, rows: [Row], next: String?) {
        self.rows = rows
        self.next = next
        http = response.http
    }

    init(_ page: APIResponse<ReservationListResponse>) where Row == ReservationSummary {
        self.init(page, rows: page.reservations, next: page.hasMore ? page.nextCursor : nil)
    }

    init(_ page: APIResponse<BalanceResponse>) where Row == Balance {
        self.init(page, rows: page.balances, next: page.hasMore ? page.nextCursor : nil)
    }

    fileprivate func cycle(operation: String) -> CyclesError {
        .invalidResponse(
            InvalidResponse(
                operation: operation,
                status: http.status,
                message: "next_cursor leads back to a page that was read already",
                requestID: http.requestID,
                traceID: http.traceID
            )
        )
    }
}
