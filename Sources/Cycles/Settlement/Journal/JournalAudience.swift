/// The clients of a journal that share an observer, which is told once of problems that concern all of them.
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
