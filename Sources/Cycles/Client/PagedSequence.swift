/// The rows of all pages of a list, fetched as they are needed.
///
/// Iteration ends with the last page, or throws ``CyclesError`` when a page cannot be fetched.
public struct PagedSequence<Row: Sendable>: AsyncSequence, Sendable {
    /// The rows.
    public typealias Element = Row
    /// What a page that cannot be fetched throws.
    public typealias Failure = CyclesError

    private let operation: String
    private let start: String?
    private let fetch: @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>

    init(
        operation: String,
        start: String?,
        fetch: @escaping @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>
    ) {
        self.operation = operation
        self.start = start
        self.fetch = fetch
    }

    /// Starts at the first page.
    public func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(operation: operation, fetch: fetch, cursor: start)
    }

    /// Goes from row to row.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let operation: String
        fileprivate let fetch: @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>
        fileprivate var cursor: String?
        private var rows: [Row] = []
        private var position = 0
        private var isFinished = false
        /// Where pages began. A server that leads back there would keep a caller busy for ever.
        private var visited: Set<String> = []

        fileprivate init(
            operation: String,
            fetch: @escaping @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>,
            cursor: String?
        ) {
            self.operation = operation
            self.fetch = fetch
            self.cursor = cursor
        }

        /// The next row; nil after the last.
        /// - Throws: ``CyclesError`` if the next page cannot be fetched; iteration is over then.
        public mutating func next() async throws(CyclesError) -> Row? {
            while position == rows.count {
                if isFinished { return nil }
                isFinished = true
                let page = try await fetch(cursor)
                rows = page.rows
                position = 0
                if let next = page.next {
                    guard visited.insert(next).inserted else { throw page.cycle(operation: operation) }
                    cursor = next
                    isFinished = false
                }
            }
            defer { position += 1 }
            return rows[position]
        }

        /// The next row; nil after the last. The isolation of the caller makes no difference.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CyclesError) -> Row? {
            try await next()
        }
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

    func cycle(operation: String) -> CyclesError {
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
