/// What goes on in the background, for those who want to wait for its end.
package final class PendingWork: Sendable {
    /// Names something that goes on.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct State {
        var live: Set<Ticket> = []
        var nextNumber: UInt64 = 0
        var waiters: [UInt64: Waiter] = [:]

        mutating func number() -> UInt64 {
            nextNumber += 1
            return nextNumber
        }
    }

    private struct Waiter {
        var tickets: Set<Ticket>
        let continuation: UnsafeContinuation<Void, Never>
    }

    private let state = Monitor(State())

    package init() {}

    /// Something begins.
    package func begin() -> Ticket {
        state.withLock { state in
            let ticket = Ticket(number: state.number())
            state.live.insert(ticket)
            return ticket
        }
    }

    /// It is over.
    package func end(_ ticket: Ticket) {
        let finished: [UnsafeContinuation<Void, Never>] = state.withLock { state in
            state.live.remove(ticket)
            guard !state.waiters.isEmpty else { return [] }
            var finished: [UnsafeContinuation<Void, Never>] = []
            for (number, var waiter) in state.waiters where waiter.tickets.remove(ticket) != nil {
                state.waiters[number] = waiter.tickets.isEmpty ? nil : waiter
                if waiter.tickets.isEmpty { finished.append(waiter.continuation) }
            }
            return finished
        }
        for continuation in finished { continuation.resume() }
    }

    /// What goes on now.
    package var current: Set<Ticket> { state.withLock { $0.live } }

    /// Waits until all of that is over, or for a limited time. Returns what is not over then.
    package func wait(for tickets: Set<Ticket>, atMost limit: Duration, _ time: any TimeSource) async -> Set<Ticket> {
        let number = state.withLock { $0.number() }
        let alarm = time.makeAlarm { [self] in giveUp(number) }
        await withUnsafeContinuation { continuation in
            let mustWait = state.withLock { state in
                let left = tickets.intersection(state.live)
                guard !left.isEmpty, limit > .zero else { return false }
                state.waiters[number] = Waiter(tickets: left, continuation: continuation)
                return true
            }
            if mustWait { alarm.set(to: time.monotonic + limit) } else { continuation.resume() }
        }
        alarm.set(to: nil)
        return tickets.intersection(current)
    }

    /// The same for a thread that may block.
    package func wait(for tickets: Set<Ticket>, atMost limit: Duration) -> Set<Ticket> {
        _ = state.wait(atMost: limit) { tickets.isDisjoint(with: $0.live) ? true : nil }
        return tickets.intersection(current)
    }

    private func giveUp(_ number: UInt64) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?.continuation.resume()
    }
}
