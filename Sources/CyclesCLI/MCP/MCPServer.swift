import Cycles

/// Performs the actions of a session: writes its answers, and runs its calls as tasks.
final class MCPServer: Sendable {
    private struct State {
        var session: MCPSession
        var tasks: [Int: Task<Void, Never>] = [:]
        var isOver = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let performer: CallPerformer
    private let executor: (any TaskExecutor)?
    private let send: @Sendable ([UInt8]) -> Void
    private let state: Lock<State>

    /// - Parameters:
    ///   - executor: Runs the calls; nil for the threads of the concurrency runtime.
    ///   - send: Writes a line, without waiting.
    init(
        _ permissions: Permissions,
        _ client: CyclesClient,
        executor: (any TaskExecutor)?,
        send: @escaping @Sendable ([UInt8]) -> Void
    ) {
        performer = CallPerformer(client: client)
        self.executor = executor
        self.send = send
        state = Lock(State(session: MCPSession(permissions)))
    }

    // MARK: Input

    func receive(_ line: LineSplitter.Line) { perform { $0.receive(line) } }

    /// Handles the end of the input: calls in progress are answered, then the session ends.
    func endInput() { perform { $0.endInput() } }

    /// Ends the session at once. Calls in progress are cancelled.
    func interrupt() { perform { $0.interrupt() } }

    /// Waits for the end of the session, then releases in the background what it holds.
    func finish() async {
        await withCheckedContinuation { continuation in
            state.withLock { state in
                if state.isOver { continuation.resume() } else { state.waiter = continuation }
            }
        }
        // Cancelled calls may still obtain reservations.
        for task in state.withLock({ Array($0.tasks.values) }) { await task.value }
        performer.giveBackAll()
    }

    // MARK: Actions

    private func perform(_ step: (inout MCPSession) -> [MCPSession.Action]) {
        state.withLock { state in
            for action in step(&state.session) { perform(action, &state) }
        }
    }

    /// Performs an action. Called with the lock, so that answers keep their order, and a task is known before it ends.
    private func perform(_ action: MCPSession.Action, _ state: inout State) {
        switch action {
        case .send(let line): send(line)
        case .start(let number, let call):
            state.tasks[number] = Task(executorPreference: executor) { [self] in
                let outcome = await performer.perform(call)
                if !isAnswered(number, outcome), let id = outcome.obtained { await performer.giveBack(id) }
                self.state.withLock { $0.tasks[number] = nil }
            }
        case .cancel(let number): state.tasks[number]?.cancel()
        case .end:
            state.isOver = true
            state.waiter.take()?.resume()
        }
    }

    /// Handles the result of a call. Returns false if the call was cancelled.
    private func isAnswered(_ number: Int, _ outcome: CallPerformer.Outcome) -> Bool {
        state.withLock { state in
            let (actions, isAnswered) = state.session.finish(number, outcome.result)
            for action in actions { perform(action, &state) }
            return isAnswered
        }
    }
}
