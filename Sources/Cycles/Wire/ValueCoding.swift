extension Amount: WireObjectDecodable, WireEncodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let amount: WireCount = try object.required("amount")
        self.init(amount.value, try object.required("unit"))
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("unit", unit.rawValue)
        writer.member("amount", amount)
        writer.endObject()
    }
}

extension SignedAmount: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(try object.required("amount"), try object.required("unit"))
    }
}

extension Subject: WireObjectDecodable, WireEncodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            tenant: try object.optional("tenant"),
            workspace: try object.optional("workspace"),
            app: try object.optional("app"),
            workflow: try object.optional("workflow"),
            agent: try object.optional("agent"),
            toolset: try object.optional("toolset"),
            dimensions: try object.optional("dimensions")
        )
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("tenant", tenant)
        writer.member("workspace", workspace)
        writer.member("app", app)
        writer.member("workflow", workflow)
        writer.member("agent", agent)
        writer.member("toolset", toolset)
        writer.member("dimensions", dimensions?.mapValues(JSONValue.string) ?? [:])
        writer.endObject()
    }
}

extension Action: WireObjectDecodable, WireEncodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            kind: try object.required("kind"),
            name: try object.required("name"),
            tags: try object.optional("tags") ?? []
        )
    }

    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("kind", kind)
        writer.member("name", name)
        if !tags.isEmpty { writer.member("tags", JSONValue.array(tags.map(JSONValue.string))) }
        writer.endObject()
    }
}

extension Caps: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let maxTokens: WireCount? = try object.optional("max_tokens")
        let maxStepsRemaining: WireCount? = try object.optional("max_steps_remaining")
        self.init(
            maxTokens: maxTokens?.value,
            maxStepsRemaining: maxStepsRemaining?.value,
            toolAllowlist: try object.optional("tool_allowlist"),
            toolDenylist: try object.optional("tool_denylist"),
            cooldown: try object.optional("cooldown_ms")
        )
    }
}

extension CyclesMetrics: WireEncodable {
    package func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("tokens_input", tokensInput)
        writer.member("tokens_output", tokensOutput)
        writer.member("latency_ms", latency?.wholeMilliseconds)
        writer.member("model_version", modelVersion)
        writer.member("custom", custom)
        writer.endObject()
    }
}

extension Balance: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            scope: try object.required("scope"),
            scopePath: try object.required("scope_path"),
            remaining: try object.required("remaining"),
            reserved: try object.optional("reserved"),
            spent: try object.optional("spent"),
            allocated: try object.optional("allocated"),
            debt: try object.optional("debt"),
            overdraftLimit: try object.optional("overdraft_limit"),
            isOverLimit: try object.optional("is_over_limit") ?? false
        )
    }
}

extension EvidenceReference: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(evidenceID: try object.required("evidence_id"), url: try object.required("cycles_evidence_url"))
    }
}

extension ReservationEvidence: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            reserve: object.informational("reserve"),
            commit: object.informational("commit"),
            release: object.informational("release")
        )
    }
}
