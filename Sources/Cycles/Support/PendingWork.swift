/// Counts what goes on in the background, for those who want to wait for its end.
package final class PendingWork: Sendable {
    private struct State {
        var count = 0
        var waiters: [Int: UnsafeContinuation<Void, Never>] = [:]
        var nextWaiter = 0
    }

    private let state = Monitor(State())

    package init() {}

    package var count: Int { state.withLock { $0.count } }

    /// Something begins.
    package func begin() { state.withLock { $0.count += 1 } }

    /// It is over.
    package func end() {
        let waiters = state.withLock { state in
            state.count -= 1
            guard state.count == 0 else { return [UnsafeContinuation<Void, Never>]() }
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Waits until nothing goes on any more, or for a limited time.
    package func wait(atMost limit: Duration, _ time: any TimeSource) async {
        let ticket = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        let alarm = time.makeAlarm { [self] in giveUp(ticket) }
        await withUnsafeContinuation { continuation in
            let mustWait = state.withLock { state in
                guard state.count > 0, limit > .zero else { return false }
                state.waiters[ticket] = continuation
                return true
            }
            if mustWait { alarm.set(to: time.monotonic + limit) } else { continuation.resume() }
        }
        alarm.set(to: nil)
    }

    /// The same for a thread that may block.
    package func wait(atMost limit: Duration) {
        _ = state.wait(atMost: limit) { $0.count == 0 ? true : nil }
    }

    private func giveUp(_ ticket: Int) { state.withLock { $0.waiters.removeValue(forKey: ticket) }?.resume() }
}
