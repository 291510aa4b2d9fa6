/// The client for which a settlement or release is performed.
package struct SettlementOwner: Sendable {
    /// Sends requests with the client's present key, and reports events with its tenant.
    package let performer: OperationPerformer
    package let identity: SettlementIdentity

    package init(_ performer: OperationPerformer, _ identity: SettlementIdentity) {
        self.performer = performer
        self.identity = identity
    }

    /// Identifies the API key, which clients may share.
    var keyID: ObjectIdentifier { ObjectIdentifier(performer.credentials) }
}

/// The owner of journal records: the tenant of clients or, without one, their API key.
///
/// Clients, guards and settlements of one tenant share this object and, through it, the tenant's records. The object
/// leaves the journal when the last reference to it is gone.
package final class SettlementIdentity: Sendable {
    /// Distinguishes the identity from all others of its engine.
    package let number: Int
    package let tenant: String?
    /// Nil if the journal is disabled.
    package let journal: JournalWriter?

    package init(number: Int, tenant: String?, journal: JournalWriter?) {
        self.number = number
        self.tenant = tenant
        self.journal = journal
    }
}
