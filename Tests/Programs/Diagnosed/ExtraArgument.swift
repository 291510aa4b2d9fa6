import Cycles

private func extraArgument(_ client: CyclesClient, _ options: CyclesOptions) async throws {
    _ = try await client.withCycles(options) { context in
        let reply = try await complete(context.caps, temperature: 1)  // error: extra argument 'temperature' in call
        return reply.text
    }
}
