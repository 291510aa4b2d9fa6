import Cycles

private func wrongCost(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        return (reply.text, Amount.tokens(reply.text))  // error: cannot convert value of type 'String'
    }
}
