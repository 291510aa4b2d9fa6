import Cycles

private func optionalCost(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) {  // warning: 'withCycles' is deprecated: an optional cost
        let reply = try await complete($0.caps)
        return (reply.text, reply.total > 0 ? Amount.tokens(reply.total) : nil)
    }
}

private func optionalCostOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) {  // warning: 'withCycles' is deprecated: an optional cost
        let reply = try completeBlocking($0.caps)
        return (reply.text, reply.total > 0 ? Amount.tokens(reply.total) : nil)
    }
}

private func optionalCostOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) {  // warning: 'withCyclesOutcome' is deprecated: an optional cost
        let reply = try await complete($0.caps)
        return (reply.text, reply.total > 0 ? Amount.tokens(reply.total) : nil)
    }
}

private func optionalCostOfOutcomeOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCyclesOutcome(options) {  // warning: 'withCyclesOutcome' is deprecated: an optional cost
        let reply = try completeBlocking($0.caps)
        return (reply.text, reply.total > 0 ? Amount.tokens(reply.total) : nil)
    }
}
