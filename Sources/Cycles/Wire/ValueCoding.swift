extension Amount: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var amount: WireCount?
        var unit: BudgetUnit?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "unit" {
                unit = try reader.required("unit")
            } else if name == "amount" {
                amount = try reader.required("amount")
            } else {
                try reader.skipValue()
            }
        }
        self.init(try amount.required("amount").value, try unit.required("unit"))
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.name("unit")
        writer.string(unit.rawValue)
        writer.name("amount")
        writer.int64(amount)
        writer.endObject()
    }
}

extension SignedAmount: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var amount: Int64?
        var unit: BudgetUnit?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "unit" {
                unit = try reader.required("unit")
            } else if name == "amount" {
                amount = try reader.required("amount")
            } else {
                try reader.skipValue()
            }
        }
        self.init(try amount.required("amount"), try unit.required("unit"))
    }
}

extension Subject: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "tenant" {
                tenant = try reader.optional("tenant")
            } else if name == "workspace" {
                workspace = try reader.optional("workspace")
            } else if name == "app" {
                app = try reader.optional("app")
            } else if name == "workflow" {
                workflow = try reader.optional("workflow")
            } else if name == "agent" {
                agent = try reader.optional("agent")
            } else if name == "toolset" {
                toolset = try reader.optional("toolset")
            } else if name == "dimensions" {
                dimensions = try reader.optional("dimensions")
            } else {
                try reader.skipValue()
            }
        }
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        if let tenant { writer.member("tenant", tenant) }
        if let workspace { writer.member("workspace", workspace) }
        if let app { writer.member("app", app) }
        if let workflow { writer.member("workflow", workflow) }
        if let agent { writer.member("agent", agent) }
        if let toolset { writer.member("toolset", toolset) }
        if let dimensions, !dimensions.isEmpty {
            writer.name("dimensions")
            writer.object(dimensions.mapValues(JSONValue.string))
        }
        writer.endObject()
    }
}

extension Action: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var kind: String?
        var actionName: String?
        var tags: [String]?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "kind" {
                kind = try reader.required("kind")
            } else if name == "name" {
                actionName = try reader.required("name")
            } else if name == "tags" {
                tags = try reader.optional("tags")
            } else {
                try reader.skipValue()
            }
        }
        self.init(kind: try kind.required("kind"), name: try actionName.required("name"), tags: tags ?? [])
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("kind", kind)
        writer.member("name", name)
        if !tags.isEmpty {
            writer.name("tags")
            writer.beginArray()
            for tag in tags { writer.string(tag) }
            writer.endArray()
        }
        writer.endObject()
    }
}

extension Caps: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var maxTokens: WireCount?
        var maxStepsRemaining: WireCount?
        var cooldown: WireMilliseconds?
        self.init()
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "max_tokens" {
                maxTokens = try reader.optional("max_tokens")
            } else if name == "max_steps_remaining" {
                maxStepsRemaining = try reader.optional("max_steps_remaining")
            } else if name == "tool_allowlist" {
                toolAllowlist = try reader.optional("tool_allowlist")
            } else if name == "tool_denylist" {
                toolDenylist = try reader.optional("tool_denylist")
            } else if name == "cooldown_ms" {
                cooldown = try reader.optional("cooldown_ms")
            } else {
                try reader.skipValue()
            }
        }
        self.maxTokens = maxTokens?.value
        self.maxStepsRemaining = maxStepsRemaining?.value
        self.cooldown = cooldown?.duration
    }
}

extension CyclesMetrics {
    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        if let tokensInput { writer.member("tokens_input", tokensInput) }
        if let tokensOutput { writer.member("tokens_output", tokensOutput) }
        if let latency { writer.member("latency_ms", latency.wholeMilliseconds) }
        if let modelVersion { writer.member("model_version", modelVersion) }
        if !custom.isEmpty {
            writer.name("custom")
            writer.object(custom)
        }
        writer.endObject()
    }
}

extension Balance: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var scope: String?
        var scopePath: String?
        var remaining: SignedAmount?
        var reserved: Amount?
        var spent: Amount?
        var allocated: Amount?
        var debt: Amount?
        var overdraftLimit: Amount?
        var isOverLimit: Bool?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "scope" {
                scope = try reader.required("scope")
            } else if name == "scope_path" {
                scopePath = try reader.required("scope_path")
            } else if name == "remaining" {
                remaining = try reader.required("remaining")
            } else if name == "reserved" {
                reserved = try reader.optional("reserved")
            } else if name == "spent" {
                spent = try reader.optional("spent")
            } else if name == "allocated" {
                allocated = try reader.optional("allocated")
            } else if name == "debt" {
                debt = try reader.optional("debt")
            } else if name == "overdraft_limit" {
                overdraftLimit = try reader.optional("overdraft_limit")
            } else if name == "is_over_limit" {
                isOverLimit = try reader.optional("is_over_limit")
            } else {
                try reader.skipValue()
            }
        }
        self.init(
            scope: try scope.required("scope"),
            scopePath: try scopePath.required("scope_path"),
            remaining: try remaining.required("remaining"),
            reserved: reserved,
            spent: spent,
            allocated: allocated,
            debt: debt,
            overdraftLimit: overdraftLimit,
            isOverLimit: isOverLimit ?? false
        )
    }
}

extension EvidenceReference: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var evidenceID: EvidenceID?
        var url: String?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "evidence_id" {
                evidenceID = try reader.required("evidence_id")
            } else if name == "cycles_evidence_url" {
                url = try reader.required("cycles_evidence_url")
            } else {
                try reader.skipValue()
            }
        }
        self.init(
            evidenceID: try evidenceID.required("evidence_id"),
            url: try url.required("cycles_evidence_url")
        )
    }
}

extension ReservationEvidence: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        self.init()
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "reserve" {
                reserve = try reader.informational()
            } else if name == "commit" {
                commit = try reader.informational()
            } else if name == "release" {
                release = try reader.informational()
            } else {
                try reader.skipValue()
            }
        }
    }
}

extension JSONWriter {
    package mutating func member(_ name: StaticString, _ text: String) {
        self.name(name)
        string(text)
    }

    package mutating func member(_ name: StaticString, _ value: Int64) {
        self.name(name)
        int64(value)
    }
}

extension Deferred where Value == [Balance] {
    /// Balances that do not make sense count as absent.
    package init(balancesIn body: [UInt8], range: Range<Int>?) {
        guard let range else {
            self.init([])
            return
        }
        self.init(in: body, range: range) { bytes in
            var reader = JSONReader(bytes)
            return (try? [Balance](from: &reader)) ?? []
        }
    }
}

extension Deferred where Value == EvidenceReference? {
    /// A reference that does not make sense counts as absent.
    package init(evidenceIn body: [UInt8], range: Range<Int>?) {
        guard let range else {
            self.init(nil)
            return
        }
        self.init(in: body, range: range) { bytes in
            var reader = JSONReader(bytes)
            return try? EvidenceReference(from: &reader)
        }
    }
}
