/// The rows of all pages of a list, fetched as they are needed.
///
/// Iteration ends with the last page, or throws ``CyclesError`` when a page cannot be fetched.
public struct PagedSequence<Row: Sendable>: AsyncSequence, Sendable {
    /// The rows.
    public typealias Element = Row
    /// What a page that cannot be fetched throws.
    public typealias Failure = CyclesError

    private let paging: Paging<Row>
    private let fetch: @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>

    init(
        operation: String,
        start: String?,
        fetch: @escaping @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>
    ) {
        paging = Paging(operation: operation, start: start)
        self.fetch = fetch
    }

    /// Starts at the first page.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(paging: paging, fetch: fetch) }

    /// Goes from row to row.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var paging: Paging<Row>
        fileprivate let fetch: @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>

        /// The next row; nil after the last.
        /// - Throws: ``CyclesError`` if the next page cannot be fetched; iteration is over then.
        public mutating func next() async throws(CyclesError) -> Row? {
            while true {
                switch paging.next() {
                case .row(let row): return row
                case .end: return nil
                case .fetch(let cursor): try paging.accept(try await fetch(cursor))
                }
            }
        }

        /// The next row; nil after the last. The isolation of the caller makes no difference.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CyclesError) -> Row? {
            try await next()
        }
    }
}
