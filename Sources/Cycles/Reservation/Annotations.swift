/// Metrics and metadata that the work has set for its commit.
final class Annotations: Sendable {
    struct Values {
        var metrics: CyclesMetrics?
        var metadata: [String: JSONValue] = [:]
    }

    private struct State {
        var values = Values()
        /// The changes in progress. Of the changes of one thread, the innermost is last.
        var changes: [(thread: SystemThread, isStale: Bool)] = []
    }

    private let state = Lock(State())

    var values: Values { state.withLock { $0.values } }

    /// Runs `body` on a copy of the values without holding the lock, then stores the copy. Repeats both steps if
    /// another thread stored values in the meantime. A change made by a nested call in `body` is overwritten.
    func update(_ body: (inout Values) -> Void) {
        let thread = SystemThread.current
        while true {
            var values = state.withLock { state in
                state.changes.append((thread, false))
                return state.values
            }
            body(&values)
            let isStored = state.withLock { state in
                guard let index = state.changes.lastIndex(where: { $0.thread == thread }) else { return true }
                guard !state.changes.remove(at: index).isStale else { return false }
                for other in state.changes.indices where state.changes[other].thread != thread {
                    state.changes[other].isStale = true
                }
                state.values = values
                return true
            }
            if isStored { return }
        }
    }
}
