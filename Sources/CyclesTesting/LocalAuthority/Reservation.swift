import Cycles

/// A reservation in the ledger (specification: `ReservationDetail`).
struct Reservation: Sendable {
    enum Status: String, Sendable {
        case active = "ACTIVE"
        case committed = "COMMITTED"
        case released = "RELEASED"
        case expired = "EXPIRED"
    }

    let id: String
    /// The owner: the effective tenant of the create request.
    let tenant: String
    let idempotencyKey: IdempotencyKey
    /// The subject and the action as received, returned unchanged in answers.
    let subject: JSONValue
    let action: JSONValue
    let metadata: JSONValue?
    let estimate: Amount
    let overagePolicy: CommitOveragePolicy
    /// All scopes of the subject, from the root down.
    let scopes: [String]
    /// The scopes that hold the estimate: those that had a budget when the reservation was created.
    let budgetScopes: [String]
    /// The maximum number of extensions.
    let maxExtensions: Int
    let createdAtMilliseconds: Int64
    let graceMilliseconds: Int64

    var expiresAtMilliseconds: Int64
    var extensions = 0
    var status = Status.active
    var committedAmount: Int64?
    var committedMetadata: JSONValue?
    var finalizedAtMilliseconds: Int64?
    /// References to the evidence, by the names of the operations.
    var evidence: [String: JSONValue] = [:]

    /// The latest time at which a commit or release is accepted: the expiry plus the grace period.
    var deadlineMilliseconds: Int64 { expiresAtMilliseconds.saturatingAdding(graceMilliseconds) }

    /// The time at which the reservation was settled or expired; nil while it is active.
    var endMilliseconds: Int64? { status == .active ? nil : finalizedAtMilliseconds ?? deadlineMilliseconds }

    var budgetKeys: [BudgetKey] { budgetScopes.map { BudgetKey(scope: $0, unit: estimate.unit) } }
}
