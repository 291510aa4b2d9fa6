// Each lifecycle reads these, and so they are read in one pass, without looking members up by name.

extension ReservationCreateResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var decision: Decision?
            var reservationID: ReservationID?
            var reserved: Amount?
            var expiresAt: WireCount?
            var remaining: Duration?
            var scopePath: String?
            var affectedScopes: WireScopes?
            var caps: Caps?
            var reasonCode: ReasonCode?
            var denyDetail: DenyDetail?
            var retryAfter: Duration?
            var balances: Range<Int>?
            var evidence: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                switch name {
                case "decision": decision = try reader.required("decision")
                case "reservation_id": reservationID = try reader.optional("reservation_id")
                case "reserved": reserved = try reader.optional("reserved")
                case "expires_at_ms": expiresAt = try reader.optional("expires_at_ms")
                case "remaining_ttl_ms": remaining = try reader.optional("remaining_ttl_ms")
                case "scope_path": scopePath = try reader.optional("scope_path")
                case "affected_scopes": affectedScopes = try reader.required("affected_scopes")
                case "caps": caps = try reader.optional("caps")
                case "balances": balances = try reader.skippedRange()
                case "reason_code": reasonCode = try reader.informationalText().map(ReasonCode.init)
                case "deny_detail": denyDetail = try reader.informational()
                case "retry_after_ms": retryAfter = try reader.optional("retry_after_ms")
                case "cycles_evidence": evidence = try reader.skippedRange()
                default: try reader.skipValue()
                }
            }
            return ReservationCreateResponse(
                decision: try decision.required("decision"),
                reservationID: reservationID,
                reserved: reserved,
                expiresAtMilliseconds: expiresAt?.value,
                remainingTimeToLive: remaining,
                scopePath: scopePath,
                affectedScopes: denyDetail.completing(try affectedScopes.required("affected_scopes").names),
                caps: caps,
                reasonCode: reasonCode ?? denyDetail?.reasonCode,
                denyDetail: denyDetail,
                retryAfter: retryAfter,
                deferredBalances: Deferred(balancesIn: body, at: balances),
                deferredEvidence: Deferred(evidenceIn: body, at: evidence)
            )
        }
    }
}

extension CommitResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var status: ReservationStatus?
            var charged: Amount?
            var released: Amount?
            var balances: Range<Int>?
            var evidence: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                switch name {
                case "status": status = try reader.required("status", expecting: .committed)
                case "charged": charged = try reader.required("charged")
                case "released": released = try reader.informational()
                case "balances": balances = try reader.skippedRange()
                case "cycles_evidence": evidence = try reader.skippedRange()
                default: try reader.skipValue()
                }
            }
            return CommitResponse(
                status: try status.required("status"),
                charged: try charged.required("charged"),
                released: released,
                deferredBalances: Deferred(balancesIn: body, at: balances),
                deferredEvidence: Deferred(evidenceIn: body, at: evidence)
            )
        }
    }
}

extension Amount: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var amount: WireCount?
        var unit: BudgetUnit?
        try reader.beginObject()
        while let name = try reader.nextName() {
            switch name {
            case "unit": unit = try reader.required("unit")
            case "amount": amount = try reader.required("amount")
            default: try reader.skipValue()
            }
        }
        self.init(try amount.required("amount").value, try unit.required("unit"))
    }
}

extension Optional {
    /// The member, or the error that it is missing.
    fileprivate func required(_ name: StaticString) throws(JSONError) -> Wrapped {
        guard let self else { throw JSONError(reason: .missing, offset: 0, path: ["\(name)"]) }
        return self
    }
}
