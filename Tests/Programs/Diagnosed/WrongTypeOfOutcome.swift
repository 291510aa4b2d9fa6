import Cycles

private func wrongTypeOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) { context in
        let reply = try await complete(context.caps)
        let count: Int = reply.text  // error: cannot convert value of type 'String' to specified type 'Int'
        return (reply.text, .tokens(count))
    }
}
