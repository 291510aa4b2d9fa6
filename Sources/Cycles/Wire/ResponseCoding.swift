extension DecisionResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let denyDetail: DenyDetail? = object.informational("deny_detail")
        let affectedScopes: WireScopes? = try object.optional("affected_scopes")
        self.init(
            decision: try object.required("decision"),
            caps: try object.optional("caps"),
            reasonCode: object.reasonCode ?? denyDetail?.reasonCode,
            denyDetail: denyDetail,
            retryAfter: try object.optional("retry_after_ms"),
            affectedScopes: denyDetail.completing(affectedScopes?.names ?? []),
            deferredEvidence: object.evidence()
        )
    }
}

extension ReservationCreateResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let decision: Decision = try object.required("decision")
        let denyDetail: DenyDetail? = object.informational("deny_detail")
        let affectedScopes: WireScopes = try object.required("affected_scopes")
        let expiresAt: WireCount? = try object.optional("expires_at_ms")
        self.init(
            decision: decision,
            reservationID: try object.optional("reservation_id"),
            reserved: try object.optional("reserved"),
            expiresAtMilliseconds: expiresAt?.value,
            remainingTimeToLive: try object.optional("remaining_ttl_ms"),
            scopePath: try object.optional("scope_path"),
            affectedScopes: denyDetail.completing(affectedScopes.names),
            caps: try object.optional("caps"),
            reasonCode: object.reasonCode ?? denyDetail?.reasonCode,
            denyDetail: denyDetail,
            retryAfter: try object.optional("retry_after_ms"),
            deferredBalances: object.balances(),
            deferredEvidence: object.evidence()
        )
    }
}

extension CommitResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            status: try object.required("status", expecting: .committed),
            charged: try object.required("charged"),
            released: object.informational("released"),
            deferredBalances: object.balances(),
            deferredEvidence: object.evidence()
        )
    }
}

extension ReleaseResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            status: try object.required("status", expecting: .released),
            released: try object.required("released"),
            deferredBalances: object.balances(),
            deferredEvidence: object.evidence()
        )
    }
}

extension ExtendResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            status: try object.required("status", expecting: .active),
            expiresAtMilliseconds: try (object.required("expires_at_ms") as WireCount).value,
            remainingTimeToLive: try object.optional("remaining_ttl_ms"),
            deferredBalances: object.balances()
        )
    }
}

extension EventCreateResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            status: try object.required("status", expecting: .applied),
            eventID: try object.required("event_id"),
            charged: object.informational("charged"),
            deferredBalances: object.balances()
        )
    }
}

extension ReservationDetail: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            reservationID: try object.required("reservation_id"),
            status: try object.required("status"),
            idempotencyKey: try object.optional("idempotency_key"),
            subject: try object.required("subject"),
            action: try object.required("action"),
            reserved: try object.required("reserved"),
            committed: try object.optional("committed"),
            createdAtMilliseconds: try object.required("created_at_ms"),
            expiresAtMilliseconds: try object.required("expires_at_ms"),
            finalizedAtMilliseconds: try object.optional("finalized_at_ms"),
            scopePath: try object.required("scope_path"),
            affectedScopes: try (object.required("affected_scopes") as WireScopes).names,
            metadata: try object.optional("metadata"),
            committedMetadata: try object.optional("committed_metadata"),
            evidence: object.informational("evidence")
        )
    }
}

extension ReservationListResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let next = try object.nextPage()
        self.init(reservations: try object.required("reservations"), nextCursor: next.cursor, hasMore: next.hasMore)
    }
}

extension BalanceResponse: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let next = try object.nextPage()
        self.init(balances: try object.required("balances"), nextCursor: next.cursor, hasMore: next.hasMore)
    }
}

extension EvidenceEnvelope: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            schemaVersion: try object.required("schema_version"),
            artifactType: try object.required("artifact_type"),
            serverID: try object.required("server_id"),
            signerDID: try object.required("signer_did"),
            issuedAtMilliseconds: try object.required("issued_at_ms"),
            traceID: try object.optional("trace_id"),
            payload: try object.required("payload"),
            evidenceID: try object.required("evidence_id"),
            signature: try object.required("signature")
        )
    }
}

extension WireObject {
    /// The reason of a decision. An unusable reason counts as absent, since it does not change the decision.
    package var reasonCode: ReasonCode? { informationalText("reason_code").map(ReasonCode.init) }

    /// Returns the cursor of the next page, and whether there may be one. An empty cursor counts as absent. A cursor
    /// without `has_more` means that there may be a next page.
    fileprivate func nextPage() throws(JSONError) -> (cursor: String?, hasMore: Bool) {
        let text: String? = try optional("next_cursor")
        let hasMore: Bool? = try optional("has_more")
        let cursor = text.flatMap { $0.isEmpty ? nil : $0 }
        return (cursor, cursor != nil && hasMore ?? true)
    }
}
