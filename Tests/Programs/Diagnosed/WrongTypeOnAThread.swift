import Cycles

private func wrongTypeOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) { context in
        let reply = try completeBlocking(context.caps)
        let count: Int = reply.text  // error: cannot convert value of type 'String' to specified type 'Int'
        return (reply.text, .tokens(count))
    }
}
