/// What stands in the ledger for one scope and unit (specification: `Balance`).
///
/// Where `allocated`, `spent`, `reserved` and `debt` are all present, `remaining` is allocated − spent − reserved −
/// debt. Otherwise `remaining` stands for itself.
public struct Balance: Hashable, Sendable {
    /// The canonical scope, such as `tenant:acme/agent:bot`.
    public var scope: String
    /// The canonical path of the scope.
    public var scopePath: String
    /// What is available; negative when overdrawn.
    public var remaining: SignedAmount
    /// What active reservations hold.
    public var reserved: Amount?
    /// What has been committed.
    public var spent: Amount?
    /// What was allocated in all.
    public var allocated: Amount?
    /// What was consumed beyond the budget and not paid yet.
    public var debt: Amount?
    /// The most debt that may be run up.
    public var overdraftLimit: Amount?
    /// Whether new reservations are blocked until an operator reconciles the scope.
    public var isOverLimit: Bool

    /// A balance.
    public init(
        scope: String,
        scopePath: String,
        remaining: SignedAmount,
        reserved: Amount? = nil,
        spent: Amount? = nil,
        allocated: Amount? = nil,
        debt: Amount? = nil,
        overdraftLimit: Amount? = nil,
        isOverLimit: Bool = false
    ) {
        self.scope = scope
        self.scopePath = scopePath
        self.remaining = remaining
        self.reserved = reserved
        self.spent = spent
        self.allocated = allocated
        self.debt = debt
        self.overdraftLimit = overdraftLimit
        self.isOverLimit = isOverLimit
    }
}

/// Names the signed evidence that the server keeps of an operation (specification: `CyclesEvidenceRef`).
public struct EvidenceReference: Hashable, Sendable {
    /// The content hash of the envelope.
    public var evidenceID: EvidenceID
    /// The absolute URL of the envelope.
    public var url: String

    /// A reference.
    public init(evidenceID: EvidenceID, url: String) {
        self.evidenceID = evidenceID
        self.url = url
    }
}

/// The evidence of a reservation, by operation (specification: `ReservationEvidence`).
public struct ReservationEvidence: Hashable, Sendable {
    /// Of the reservation itself.
    public var reserve: EvidenceReference?
    /// Of its commit.
    public var commit: EvidenceReference?
    /// Of its release.
    public var release: EvidenceReference?
}
