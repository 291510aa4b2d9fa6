import Cycles

private func missingAwait(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try complete(context.caps)  // error: expression is 'async' but is not marked with 'await'
        return reply.text
    }
}
