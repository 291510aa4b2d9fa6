/// What goes on in the background, for those who want to wait for its end.
package final class PendingWork: Sendable {
    /// Names something that goes on.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
        /// Whether its end is counted.
        fileprivate let counts: Bool
    }

    /// Whoever waits for what goes on at some moment, and for what follows from that.
    package struct Watch: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct Watching {
        var tickets: Set<Ticket>
        var ended = 0
        var continuation: UnsafeContinuation<Void, Never>?
    }

    private struct State {
        var live: Set<Ticket> = []
        var nextNumber: UInt64 = 0
        var watches: [UInt64: Watching] = [:]

        mutating func number() -> UInt64 {
            nextNumber += 1
            return nextNumber
        }
    }

    private let state = Monitor(State())

    package init() {}

    /// Something begins.
    /// - Parameters:
    ///   - cause: What it follows from: who waits for that waits for this as well. To be given before that has ended.
    ///   - counts: Whether it is one of what people ask for, rather than what leads to that.
    package func begin(after cause: Ticket? = nil, counts: Bool = true) -> Ticket {
        state.withLock { state in
            let ticket = Ticket(number: state.number(), counts: counts)
            state.live.insert(ticket)
            if let cause {
                for number in state.watches.keys where state.watches[number]?.tickets.contains(cause) == true {
                    state.watches[number]?.tickets.insert(ticket)
                }
            }
            return ticket
        }
    }

    /// It is over.
    package func end(_ ticket: Ticket) {
        let finished: [UnsafeContinuation<Void, Never>] = state.withLock { state in
            state.live.remove(ticket)
            var finished: [UnsafeContinuation<Void, Never>] = []
            for (number, var watching) in state.watches where watching.tickets.remove(ticket) != nil {
                if ticket.counts { watching.ended += 1 }
                if watching.tickets.isEmpty, let continuation = watching.continuation {
                    finished.append(continuation)
                    watching.continuation = nil
                }
                state.watches[number] = watching
            }
            return finished
        }
        for continuation in finished { continuation.resume() }
    }

    /// Begins to watch what goes on now. Whoever calls this waits with the result, once.
    package func watch() -> Watch {
        state.withLock { state in
            let watch = Watch(number: state.number())
            state.watches[watch.number] = Watching(tickets: state.live)
            return watch
        }
    }

    /// Waits until all of that is over, or for a limited time. Returns how much is over, and how much is not.
    package func wait(
        for watch: Watch,
        atMost limit: Duration,
        _ time: any TimeSource
    ) async -> (ended: Int, left: Int) {
        let alarm = time.makeAlarm { [self] in giveUp(watch) }
        await withUnsafeContinuation { continuation in
            let mustWait = state.withLock { state in
                guard limit > .zero, state.watches[watch.number]?.tickets.isEmpty == false else { return false }
                state.watches[watch.number]?.continuation = continuation
                return true
            }
            if mustWait { alarm.set(to: time.monotonic + limit) } else { continuation.resume() }
        }
        alarm.set(to: nil)
        return result(of: watch)
    }

    /// The same for a thread that may block.
    package func wait(for watch: Watch, atMost limit: Duration) -> (ended: Int, left: Int) {
        _ = state.wait(atMost: limit) { state in
            state.watches[watch.number]?.tickets.isEmpty == false ? nil : true
        }
        return result(of: watch)
    }

    private func result(of watch: Watch) -> (ended: Int, left: Int) {
        let watching = state.withLock { $0.watches.removeValue(forKey: watch.number) }
        return (watching?.ended ?? 0, watching?.tickets.count ?? 0)
    }

    private func giveUp(_ watch: Watch) {
        let continuation = state.withLock { state in
            defer { state.watches[watch.number]?.continuation = nil }
            return state.watches[watch.number]?.continuation
        }
        continuation?.resume()
    }
}
