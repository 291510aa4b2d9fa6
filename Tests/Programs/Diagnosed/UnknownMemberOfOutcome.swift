import Cycles

private func unknownMemberOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) { context in
        let reply = try await complete(context.caps)
        return (reply.txt, .tokens(reply.total))  // error: value of type 'Reply' has no member 'txt'
    }
}
