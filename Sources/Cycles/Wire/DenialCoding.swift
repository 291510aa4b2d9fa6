extension DenyDetail: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "reason_code" {
                reasonCode = try reader.informationalText().map(ReasonCode.init)
            } else if name == "quota_violation" {
                quotaViolation = try reader.informational()
            } else if name == "blocked_by_scope" {
                blockedByScope = try reader.informationalText()
            } else if name == "blocked_by_policy" {
                blockedByPolicy = try reader.informationalText()
            } else if name == "suggested_fix" {
                suggestedFix = try reader.informationalText()
            } else if name == "budget_remaining" {
                budgetRemaining = try reader.informational()
            } else {
                try reader.skipValue()
            }
        }
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

extension QuotaViolation: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "action_kind" {
                actionKind = try reader.informationalText()
            } else if name == "risk_class" {
                riskClass = try reader.informationalText()
            } else if name == "window" {
                window = try reader.informationalText()
            } else if name == "window_key" {
                windowKey = try reader.informationalText()
            } else if name == "used" {
                used = try reader.informational()
            } else if name == "limit" {
                limit = try reader.informational()
            } else if name == "scope" {
                scope = try reader.informationalText()
            } else if name == "policy_id" {
                policyID = try reader.informationalText()
            } else {
                try reader.skipValue()
            }
        }
    }
}

/// The names of scopes: each entry is a text, or an object that has the name as `scope`.
package struct WireScopes: WireDecodable {
    package let names: [String]

    package init(from reader: inout JSONReader) throws(JSONError) {
        var names: [String] = []
        try reader.beginArray()
        while try reader.nextElement() {
            do throws(JSONError) {
                names.append(try WireScopes.name(from: &reader))
            } catch {
                throw error.inside(names.count)
            }
        }
        self.names = names
    }

    private static func name(from reader: inout JSONReader) throws(JSONError) -> String {
        guard reader.peek() == UInt8(ascii: "{") else { return try reader.readString() }
        var scope: String?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "scope" { scope = try reader.required("scope") } else { try reader.skipValue() }
        }
        return try scope.required("scope")
    }
}

extension JSONReader {
    /// A text for information only: a blank one counts as absent, as anything unexpected does.
    fileprivate mutating func informationalText() throws(JSONError) -> String? {
        let text: String? = try informational()
        return text.flatMap { $0.isBlank ? nil : $0 }
    }

    /// The reason of a decision, which explains the decision and does not change it.
    package mutating func informationalReason() throws(JSONError) -> ReasonCode? {
        try informationalText().map(ReasonCode.init)
    }
}
