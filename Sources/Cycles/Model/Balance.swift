/// The state of the ledger for one scope and unit (specification: `Balance`).
///
/// If `allocated`, `spent`, `reserved` and `debt` are all present, `remaining` is allocated − spent − reserved − debt.
/// Otherwise `remaining` cannot be derived from the other values.
public struct Balance: Hashable, Sendable {
    /// The canonical scope, such as `tenant:acme/agent:bot`.
    public var scope: String
    /// The canonical path of the scope.
    public var scopePath: String
    /// The available amount; negative when the scope is overdrawn.
    public var remaining: SignedAmount
    /// The amount held by active reservations.
    public var reserved: Amount?
    /// The committed amount.
    public var spent: Amount?
    /// The total amount allocated.
    public var allocated: Amount?
    /// The amount consumed beyond the budget and not paid yet.
    public var debt: Amount?
    /// The maximum debt.
    public var overdraftLimit: Amount?
    /// Whether new reservations are blocked until an operator reconciles the scope.
    public var isOverLimit: Bool

    /// Creates a balance.
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

/// A reference to the signed evidence that the server keeps of an operation (specification: `CyclesEvidenceRef`).
public struct EvidenceReference: Hashable, Sendable {
    /// The content hash of the envelope.
    public var evidenceID: EvidenceID
    /// The absolute URL of the envelope.
    public var url: String

    /// Creates a reference.
    public init(evidenceID: EvidenceID, url: String) {
        self.evidenceID = evidenceID
        self.url = url
    }
}

extension Redactor {
    package func redact(_ reference: EvidenceReference?) -> EvidenceReference? {
        reference.map { EvidenceReference(evidenceID: EvidenceID(redact($0.evidenceID.rawValue)), url: redact($0.url)) }
    }
}

/// The evidence of a reservation, by operation (specification: `ReservationEvidence`).
public struct ReservationEvidence: Hashable, Sendable {
    /// The evidence of the reservation itself.
    public var reserve: EvidenceReference?
    /// The evidence of the commit.
    public var commit: EvidenceReference?
    /// The evidence of the release.
    public var release: EvidenceReference?
}
