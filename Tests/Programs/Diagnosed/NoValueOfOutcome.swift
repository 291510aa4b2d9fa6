import Cycles

private func noValueOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) { context in
        let reply = try await complete(context.caps)
        context.addSpent(Amount.tokens(reply.total))  // error: value of type 'CyclesContext' has no member 'addSpent'
    }
}
