import Cycles

private func noValue(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        context.addSpent(Amount.tokens(reply.total))  // error: value of type 'CyclesContext' has no member 'addSpent'
    }
}
