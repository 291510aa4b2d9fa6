/// An answer's body as a value. What a member that makes no sense does is said at ``JSONReader``'s `required`,
/// `optional` and `informational`: answers that report a settlement are lenient about everything but what settles.
package protocol ResponseDecodable: Sendable {
    init(body: [UInt8]) throws(JSONError)
}

extension DecisionResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var decision: Decision?
            var caps: Caps?
            var reasonCode: ReasonCode?
            var denyDetail: DenyDetail?
            var retryAfter: WireMilliseconds?
            var affectedScopes: WireScopes?
            var evidence: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "decision" {
                    decision = try reader.required("decision")
                } else if name == "affected_scopes" {
                    affectedScopes = try reader.optional("affected_scopes")
                } else if name == "caps" {
                    caps = try reader.optional("caps")
                } else if name == "reason_code" {
                    reasonCode = try reader.informationalReason()
                } else if name == "deny_detail" {
                    denyDetail = try reader.informational()
                } else if name == "retry_after_ms" {
                    retryAfter = try reader.optional("retry_after_ms")
                } else if name == "cycles_evidence" {
                    evidence = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return DecisionResponse(
                decision: try decision.required("decision"),
                caps: caps,
                reasonCode: reasonCode ?? denyDetail?.reasonCode,
                denyDetail: denyDetail,
                retryAfter: retryAfter?.duration,
                affectedScopes: denyDetail.completing(affectedScopes?.names ?? []),
                deferredEvidence: Deferred(evidenceIn: body, range: evidence)
            )
        }
    }
}

extension ReservationCreateResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var decision: Decision?
            var reservationID: ReservationID?
            var reserved: Amount?
            var expiresAt: WireCount?
            var remaining: WireMilliseconds?
            var scopePath: String?
            var affectedScopes: WireScopes?
            var caps: Caps?
            var reasonCode: ReasonCode?
            var denyDetail: DenyDetail?
            var retryAfter: WireMilliseconds?
            var balances: Range<Int>?
            var evidence: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "decision" {
                    decision = try reader.required("decision")
                } else if name == "reservation_id" {
                    reservationID = try reader.optional("reservation_id")
                } else if name == "reserved" {
                    reserved = try reader.optional("reserved")
                } else if name == "expires_at_ms" {
                    expiresAt = try reader.optional("expires_at_ms")
                } else if name == "remaining_ttl_ms" {
                    remaining = try reader.optional("remaining_ttl_ms")
                } else if name == "scope_path" {
                    scopePath = try reader.optional("scope_path")
                } else if name == "affected_scopes" {
                    affectedScopes = try reader.required("affected_scopes")
                } else if name == "caps" {
                    caps = try reader.optional("caps")
                } else if name == "balances" {
                    balances = try reader.deferredRange()
                } else if name == "reason_code" {
                    reasonCode = try reader.informationalReason()
                } else if name == "deny_detail" {
                    denyDetail = try reader.informational()
                } else if name == "retry_after_ms" {
                    retryAfter = try reader.optional("retry_after_ms")
                } else if name == "cycles_evidence" {
                    evidence = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return ReservationCreateResponse(
                decision: try decision.required("decision"),
                reservationID: reservationID,
                reserved: reserved,
                expiresAtMilliseconds: expiresAt?.value,
                remainingTimeToLive: remaining?.duration,
                scopePath: scopePath,
                affectedScopes: denyDetail.completing(try affectedScopes.required("affected_scopes").names),
                caps: caps,
                reasonCode: reasonCode ?? denyDetail?.reasonCode,
                denyDetail: denyDetail,
                retryAfter: retryAfter?.duration,
                deferredBalances: Deferred(balancesIn: body, range: balances),
                deferredEvidence: Deferred(evidenceIn: body, range: evidence)
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
                if name == "status" {
                    status = try reader.required("status", expecting: ReservationStatus.committed)
                } else if name == "charged" {
                    charged = try reader.required("charged")
                } else if name == "released" {
                    released = try reader.informational()
                } else if name == "balances" {
                    balances = try reader.deferredRange()
                } else if name == "cycles_evidence" {
                    evidence = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return CommitResponse(
                status: try status.required("status"),
                charged: try charged.required("charged"),
                released: released,
                deferredBalances: Deferred(balancesIn: body, range: balances),
                deferredEvidence: Deferred(evidenceIn: body, range: evidence)
            )
        }
    }
}

extension ReleaseResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var status: ReservationStatus?
            var released: Amount?
            var balances: Range<Int>?
            var evidence: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "status" {
                    status = try reader.required("status", expecting: ReservationStatus.released)
                } else if name == "released" {
                    released = try reader.required("released")
                } else if name == "balances" {
                    balances = try reader.deferredRange()
                } else if name == "cycles_evidence" {
                    evidence = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return ReleaseResponse(
                status: try status.required("status"),
                released: try released.required("released"),
                deferredBalances: Deferred(balancesIn: body, range: balances),
                deferredEvidence: Deferred(evidenceIn: body, range: evidence)
            )
        }
    }
}

extension ExtendResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var status: ReservationStatus?
            var expiresAt: WireCount?
            var remaining: WireMilliseconds?
            var balances: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "status" {
                    status = try reader.required("status", expecting: ReservationStatus.active)
                } else if name == "expires_at_ms" {
                    expiresAt = try reader.required("expires_at_ms")
                } else if name == "remaining_ttl_ms" {
                    remaining = try reader.optional("remaining_ttl_ms")
                } else if name == "balances" {
                    balances = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return ExtendResponse(
                status: try status.required("status"),
                expiresAtMilliseconds: try expiresAt.required("expires_at_ms").value,
                remainingTimeToLive: remaining?.duration,
                deferredBalances: Deferred(balancesIn: body, range: balances)
            )
        }
    }
}

extension EventCreateResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var status: EventStatus?
            var eventID: EventID?
            var charged: Amount?
            var balances: Range<Int>?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "status" {
                    status = try reader.required("status", expecting: EventStatus.applied)
                } else if name == "event_id" {
                    eventID = try reader.required("event_id")
                } else if name == "charged" {
                    charged = try reader.informational()
                } else if name == "balances" {
                    balances = try reader.deferredRange()
                } else {
                    try reader.skipValue()
                }
            }
            return EventCreateResponse(
                status: try status.required("status"),
                eventID: try eventID.required("event_id"),
                charged: charged,
                deferredBalances: Deferred(balancesIn: body, range: balances)
            )
        }
    }
}

extension ReservationDetail: WireDecodable, ResponseDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var reservationID: ReservationID?
        var status: ReservationStatus?
        var idempotencyKey: IdempotencyKey?
        var subject: Subject?
        var action: Action?
        var reserved: Amount?
        var committed: Amount?
        var createdAt: Int64?
        var expiresAt: Int64?
        var finalizedAt: Int64?
        var scopePath: String?
        var affectedScopes: WireScopes?
        var metadata: [String: JSONValue]?
        var committedMetadata: [String: JSONValue]?
        var evidence: ReservationEvidence?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "reservation_id" {
                reservationID = try reader.required("reservation_id")
            } else if name == "status" {
                status = try reader.required("status")
            } else if name == "idempotency_key" {
                idempotencyKey = try reader.optional("idempotency_key")
            } else if name == "subject" {
                subject = try reader.required("subject")
            } else if name == "action" {
                action = try reader.required("action")
            } else if name == "reserved" {
                reserved = try reader.required("reserved")
            } else if name == "committed" {
                committed = try reader.optional("committed")
            } else if name == "created_at_ms" {
                createdAt = try reader.required("created_at_ms")
            } else if name == "expires_at_ms" {
                expiresAt = try reader.required("expires_at_ms")
            } else if name == "finalized_at_ms" {
                finalizedAt = try reader.optional("finalized_at_ms")
            } else if name == "scope_path" {
                scopePath = try reader.required("scope_path")
            } else if name == "affected_scopes" {
                affectedScopes = try reader.required("affected_scopes")
            } else if name == "metadata" {
                metadata = try reader.optional("metadata")
            } else if name == "committed_metadata" {
                committedMetadata = try reader.optional("committed_metadata")
            } else if name == "evidence" {
                evidence = try reader.informational()
            } else {
                try reader.skipValue()
            }
        }
        self.init(
            reservationID: try reservationID.required("reservation_id"),
            status: try status.required("status"),
            idempotencyKey: idempotencyKey,
            subject: try subject.required("subject"),
            action: try action.required("action"),
            reserved: try reserved.required("reserved"),
            committed: committed,
            createdAtMilliseconds: try createdAt.required("created_at_ms"),
            expiresAtMilliseconds: try expiresAt.required("expires_at_ms"),
            finalizedAtMilliseconds: finalizedAt,
            scopePath: try scopePath.required("scope_path"),
            affectedScopes: try affectedScopes.required("affected_scopes").names,
            metadata: metadata,
            committedMetadata: committedMetadata,
            evidence: evidence
        )
    }

    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in try ReservationDetail(from: &reader) }
    }
}

/// What both kinds of page have in common.
private struct Page<Row: WireDecodable> {
    var rows: [Row]
    var nextCursor: String?
    var hasMore: Bool

    init(body: [UInt8], rowsName: StaticString) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var rows: [Row]?
            var nextCursor: String?
            var hasMore: Bool?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == rowsName {
                    rows = try reader.required(rowsName)
                } else if name == "next_cursor" {
                    nextCursor = try reader.optional("next_cursor")
                } else if name == "has_more" {
                    hasMore = try reader.optional("has_more")
                } else {
                    try reader.skipValue()
                }
            }
            return Page(rows: try rows.required(rowsName), nextCursor: nextCursor, hasMore: hasMore)
        }
    }

    /// An empty cursor leads nowhere; a server that gives a cursor and does not say whether there is more may have.
    private init(rows: [Row], nextCursor: String?, hasMore: Bool?) {
        self.rows = rows
        self.nextCursor = nextCursor.flatMap { $0.isEmpty ? nil : $0 }
        self.hasMore = self.nextCursor != nil && hasMore ?? true
    }
}

extension ReservationListResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        let page = try Page<ReservationSummary>(body: body, rowsName: "reservations")
        self.init(reservations: page.rows, nextCursor: page.nextCursor, hasMore: page.hasMore)
    }
}

extension BalanceResponse: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        let page = try Page<Balance>(body: body, rowsName: "balances")
        self.init(balances: page.rows, nextCursor: page.nextCursor, hasMore: page.hasMore)
    }
}

extension EvidenceEnvelope: ResponseDecodable {
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var schemaVersion: String?
            var artifactType: EvidenceArtifact?
            var serverID: String?
            var signerDID: String?
            var issuedAt: Int64?
            var traceID: String?
            var payload: [String: JSONValue]?
            var evidenceID: EvidenceID?
            var signature: String?
            try reader.beginObject()
            while let name = try reader.nextName() {
                if name == "schema_version" {
                    schemaVersion = try reader.required("schema_version")
                } else if name == "artifact_type" {
                    artifactType = try reader.required("artifact_type")
                } else if name == "server_id" {
                    serverID = try reader.required("server_id")
                } else if name == "signer_did" {
                    signerDID = try reader.required("signer_did")
                } else if name == "issued_at_ms" {
                    issuedAt = try reader.required("issued_at_ms")
                } else if name == "trace_id" {
                    traceID = try reader.optional("trace_id")
                } else if name == "payload" {
                    payload = try reader.required("payload")
                } else if name == "evidence_id" {
                    evidenceID = try reader.required("evidence_id")
                } else if name == "signature" {
                    signature = try reader.required("signature")
                } else {
                    try reader.skipValue()
                }
            }
            return EvidenceEnvelope(
                schemaVersion: try schemaVersion.required("schema_version"),
                artifactType: try artifactType.required("artifact_type"),
                serverID: try serverID.required("server_id"),
                signerDID: try signerDID.required("signer_did"),
                issuedAtMilliseconds: try issuedAt.required("issued_at_ms"),
                traceID: traceID,
                payload: try payload.required("payload"),
                evidenceID: try evidenceID.required("evidence_id"),
                signature: try signature.required("signature")
            )
        }
    }
}

extension JSONReader {
    /// A status that has to be this one: any other does not report success.
    fileprivate mutating func required<Value: WireDecodable & OpenEnumeration>(
        _ name: StaticString,
        expecting expected: Value
    ) throws(JSONError) -> Value {
        let start = valueStart()
        let value: Value = try required(name)
        guard value == expected else {
            throw JSONError(reason: .mismatch(expected: expected.rawValue), offset: start, path: ["\(name)"])
        }
        return value
    }
}
