import Cycles

/// A reservation as the ledger keeps it (specification: `ReservationDetail`).
struct Reservation: Sendable {
    enum Status: String, Sendable {
        case active = "ACTIVE"
        case committed = "COMMITTED"
        case released = "RELEASED"
        case expired = "EXPIRED"
    }

    let id: String
    /// Who owns it: the effective tenant of the request that made it.
    let tenant: String
    let idempotencyKey: IdempotencyKey
    /// Subject and action as they came in, so that they go out the same.
    let subject: JSONValue
    let action: JSONValue
    let metadata: JSONValue?
    let estimate: Amount
    let overagePolicy: CommitOveragePolicy
    /// Every scope of the subject, the root first.
    let scopes: [String]
    /// Those that had a budget when it was made: the ones that hold the estimate.
    let budgetScopes: [String]
    /// How often it may be extended.
    let maxExtensions: Int
    let createdAtMilliseconds: Int64
    let graceMilliseconds: Int64

    var expiresAtMilliseconds: Int64
    var extensions = 0
    var status = Status.active
    var committedAmount: Int64?
    var committedMetadata: JSONValue?
    var finalizedAtMilliseconds: Int64?
    /// References to its evidence, by the name of the operation.
    var evidence: [String: JSONValue] = [:]

    /// The last moment at which a commit or a release is accepted.
    var deadlineMilliseconds: Int64 { expiresAtMilliseconds.saturatingAdding(graceMilliseconds) }

    /// When it was settled or ran out; nil while it is active.
    var endMilliseconds: Int64? { status == .active ? nil : finalizedAtMilliseconds ?? deadlineMilliseconds }

    var budgetKeys: [BudgetKey] { budgetScopes.map { BudgetKey(scope: $0, unit: estimate.unit) } }
}
