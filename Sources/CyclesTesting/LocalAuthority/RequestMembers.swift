import Cycles

/// Reads the members of a JSON object in a request by the rules of its schema. A violation is refused as
/// INVALID_REQUEST, with the name of the member.
struct RequestMembers: Sendable {
    private let members: [String: JSONValue]
    private let place: String

    /// Reads an object with no other members than these (specification: `additionalProperties: false`).
    init(_ value: JSONValue, allowing names: [String], at place: String = "") throws(Refusal) {
        self.place = place
        guard let members = value.object else {
            throw .invalid((place.isEmpty ? "The body" : place) + " must be an object")
        }
        self.members = members
        if let stranger = members.keys.filter({ !names.contains($0) }).min() {
            throw .invalid("\(path(to: stranger)) is not a member of the request")
        }
    }

    func value(_ name: String) -> JSONValue? { members[name] }

    func required(_ name: String) throws(Refusal) -> JSONValue {
        guard let value = members[name] else { throw .invalid("\(path(to: name)) is missing") }
        return value
    }

    func path(to name: String) -> String { place.isEmpty ? name : place + "." + name }

    /// Reads a text whose length in Unicode scalars is within a range.
    func text(_ name: String, length: ClosedRange<Int>) throws(Refusal) -> String? {
        guard let value = members[name] else { return nil }
        guard let text = value.string else { throw .invalid("\(path(to: name)) must be a text") }
        guard length.contains(text.unicodeScalars.count) else {
            throw .invalid("\(path(to: name)) must have \(length.lowerBound) to \(length.upperBound) characters")
        }
        return text
    }

    func requiredText(_ name: String, length: ClosedRange<Int>) throws(Refusal) -> String {
        guard let text = try text(name, length: length) else { throw .invalid("\(path(to: name)) is missing") }
        return text
    }

    /// Reads a whole number within a range, in any spelling: `5`, `5.0`, `5e0`.
    func whole(_ name: String, in range: ClosedRange<Int64>) throws(Refusal) -> Int64? {
        guard let value = members[name] else { return nil }
        guard let number = value.wholeNumber, range.contains(number) else {
            throw .invalid(
                "\(path(to: name)) must be a whole number from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return number
    }

    func truth(_ name: String) throws(Refusal) -> Bool? {
        guard let value = members[name] else { return nil }
        guard let truth = value.bool else { throw .invalid("\(path(to: name)) must be true or false") }
        return truth
    }

    /// Reads an object with any members.
    func anyObject(_ name: String) throws(Refusal) -> JSONValue? {
        guard let value = members[name] else { return nil }
        guard value.object != nil else { throw .invalid("\(path(to: name)) must be an object") }
        return value
    }

    func object(_ name: String, allowing names: [String]) throws(Refusal) -> RequestMembers? {
        guard let value = members[name] else { return nil }
        return try RequestMembers(value, allowing: names, at: path(to: name))
    }

    func requiredObject(_ name: String, allowing names: [String]) throws(Refusal) -> RequestMembers {
        try RequestMembers(required(name), allowing: names, at: path(to: name))
    }

    func amount(_ name: String) throws(Refusal) -> Amount {
        let members = try requiredObject(name, allowing: ["unit", "amount"])
        let unit = BudgetUnit(rawValue: try members.requiredText("unit", length: 0...64))
        guard Ledger.units.contains(unit) else { throw .invalid("\(members.path(to: "unit")) is not a unit") }
        guard let amount = try members.whole("amount", in: 0...Int64.max) else {
            throw .invalid("\(members.path(to: "amount")) is missing")
        }
        return Amount(amount, unit)
    }

    func idempotencyKey() throws(Refusal) -> IdempotencyKey {
        IdempotencyKey(try requiredText("idempotency_key", length: 1...256))
    }

    func overagePolicy() throws(Refusal) -> CommitOveragePolicy? {
        guard let text = try text("overage_policy", length: 0...64) else { return nil }
        let policy = CommitOveragePolicy(rawValue: text)
        let known: [CommitOveragePolicy] = [.reject, .allowIfAvailable, .allowWithOverdraft]
        guard known.contains(policy) else { throw .invalid("\(path(to: "overage_policy")) is not a policy") }
        return policy
    }

    /// Checks the metrics, which have no effect on the ledger (specification: `StandardMetrics`).
    func checkMetrics() throws(Refusal) {
        let names = ["tokens_input", "tokens_output", "latency_ms", "model_version", "custom"]
        guard let metrics = try object("metrics", allowing: names) else { return }
        for name in names.prefix(3) { _ = try metrics.whole(name, in: 0...Int64.max) }
        _ = try metrics.text("model_version", length: 0...128)
        _ = try metrics.anyObject("custom")
    }

    /// Reads the subject; its standard fields may contain the portable characters only (specification: `Subject`,
    /// CHARSET).
    func subject() throws(Refusal) -> RequestSubject {
        let levels = ScopeLevel.allCases
        let value = try required("subject")
        let members = try RequestMembers(
            value,
            allowing: levels.map(\.rawValue) + ["dimensions"],
            at: path(to: "subject")
        )
        for level in levels {
            guard let text = try members.text(level.rawValue, length: 0...128) else { continue }
            guard ScopeLevel.isValue(text) else {
                throw .invalid("\(members.path(to: level.rawValue)) may have letters, digits, _, . and - only")
            }
        }
        if let dimensions = try members.anyObject("dimensions")?.object {
            let isWithinLimits = dimensions.values.allSatisfy { ($0.string?.unicodeScalars.count ?? .max) <= 256 }
            guard dimensions.count <= 16, isWithinLimits else {
                throw .invalid("\(members.path(to: "dimensions")) may have 16 texts of 256 characters")
            }
        }
        guard let scope = ScopePath(value: { value[$0.rawValue]?.string }) else {
            throw .invalid("\(path(to: "subject")) needs a tenant, workspace, app, workflow, agent or toolset")
        }
        return RequestSubject(json: value, scope: scope)
    }

    /// Reads the action, which has no effect on the ledger (specification: `Action`).
    func action() throws(Refusal) -> JSONValue {
        let members = try requiredObject("action", allowing: ["kind", "name", "tags"])
        for (name, limit) in [("kind", 64), ("name", 256)] {
            let text = try members.requiredText(name, length: 0...limit)
            guard text.contains(where: { !$0.isWhitespace }) else {
                throw .invalid("\(members.path(to: name)) must not be blank")
            }
        }
        if let tags = members.value("tags") {
            let isWithinLimits = tags.array?.allSatisfy { ($0.string?.unicodeScalars.count ?? .max) <= 64 } ?? false
            guard isWithinLimits, (tags.array?.count ?? 0) <= 10 else {
                throw .invalid("\(members.path(to: "tags")) may have 10 texts of 64 characters")
            }
        }
        return try required("action")
    }
}

/// A subject as received, with its scope.
struct RequestSubject: Sendable {
    let json: JSONValue
    let scope: ScopePath
}
