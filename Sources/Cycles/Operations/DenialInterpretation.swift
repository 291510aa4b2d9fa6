extension ReasonCode {
    /// Creates the reason from a 409 to a request for budget; nil if the 409 is not a denial. An error with an unknown
    /// code is a denial if its detail names a reason.
    package init?(deniedWith code: ErrorCode?, _ detail: DenyDetail?) {
        switch code {
        case .budgetExceeded, .budgetFrozen, .budgetClosed, .overdraftLimitExceeded, .debtOutstanding, .tenantClosed,
            .actionQuotaExceeded, .actionKindDenied, .actionKindNotAllowed:
            self.init(rawValue: code?.rawValue ?? "")
        case nil, .unrecognized:
            guard let reason = detail?.reasonCode else { return nil }
            self = reason
        default: return nil
        }
    }
}

extension Denial {
    /// Creates a denial from a 409.
    package init(_ error: APIError, reason: ReasonCode, details: JSONValue?, detail: DenyDetail?) {
        let named = details?["affected_scopes"]?.array?.compactMap { $0.string ?? $0["scope"]?.string } ?? []
        self.init(
            operation: error.operation,
            reason: reason,
            affectedScopes: detail.completing(named.isEmpty ? details?["scope"]?.string.map { [$0] } ?? [] : named),
            retryAfter: error.retryAfter,
            requestID: error.requestID,
            traceID: error.traceID,
            evidence: error.evidence,
            message: error.message,
            details: details,
            status: error.status,
            errorCode: error.code,
            idempotencyKey: error.idempotencyKey
        )
        explain(with: detail)
    }

    /// Creates a denial from a 200 with the decision DENY.
    package init(_ response: APIResponse<ReservationCreateResponse>, _ redactor: Redactor) {
        var raw = ((try? JSONValue(parsing: response.body))?["deny_detail"]).map(redactor.redact)
        if raw == .null { raw = nil }
        let detail = DenyDetail(decoding: raw)
        self.init(
            operation: "createReservation",
            reason: response.reasonCode.map { ReasonCode(rawValue: redactor.redact($0.rawValue)) }
                ?? .unrecognized("no reason given"),
            affectedScopes: response.affectedScopes.map { redactor.redact($0) },
            retryAfter: response.retryAfter ?? response.http.retryAfter,
            requestID: redactor.redact(response.http.requestID),
            traceID: redactor.redact(response.http.traceID),
            evidence: redactor.redact(response.cyclesEvidence),
            details: raw.map { ["deny_detail": $0] },
            status: response.http.status,
            idempotencyKey: response.idempotencyKey
        )
        explain(with: detail)
    }

    private mutating func explain(with detail: DenyDetail?) {
        suggestedFix = detail?.suggestedFix
        blockedByScope = detail?.blockedByScope
        blockedByPolicy = detail?.blockedByPolicy
        budgetRemaining = detail?.budgetRemaining
        quotaViolation = detail?.quotaViolation
    }
}
