extension DenyDetail: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            reasonCode: try object.informationalText("reason_code").map(ReasonCode.init),
            quotaViolation: try object.informational("quota_violation"),
            blockedByScope: try object.informationalText("blocked_by_scope"),
            blockedByPolicy: try object.informationalText("blocked_by_policy"),
            suggestedFix: try object.informationalText("suggested_fix"),
            budgetRemaining: try object.informational("budget_remaining")
        )
    }

    /// The detail that a value of JSON is; nil if the value is no object.
    package init?(_ value: JSONValue?) {
        guard let value, value.object != nil else { return nil }
        let result = try? JSONReader.document(value.encoded) { reader throws(JSONError) in
            try DenyDetail(from: &reader)
        }
        guard let result else { return nil }
        self = result
    }
}

extension DenyDetail? {
    /// The scopes that a decision concerns: those that are named, else the one that caused the denial.
    package func completing(_ scopes: [String]) -> [String] {
        scopes.isEmpty ? self?.blockedByScope.map { [$0] } ?? [] : scopes
    }
}

extension QuotaViolation: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            actionKind: try object.informationalText("action_kind"),
            riskClass: try object.informationalText("risk_class"),
            window: try object.informationalText("window"),
            windowKey: try object.informationalText("window_key"),
            used: try object.informational("used"),
            limit: try object.informational("limit"),
            scope: try object.informationalText("scope"),
            policyID: try object.informationalText("policy_id")
        )
    }
}
