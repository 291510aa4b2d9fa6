import Cycles

private func integerCost(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) {  // warning: 'withCycles' is deprecated: the cost is not charged
        let reply = try await complete($0.caps)
        return (reply.text, reply.total)
    }
}

private func integerCostOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) {  // warning: 'withCycles' is deprecated: the cost is not charged
        let reply = try completeBlocking($0.caps)
        return (reply.text, reply.total)
    }
}

private func integerCostOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) {  // warning: 'withCyclesOutcome' is deprecated: the cost
        let reply = try await complete($0.caps)
        return (reply.text, reply.total)
    }
}

private func integerCostOfOutcomeOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCyclesOutcome(options) {  // warning: 'withCyclesOutcome' is deprecated: the cost is not charged
        let reply = try completeBlocking($0.caps)
        return (reply.text, reply.total)
    }
}
