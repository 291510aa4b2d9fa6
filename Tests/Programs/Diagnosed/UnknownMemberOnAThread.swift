import Cycles

private func unknownMemberOnAThread(_ client: BlockingCyclesClient, _ options: CyclesOptions) throws {
    _ = try client.withCycles(options) { context in
        let reply = try completeBlocking(context.caps)
        return (reply.txt, .tokens(reply.total))  // error: value of type 'Reply' has no member 'txt'
    }
}
