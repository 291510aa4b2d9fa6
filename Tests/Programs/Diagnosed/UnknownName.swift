import Cycles

private func unknownName(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(contxt.caps)  // error: cannot find 'contxt' in scope
        return (reply.text, .tokens(reply.total))
    }
}
