/// Clients of a journal that share an observer. The observer receives a problem of the whole journal once.
package final class JournalAudience: Sendable {
    private let hasHeardOfSiblings = Lock(false)

    package init() {}

    /// Whether records of other identities are still to be reported. True on the first call only.
    func beginReportOfSiblings() -> Bool {
        hasHeardOfSiblings.withLock { hasHeard in
            defer { hasHeard = true }
            return !hasHeard
        }
    }
}
