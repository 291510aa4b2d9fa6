import Cycles

private func unknownMember(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        return (reply.txt, .tokens(reply.total))  // error: value of type 'Reply' has no member 'txt'
    }
}
