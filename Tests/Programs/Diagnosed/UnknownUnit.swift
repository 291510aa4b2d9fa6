import Cycles

private func unknownUnit(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        return (reply.text, Amount.tokns(reply.total))  // error: type 'Amount' has no member 'tokns'
    }
}
