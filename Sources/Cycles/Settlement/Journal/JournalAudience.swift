/// The clients of a journal that share an observer. The observer receives a problem that concerns all of them once.
package final class JournalAudience: Sendable {
    private let hasHeardOfSiblings = Lock(false)

    package init() {}

    /// Whether records of other identities have not been reported yet. True at the first call only.
    func beginReportOfSiblings() -> Bool {
        hasHeardOfSiblings.withLock { hasHeard in
            defer { hasHeard = true }
            return !hasHeard
        }
    }
}
