/// The order of requests that wait for a connection; leases and settlements have connections of their own as well.
package enum RequestPriority: Int, Sendable, CaseIterable {
    /// A lease that would run out.
    case lease
    /// Spend that has to reach the ledger.
    case settlement
    /// Everything else.
    case normal
}
