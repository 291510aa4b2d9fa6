import Cycles

private func misspelledCost(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        return (reply.text, .tokens(reply.totl))  // error: value of type 'Reply' has no member 'totl'
    }
}
