import Cycles

/// Formats the server's answers for people.
enum AnswerReport {
    /// - Parameter isDryRun: Whether the request was a dry run.
    static func lines(_ answer: APIResponse<ReservationCreateResponse>, isDryRun: Bool = false) -> [String] {
        var fields = FieldList()
        fields.add("reservation", answer.reservationID)
        addDecision(answer.decision, answer.reasonCode, answer.retryAfter, answer.denyDetail, to: &fields)
        fields.add("reserved", answer.reserved)
        fields.add("expires", answer.expiresAtMilliseconds.map(Instants.text))
        fields.add("scopes", answer.affectedScopes)
        add(answer.caps, to: &fields)
        fields.add("idempotency key", answer.idempotencyKey)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        if isObserved(answer, isDryRun) { fields.add("note", observed) }
        return fields.lines + table(answer.balances)
    }

    /// The line to print in place of a reservation's id if no reservation was made; nil if none is needed.
    /// - Parameter isDryRun: Whether the request was a dry run.
    static func note(_ answer: APIResponse<ReservationCreateResponse>, isDryRun: Bool) -> String? {
        guard answer.decision.isAllowed else {
            let reason = answer.reasonCode.map { "\($0)" } ?? "no reason is given"
            return "\(answer.decision): \(reason)" + (answer.denyDetail?.suggestedFix.map { "; \($0)" } ?? "")
        }
        return isObserved(answer, isDryRun) ? "\(answer.decision): \(observed)" : nil
    }

    private static let observed = "the decision was only observed, and nothing is held"

    /// Whether a live request was allowed without a reservation.
    private static func isObserved(_ answer: APIResponse<ReservationCreateResponse>, _ isDryRun: Bool) -> Bool {
        !isDryRun && answer.decision.isAllowed && answer.reservationID == nil
    }

    static func lines(_ answer: APIResponse<DecisionResponse>) -> [String] {
        var fields = FieldList()
        addDecision(answer.decision, answer.reasonCode, answer.retryAfter, answer.denyDetail, to: &fields)
        fields.add("scopes", answer.affectedScopes)
        add(answer.caps, to: &fields)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines
    }

    /// - Parameter actual: The amount in the request.
    static func lines(_ answer: APIResponse<CommitResponse>, actual: Amount) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("charged", charged(answer.charged, of: actual))
        fields.add("released", answer.released)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<ReleaseResponse>) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("released", answer.released)
        fields.add("evidence", answer.cyclesEvidence?.evidenceID)
        return fields.lines + table(answer.balances)
    }

    static func lines(_ answer: APIResponse<ExtendResponse>) -> [String] {
        var fields = FieldList()
        fields.add("status", answer.status)
        fields.add("expires", Instants.text(answer.expiresAtMilliseconds))
        return fields.lines + table(answer.balances)
    }

    /// - Parameter actual: The amount in the request.
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
                row.reservationID.rawValue, row.status.rawValue, row.reserved.numberWithDollars,
                row.committed?.numberWithDollars ?? "-", row.reserved.unit.rawValue,
                Instants.text(row.expiresAtMilliseconds), "\(row.action.kind)/\(row.action.name)", row.scopePath,
            ])
        }
        return table.lines
    }

    static func table(_ balances: [Balance]) -> [String] { balances.isEmpty ? [] : [""] + TextTable(balances).lines }

    /// The charged amount, followed by the requested amount if a policy reduced the charge.
    private static func charged(_ charged: Amount, of actual: Amount) -> String {
        charged == actual ? charged.withDollars : "\(charged.withDollars) of \(actual.withDollars)"
    }

    private static func addDecision(
        _ decision: Decision,
        _ reason: ReasonCode?,
        _ retryAfter: Duration?,
        _ detail: DenyDetail?,
        to fields: inout FieldList
    ) {
        fields.add("decision", decision)
        fields.add("reason", reason)
        fields.add("blocked by", [detail?.blockedByPolicy, detail?.blockedByScope].compactMap { $0 })
        fields.add("quota", detail?.quotaViolation.flatMap(quota))
        fields.add("remaining", detail?.budgetRemaining)
        fields.add("suggested fix", detail?.suggestedFix)
        fields.add("ask again in", retryAfter.map { "\($0)" })
    }

    /// A quota such as `3 of 3 message.email.send per_run (run-7)`. Missing parts are omitted.
    private static func quota(_ quota: QuotaViolation) -> String? {
        let count = quota.used.flatMap { used in quota.limit.map { "\(used) of \($0)" } }
        let parts = [count, quota.riskClass ?? quota.actionKind, quota.window, quota.windowKey.map { "(\($0))" }]
        let known = parts.compactMap { $0 }
        return known.isEmpty ? nil : known.joined(separator: " ")
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
