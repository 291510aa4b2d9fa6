/// A request that the authority denied (specification: DENY in `DecisionResponse` and `ReservationCreateResponse`, and
/// the 409 codes with the same meaning; extensions v0.1.26: `DenyDetail`).
public struct Denial: Hashable, Sendable, CustomStringConvertible {
    /// The name of the denied operation, such as `createReservation`.
    public var operation: String
    /// The reason of the denial.
    public var reason: ReasonCode
    /// The scopes that the decision concerns; empty if the server does not name them.
    public var affectedScopes: [String] = []
    /// The time that the server suggests to wait before a retry.
    public var retryAfter: Duration?
    /// The server's identifier of the request.
    public var requestID: String?
    /// The identifier of the trace under which the server recorded the request.
    public var traceID: String?
    /// The reference to the server's evidence of the denial.
    public var evidence: EvidenceReference?
    /// The server's message, if it sends one.
    public var message: String?
    /// Further details as sent by the server: the `details` of an error answer, or an object with the `deny_detail` of
    /// a DENY decision.
    public var details: JSONValue?
    /// A corrective action, as text for people.
    public var suggestedFix: String?
    /// The most specific scope that caused the denial.
    public var blockedByScope: String?
    /// The name or id of the policy that caused the denial.
    public var blockedByPolicy: String?
    /// The balance that remains at the blocking scope, in the unit of the request; negative in overdraft.
    public var budgetRemaining: Int64?
    /// The exceeded quota, with ACTION_QUOTA_EXCEEDED.
    public var quotaViolation: QuotaViolation?
    /// The HTTP status: 200 for a DENY decision, 409 for an error answer.
    public var status: Int
    /// The code of the error answer; nil for a DENY decision.
    public var errorCode: ErrorCode?
    /// The idempotency key of the request.
    public var idempotencyKey: IdempotencyKey?

    /// The denied operation, the reason, the scopes, and advice.
    public var description: String {
        var text = "\(operation) was denied: \(reason.rawValue)"
        if let message { text += ": \(message)" }
        if !affectedScopes.isEmpty { text += " [\(affectedScopes.joined(separator: ", "))]" }
        let wait = retryAfter.map { "the server suggests retrying in \($0.readable)" }
        let known = [suggestedFix, wait].compactMap { $0 }
        return sentence(
            text,
            advice: known.isEmpty ? advice : known.joined(separator: "; "),
            identifiers: [("request", requestID), ("trace", traceID)]
        )
    }

    private var advice: String? {
        switch reason {
        case .budgetExceeded: "ask for less, or have the budget funded"
        case .budgetFrozen: "an operator has to unfreeze the budget"
        case .overdraftLimitExceeded: "an operator has to fund the budget, or raise its overdraft limit"
        case .debtOutstanding: "an operator has to fund the budget until the debt is repaid"
        case .budgetNotFound: "check the subject and the unit, or have a budget set up"
        case .actionQuotaExceeded: "wait until the quota's window ends, or have the quota raised"
        case .actionKindDenied, .actionKindNotAllowed: "an operator has to allow actions of this kind"
        case .tenantSuspended: "an operator has to reactivate the tenant"
        default: nil
        }
    }
}

extension Denial {
    /// Creates a denial from its required properties. The others can be set afterwards.
    public init(operation: String, reason: ReasonCode, status: Int) {
        self.init(operation: operation, reason: reason, message: nil, status: status)
    }
}
