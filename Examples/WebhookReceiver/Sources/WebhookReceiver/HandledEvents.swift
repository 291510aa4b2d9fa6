import Synchronization

/// The ids of the events that were handled last. A receiver of several processes keeps them in a database instead, with a
/// unique index.
final class HandledEvents: Sendable {
    private struct State {
        var ids: Set<String> = []
        /// The ids in the order of their arrival, in a ring.
        var order: [String] = []
        var next = 0
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) { self.capacity = max(1, capacity) }

    /// Remembers an event; false if it was remembered already.
    func begin(_ id: String) -> Bool {
        state.withLock { state in
            guard state.ids.insert(id).inserted else { return false }
            if state.order.count < capacity {
                state.order.append(id)
            } else {
                state.ids.remove(state.order[state.next])
                state.order[state.next] = id
                state.next = (state.next + 1) % capacity
            }
            return true
        }
    }

    /// Forgets an event that could not be handled.
    func forget(_ id: String) { state.withLock { state in _ = state.ids.remove(id) } }
}
