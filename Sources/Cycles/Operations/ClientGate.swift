/// Refuses the calls of a client that was shut down.
package final class ClientGate: Sendable {
    private let isClosed = Lock(false)
    /// The gate of the client that all others were scoped from; nil for that client.
    private let root: ClientGate?

    package init(below root: ClientGate? = nil) { self.root = root }

    package func close() { isClosed.withLock { $0 = true } }

    /// Checks that the client may still make calls.
    /// - Throws: ``CyclesError/transport(_:)`` if this client or the root client was shut down.
    package func check() throws(CyclesError) {
        try root?.check()
        guard isClosed.withLock({ $0 }) else { return }
        throw .transport(
            HTTPTransportError(
                kind: .other,
                message: "The client has been shut down; make a new client to send requests",
                wasRequestSent: false
            )
        )
    }
}
