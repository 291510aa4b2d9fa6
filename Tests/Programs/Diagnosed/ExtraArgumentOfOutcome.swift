import Cycles

private func extraArgumentOfOutcome(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCyclesOutcome(options) { context in
        let reply = try await complete(context.caps, temperature: 1)  // error: extra argument 'temperature' in call
        return reply.text
    }
}
