extension DenyDetail: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            reasonCode: object.reasonCode,
            quotaViolation: object.informational("quota_violation"),
            blockedByScope: object.informationalText("blocked_by_scope"),
            blockedByPolicy: object.informationalText("blocked_by_policy"),
            suggestedFix: object.informationalText("suggested_fix"),
            budgetRemaining: object.informational("budget_remaining")
        )
    }
}

extension DenyDetail? {
    /// Returns the named scopes, or the scope that caused the denial if none is named.
    package func completing(_ scopes: [String]) -> [String] {
        scopes.isEmpty ? self?.blockedByScope.map { [$0] } ?? [] : scopes
    }
}

extension QuotaViolation: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            actionKind: object.informationalText("action_kind"),
            riskClass: object.informationalText("risk_class"),
            window: object.informationalText("window"),
            windowKey: object.informationalText("window_key"),
            used: object.informational("used"),
            limit: object.informational("limit"),
            scope: object.informationalText("scope"),
            policyID: object.informationalText("policy_id")
        )
    }
}
