import Cycles

private func extraArgumentOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) { context in
        let reply = try completeBlocking(context.caps, temperature: 1)  // error: extra argument 'temperature' in call
        return reply.text
    }
}
