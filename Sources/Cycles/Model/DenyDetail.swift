/// Why a request was denied, in detail (specification, extensions v0.1.26: `DenyDetail`).
///
/// Read leniently: a member that is missing, blank or of another type is nil.
public struct DenyDetail: Hashable, Sendable {
    /// The reason; the same as the decision's or the error's, where those have one.
    public var reasonCode: ReasonCode?
    /// The quota that is used up, with ACTION_QUOTA_EXCEEDED.
    public var quotaViolation: QuotaViolation?
    /// The most specific scope that caused the denial.
    public var blockedByScope: String?
    /// The name or id of the policy that caused the denial.
    public var blockedByPolicy: String?
    /// A corrective action in words, for people.
    public var suggestedFix: String?
    /// The balance that remains at the blocking scope, in the unit of the request; negative in overdraft.
    public var budgetRemaining: Int64?
}

/// A quota of actions that is used up (specification, extensions v0.1.26: `ActionQuotaViolation`).
///
/// Read leniently: a member that is missing, blank or of another type is nil.
public struct QuotaViolation: Hashable, Sendable {
    /// The kind of action that was refused, such as `message.email.send`.
    public var actionKind: String?
    /// The class of risk whose quota is used up, such as `high_risk`; nil if the quota is for the kind alone.
    public var riskClass: String?
    /// The kind of window that the quota counts in, such as `per_run` or `per_hour_tumbling`.
    public var window: String?
    /// The window that is used up, such as the id of a run or `2026-04-09T14`.
    public var windowKey: String?
    /// How many actions the window has seen.
    public var used: Int64?
    /// How many actions the quota permits in each window.
    public var limit: Int64?
    /// The scope that the quota is enforced at.
    public var scope: String?
    /// The id of the policy that sets the quota.
    public var policyID: String?
}
