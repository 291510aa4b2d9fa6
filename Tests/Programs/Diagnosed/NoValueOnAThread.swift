import Cycles

private func noValueOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) { context in
        let reply = try completeBlocking(context.caps)
        context.addSpent(Amount.tokens(reply.total))  // error: value of type 'CyclesContext' has no member 'addSpent'
    }
}
