/// The type of a webhook event (specification: WEBHOOK EVENT GUIDANCE). Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum WebhookEventType: _OpenEnumeration {
    /// A budget was created.
    case budgetCreated
    /// A budget's settings were changed.
    case budgetUpdated
    /// A budget received funds.
    case budgetFunded
    /// Funds were taken from a budget.
    case budgetDebited
    /// The amounts of a budget were reset.
    case budgetReset
    /// Debt of a budget was repaid.
    case budgetDebtRepaid
    /// A budget was frozen.
    case budgetFrozen
    /// A budget is active again.
    case budgetUnfrozen
    /// A budget was closed for good.
    case budgetClosed
    /// The utilization of a budget crossed a configured threshold.
    case budgetThresholdCrossed
    /// Nothing remains of a budget.
    case budgetExhausted
    /// The debt of a scope exceeds its overdraft limit.
    case budgetOverLimitEntered
    /// The debt of a scope is below its overdraft limit again.
    case budgetOverLimitExited
    /// A commit made debt.
    case budgetDebtIncurred
    /// Spend is a configured multiple of its usual rate.
    case budgetBurnRateAnomaly
    /// A reservation or decision was denied.
    case reservationDenied
    /// Denials are more frequent than usual.
    case reservationDenialRateSpike
    /// A reservation ended without commit or release.
    case reservationExpired
    /// Expiries are more frequent than usual.
    case reservationExpiryRateSpike
    /// A commit was larger than its reservation.
    case reservationCommitOverage
    /// A policy that only observes would have denied a request (extensions v0.1.26).
    case reservationObservedDenied
    /// A policy that only observes would have allowed a request (extensions v0.1.26).
    case reservationObservedAllowed
    /// A quota of actions is nearly used up (extensions v0.1.26).
    case quotaThresholdApproaching
    /// The counter of a quota began anew (extensions v0.1.26).
    case quotaCounterReset
    /// A tenant was created.
    case tenantCreated
    /// A tenant was changed.
    case tenantUpdated
    /// A tenant was suspended.
    case tenantSuspended
    /// A tenant is active again.
    case tenantReactivated
    /// A tenant was closed for good.
    case tenantClosed
    /// The settings of a tenant were changed.
    case tenantSettingsChanged
    /// An API key was created.
    case apiKeyCreated
    /// An API key was revoked.
    case apiKeyRevoked
    /// An API key expired.
    case apiKeyExpired
    /// The permissions of an API key were changed.
    case apiKeyPermissionsChanged
    /// A request with an API key was not authenticated.
    case apiKeyAuthFailed
    /// Failed authentications are more frequent than usual.
    case apiKeyAuthFailureRateSpike
    /// A policy was created.
    case policyCreated
    /// A policy was changed.
    case policyUpdated
    /// A policy was deleted.
    case policyDeleted
    /// The server lost the connection to its store.
    case systemStoreConnectionLost
    /// The server reached its store again.
    case systemStoreConnectionRestored
    /// The server is slower than usual.
    case systemHighLatency
    /// Deliveries to a webhook keep failing.
    case systemWebhookDeliveryFailed
    /// A delivery that tests a webhook.
    case systemWebhookTest
    /// A type that this version of the client does not know.
    case unrecognized(String)

    /// All cases but `unrecognized`.
    public static let _known: [Self] = [
        .budgetCreated, .budgetUpdated, .budgetFunded, .budgetDebited, .budgetReset, .budgetDebtRepaid, .budgetFrozen,
        .budgetUnfrozen, .budgetClosed, .budgetThresholdCrossed, .budgetExhausted, .budgetOverLimitEntered,
        .budgetOverLimitExited, .budgetDebtIncurred, .budgetBurnRateAnomaly, .reservationDenied,
        .reservationDenialRateSpike, .reservationExpired, .reservationExpiryRateSpike, .reservationCommitOverage,
        .reservationObservedDenied, .reservationObservedAllowed, .quotaThresholdApproaching, .quotaCounterReset,
        .tenantCreated, .tenantUpdated, .tenantSuspended, .tenantReactivated, .tenantClosed, .tenantSettingsChanged,
        .apiKeyCreated, .apiKeyRevoked, .apiKeyExpired, .apiKeyPermissionsChanged, .apiKeyAuthFailed,
        .apiKeyAuthFailureRateSpike, .policyCreated, .policyUpdated, .policyDeleted, .systemStoreConnectionLost,
        .systemStoreConnectionRestored, .systemHighLatency, .systemWebhookDeliveryFailed, .systemWebhookTest,
    ]

    /// The text of the protocol.
    public var rawValue: String {
        switch self {
        case .budgetCreated: "budget.created"
        case .budgetUpdated: "budget.updated"
        case .budgetFunded: "budget.funded"
        case .budgetDebited: "budget.debited"
        case .budgetReset: "budget.reset"
        case .budgetDebtRepaid: "budget.debt_repaid"
        case .budgetFrozen: "budget.frozen"
        case .budgetUnfrozen: "budget.unfrozen"
        case .budgetClosed: "budget.closed"
        case .budgetThresholdCrossed: "budget.threshold_crossed"
        case .budgetExhausted: "budget.exhausted"
        case .budgetOverLimitEntered: "budget.over_limit_entered"
        case .budgetOverLimitExited: "budget.over_limit_exited"
        case .budgetDebtIncurred: "budget.debt_incurred"
        case .budgetBurnRateAnomaly: "budget.burn_rate_anomaly"
        case .reservationDenied: "reservation.denied"
        case .reservationDenialRateSpike: "reservation.denial_rate_spike"
        case .reservationExpired: "reservation.expired"
        case .reservationExpiryRateSpike: "reservation.expiry_rate_spike"
        case .reservationCommitOverage: "reservation.commit_overage"
        case .reservationObservedDenied: "reservation.observed_denied"
        case .reservationObservedAllowed: "reservation.observed_allowed"
        case .quotaThresholdApproaching: "quota.threshold_approaching"
        case .quotaCounterReset: "quota.counter_reset"
        case .tenantCreated: "tenant.created"
        case .tenantUpdated: "tenant.updated"
        case .tenantSuspended: "tenant.suspended"
        case .tenantReactivated: "tenant.reactivated"
        case .tenantClosed: "tenant.closed"
        case .tenantSettingsChanged: "tenant.settings_changed"
        case .apiKeyCreated: "api_key.created"
        case .apiKeyRevoked: "api_key.revoked"
        case .apiKeyExpired: "api_key.expired"
        case .apiKeyPermissionsChanged: "api_key.permissions_changed"
        case .apiKeyAuthFailed: "api_key.auth_failed"
        case .apiKeyAuthFailureRateSpike: "api_key.auth_failure_rate_spike"
        case .policyCreated: "policy.created"
        case .policyUpdated: "policy.updated"
        case .policyDeleted: "policy.deleted"
        case .systemStoreConnectionLost: "system.store_connection_lost"
        case .systemStoreConnectionRestored: "system.store_connection_restored"
        case .systemHighLatency: "system.high_latency"
        case .systemWebhookDeliveryFailed: "system.webhook_delivery_failed"
        case .systemWebhookTest: "system.webhook_test"
        case .unrecognized(let text): text
        }
    }
}
