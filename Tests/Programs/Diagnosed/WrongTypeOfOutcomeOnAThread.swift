import Cycles

private func wrongTypeOfOutcomeOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCyclesOutcome(options) { context in
        let reply = try completeBlocking(context.caps)
        let count: Int = reply.text  // error: cannot convert value of type 'String' to specified type 'Int'
        return (reply.text, .tokens(count))
    }
}
