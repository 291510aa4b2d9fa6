/// The order of requests that wait for a connection. Leases and settlements also have connections of their own.
package enum RequestPriority: Int, Sendable, CaseIterable {
    /// An extension: without a connection, its lease would run out.
    case lease
    /// A settlement: its spend must reach the ledger.
    case settlement
    /// All other requests.
    case normal
}
