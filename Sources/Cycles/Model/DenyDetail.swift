/// The details of a denial (specification, extensions v0.1.26: `DenyDetail`).
///
/// Read leniently: a member that is missing, blank or of another type is nil.
public struct DenyDetail: Hashable, Sendable {
    /// The reason; equal to the reason of the decision or error, if those have one.
    public var reasonCode: ReasonCode?
    /// The exceeded quota, with ACTION_QUOTA_EXCEEDED.
    public var quotaViolation: QuotaViolation?
    /// The most specific scope that caused the denial.
    public var blockedByScope: String?
    /// The name or id of the policy that caused the denial.
    public var blockedByPolicy: String?
    /// A corrective action, as text for people.
    public var suggestedFix: String?
    /// The balance that remains at the blocking scope, in the unit of the request; negative in overdraft.
    public var budgetRemaining: Int64?
}

/// An exceeded quota of actions (specification, extensions v0.1.26: `ActionQuotaViolation`).
///
/// Read leniently: a member that is missing, blank or of another type is nil.
public struct QuotaViolation: Hashable, Sendable {
    /// The kind of the refused action, such as `message.email.send`.
    public var actionKind: String?
    /// The risk class of the quota, such as `high_risk`; nil if the quota is for the kind of action alone.
    public var riskClass: String?
    /// The kind of window in which the quota counts, such as `per_run` or `per_hour_tumbling`.
    public var window: String?
    /// The window whose quota is exceeded, such as the id of a run or `2026-04-09T14`.
    public var windowKey: String?
    /// The number of actions counted in the window.
    public var used: Int64?
    /// The number of actions that the quota permits in each window.
    public var limit: Int64?
    /// The scope at which the quota is enforced.
    public var scope: String?
    /// The id of the policy that sets the quota.
    public var policyID: String?
}
