import Cycles

extension Amount {
    var json: JSONValue { ["unit": .string(unit.rawValue), "amount": .number(JSONNumber(amount))] }
}

extension SignedAmount {
    var json: JSONValue { ["unit": .string(unit.rawValue), "amount": .number(JSONNumber(amount))] }
}

extension Balance {
    func json(by rules: ServerRules) -> JSONValue {
        var members: [String: JSONValue] = [
            "scope": .string(scope), "scope_path": .string(scopePath), "remaining": remaining.json,
        ]
        if rules.shows(isOverLimit) { members["is_over_limit"] = .bool(isOverLimit) }
        members["reserved"] = reserved?.json
        members["spent"] = spent?.json
        members["allocated"] = allocated?.json
        members["debt"] = debt?.json
        members["overdraft_limit"] = overdraftLimit?.json
        return .object(members)
    }
}

extension Caps {
    var json: JSONValue {
        var members: [String: JSONValue] = [:]
        members["max_tokens"] = maxTokens.map(JSONValue.whole)
        members["max_steps_remaining"] = maxStepsRemaining.map(JSONValue.whole)
        members["tool_allowlist"] = toolAllowlist.map(JSONValue.texts)
        members["tool_denylist"] = toolDenylist.map(JSONValue.texts)
        members["cooldown_ms"] = (cooldown?.wholeMilliseconds).map(JSONValue.whole)
        return .object(members)
    }
}

extension Reservation {
    /// The JSON of a `ReservationDetail`. Lists omit some optional members (specification: `ReservationSummary`).
    func json(including: (String) -> Bool = { _ in true }) -> JSONValue {
        var members: [String: JSONValue] = [
            "reservation_id": .string(id), "status": .string(status.rawValue),
            "idempotency_key": .string(idempotencyKey.rawValue), "subject": subject, "action": action,
            "reserved": estimate.json, "created_at_ms": .whole(createdAtMilliseconds),
            "expires_at_ms": .whole(expiresAtMilliseconds), "scope_path": .string(scopes.last ?? ""),
            "affected_scopes": .texts(scopes),
        ]
        members["committed"] = committedAmount.map { Amount($0, estimate.unit).json }
        members["finalized_at_ms"] = finalizedAtMilliseconds.map(JSONValue.whole)
        if including("metadata") { members["metadata"] = metadata }
        if including("committed_metadata") { members["committed_metadata"] = committedMetadata }
        if including("evidence"), !evidence.isEmpty { members["evidence"] = .object(evidence) }
        return .object(members)
    }
}

extension JSONValue {
    static func whole(_ value: Int64) -> JSONValue { .number(JSONNumber(value)) }

    static func texts(_ values: [String]) -> JSONValue { .array(values.map(JSONValue.string)) }

    /// The object with a member added or replaced; for nil, removed.
    func setting(_ name: String, to value: JSONValue?) -> JSONValue {
        guard var members = object else { return self }
        members[name] = value
        return .object(members)
    }

    /// The nesting depth of arrays and objects.
    var depth: Int {
        switch self {
        case .array(let elements): 1 + (elements.map(\.depth).max() ?? 0)
        case .object(let members): 1 + (members.values.map(\.depth).max() ?? 0)
        case .null, .bool, .number, .string: 0
        }
    }
}
