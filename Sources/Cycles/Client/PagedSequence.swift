/// The rows of all pages of a list. Fetches each page when its first row is needed.
///
/// The iteration ends after the last page, or throws ``CyclesError`` when a page cannot be fetched.
public struct PagedSequence<Row: Sendable>: AsyncSequence, Sendable {
    /// A reservation or a balance.
    public typealias Element = Row
    /// The error type of a page that cannot be fetched.
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

    /// Starts an iteration at the first page.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(paging: paging, fetch: fetch) }

    /// An iteration over the rows.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate var paging: Paging<Row>
        fileprivate let fetch: @Sendable (_ cursor: String?) async throws(CyclesError) -> ResultPage<Row>

        /// Returns the next row; nil after the last.
        /// - Throws: ``CyclesError`` if the next page cannot be fetched, which ends the iteration.
        public mutating func next() async throws(CyclesError) -> Row? {
            while true {
                switch paging.next() {
                case .row(let row): return row
                case .end: return nil
                case .fetch(let cursor): try paging.accept(try await fetch(cursor))
                }
            }
        }

        /// Returns the next row; nil after the last. The caller's isolation has no effect.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CyclesError) -> Row? {
            try await next()
        }
    }
}
