import Cycles

private func wrongType(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps)
        let count: Int = reply.text  // error: cannot convert value of type 'String' to specified type 'Int'
        return (reply.text, .tokens(count))
    }
}
