import Cycles

/// The server's answers, for people.
enum AnswerReport {
    static func lines(_ answer: APIResponse<ReservationCreateResponse>) -> [String] {
        var fields = FieldList()
        fields.add("reservation", answer.reservationID)
        addDecision(answer.decision, answer.reasonCode, answer.retryAfter, to: &fields)
        fields.add("reserved", answer.reserved)
        fields.add("expires", answer.expiresAtMilliseconds.map(Instants.text))
        fields.add("scopes", answer.affectedScopes)
        add(answer.caps, to: &fields)
        fields.add("idempotency key", answer.idempotencyKey)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<DecisionResponse>) -> [String] {
        var fields = FieldList()
        addDecision(answer.decision, answer.reasonCode, answer.retryAfter, to: &fields)
        fields.add("scopes", answer.affectedScopes)
        add(answer.caps, to: &fields)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines
    }

    /// - Parameter actual: What was to be charged.
    static func lines(_ answer: APIResponse<CommitResponse>, actual: Amount) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("charged", charged(answer.charged, of: actual))
        fields.add("given back", answer.released)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<ReleaseResponse>) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("given back", answer.released)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<ExtendResponse>) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("expires", Instants.text(answer.expiresAtMilliseconds))
        return fields.lines + table(answer.balances)
    }

    /// - Parameter actual: What was to be charged.
    static func lines(_ answer: APIResponse<EventCreateResponse>, actual: Amount) -> [String] {
        var fields = FieldList()
        fields.add("event", answer.eventID)
        fields.add("status", answer.status)
        fields.add("charged", answer.charged.map { charged($0, of: actual) })
        fields.add("idempotency key", answer.idempotencyKey)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<ReservationDetail>) -> [String] {
        var fields = FieldList()
        fields.add("reservation", answer.reservationID)
        fields.add("status", answer.status)
        fields.add("action", "\(answer.action.kind)/\(answer.action.name)")
        fields.add("tags", answer.action.tags)
        fields.add("scopes", answer.affectedScopes)
        fields.add("reserved", answer.reserved)
        fields.add("committed", answer.committed)
        fields.add("created", Instants.text(answer.createdAtMilliseconds))
        fields.add("expires", Instants.text(answer.expiresAtMilliseconds))
        fields.add("finalized", answer.finalizedAtMilliseconds.map(Instants.text))
        fields.add("idempotency key", answer.idempotencyKey)
        fields.add("metadata", answer.metadata.map(json))
        fields.add("committed with", answer.committedMetadata.map(json))
        return fields.lines
    }

    static func lines(_ answer: APIResponse<EvidenceEnvelope>) -> [String] {
        var fields = FieldList()
        fields.add("evidence", answer.evidenceID)
        fields.add("artifact", answer.artifactType)
        fields.add("issued", Instants.text(answer.issuedAtMilliseconds))
        fields.add("server", answer.serverID)
        fields.add("signer", answer.signerDID)
        fields.add("signature", answer.signature)
        fields.add("trace", answer.traceID)
        fields.add("schema", answer.schemaVersion)
        fields.add("payload", json(answer.payload))
        return fields.lines
    }

    static func lines(_ answer: APIResponse<EvidenceKeySet>) -> [String] {
        var table = TextTable(["KEY", "TYPE", "VALID FROM", "VALID UNTIL", "STATUS"])
        for key in answer.keys {
            table.add([
                key.kid, "\(key.kty) \(key.crv)", Instants.text(key.cyclesNbfMilliseconds),
                key.cyclesExpMilliseconds.map(Instants.text) ?? "-", key.status ?? "-",
            ])
        }
        return table.lines
    }

    static func table(_ reservations: [ReservationSummary]) -> [String] {
        guard !reservations.isEmpty else { return ["There are no such reservations."] }
        var table = TextTable(["RESERVATION", "STATUS", "RESERVED", "COMMITTED", "UNIT", "EXPIRES", "ACTION", "SCOPE"])
        for row in reservations {
            table.add([
                row.reservationID.rawValue, row.status.rawValue, String(row.reserved.amount),
                row.committed.map { String($0.amount) } ?? "-", row.reserved.unit.rawValue,
                Instants.text(row.expiresAtMilliseconds), "\(row.action.kind)/\(row.action.name)", row.scopePath,
            ])
        }
        return table.lines
    }

    static func table(_ balances: [Balance]) -> [String] { balances.isEmpty ? [] : [""] + TextTable(balances).lines }

    /// A policy may charge less than was spent: nobody should have to compare.
    private static func charged(_ charged: Amount, of actual: Amount) -> String {
        charged == actual ? "\(charged)" : "\(charged), not all of \(actual)"
    }

    private static func addDecision(
        _ decision: Decision,
        _ reason: ReasonCode?,
        _ retryAfter: Duration?,
        to fields: inout FieldList
    ) {
        fields.add("decision", decision)
        fields.add("reason", reason)
        fields.add("ask again in", retryAfter.map { "\($0)" })
    }

    private static func add(_ caps: Caps?, to fields: inout FieldList) {
        fields.add("at most", caps?.maxTokens.map { "\($0) tokens" })
        fields.add("steps left", caps?.maxStepsRemaining)
        fields.add("only tools", caps?.toolAllowlist)
        fields.add("no tools", caps?.toolDenylist)
        fields.add("cooldown", caps?.cooldown.map { "\($0)" })
    }

    private static func json(_ members: [String: JSONValue]) -> String {
        String(decoding: JSONValue.object(members).encoded, as: UTF8.self)
    }
}
