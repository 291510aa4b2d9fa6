/// Iterates over the rows of consecutive pages. Requests each page with a ``Step``, and takes the page with
/// ``accept(_:)``.
struct Paging<Row: Sendable>: Sendable {
    private let operation: String
    private var cursor: String?
    private var rows: [Row] = []
    private var position = 0
    private var isFinished = false
    /// The cursors of all pages so far, to detect a server that leads back to one of them.
    private var visited: Set<String> = []

    init(operation: String, start: String?) {
        self.operation = operation
        cursor = start
    }

    /// The next row, or the action that yields it.
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

    /// Accepts the requested page.
    /// - Throws: ``CyclesError/invalidResponse(_:)`` if the cursor leads back to a page that was read already.
    mutating func accept(_ page: ResultPage<Row>) throws(CyclesError) {
        rows = page.rows
        position = 0
        guard let next = page.next else { return }
        guard visited.insert(next).inserted else { throw page.cycle(operation: operation) }
        cursor = next
        isFinished = false
    }
}

/// One page of rows, with the cursor of the next.
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
