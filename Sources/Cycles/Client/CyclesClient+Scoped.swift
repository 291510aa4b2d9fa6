extension CyclesClient {
    /// Creates a client for part of this client's subjects, such as one tenant of a server that serves many.
    ///
    /// ```swift
    /// let tenant = try client.scoped(to: Subject(tenant: "acme"), apiKey: acmeKey)
    /// try await tenant.withCycles(options) { context in … }
    /// ```
    /// The clients share the transport with its connections, the threads, the journal, the observer and all limits. A
    /// scoped client costs neither a thread nor a connection, and can be created for each request. Events and
    /// ``PendingSettlement`` name the tenant.
    ///
    /// Records in the journal belong to the resulting tenant or, without one, to the resulting key. The first client of
    /// a tenant resumes the settlements that an earlier process left for the tenant, with its key.
    /// ``flush(timeout:includesReplays:)`` and ``pendingSettlements()`` of a scoped client concern the work of its
    /// tenant; those of the root client, which was not scoped, concern all work. ``shutdown(timeout:includesReplays:)``
    /// of a scoped client flushes the work of its tenant and refuses the client's further calls. Guards and settlements
    /// of a scoped client continue after the client is released.
    /// - Parameters:
    ///   - subject: The levels that replace those of ``configuration``. Other levels stay.
    ///   - apiKey: The key of the new client, which then has no admin key. Nil means the key of this client: the new
    ///     client follows its updates, and cannot update the key itself.
    /// - Throws: ``CyclesError``: `validation` for an invalid level, and for dimensions; `configuration` for a key that
    ///   cannot be sent; `transport` after a shutdown.
    public func scoped(to subject: Subject, apiKey: String? = nil) throws(CyclesError) -> CyclesClient {
        CyclesClient(try scope.scoped(to: subject, apiKey: apiKey))
    }
}

extension BlockingCyclesClient {
    /// Creates a client for part of this client's subjects, as ``CyclesClient/scoped(to:apiKey:)`` does.
    /// - Throws: ``CyclesError``: `validation` for an invalid level, and for dimensions; `configuration` for a key that
    ///   cannot be sent; `transport` after a shutdown.
    public func scoped(to subject: Subject, apiKey: String? = nil) throws(CyclesError) -> BlockingCyclesClient {
        BlockingCyclesClient(try scope.scoped(to: subject, apiKey: apiKey))
    }
}
