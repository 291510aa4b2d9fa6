/// What goes on in the background, for those who want to wait for its end.
package final class PendingWork: Sendable {
    /// Names something that goes on.
    package struct Ticket: Hashable, Sendable {
        fileprivate let number: UInt64
        /// Whether its end is counted.
        fileprivate let counts: Bool
        /// Whether an earlier process began it.
        fileprivate let isReplay: Bool
    }

    /// Whoever waits for what goes on at some moment, and for what follows from that.
    package struct Watch: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    private struct Watching {
        var tickets: Set<Ticket>
        let includesReplays: Bool
        var ended = 0
        /// Until when is waited; nil before anybody waits.
        var deadline: Duration?
        /// How many of the tickets may come to something before that.
        var hopeful = 0
        var continuation: UnsafeContinuation<Void, Never>?

        /// Whether waiting is of no use any more.
        var isOver: Bool { deadline == nil ? tickets.isEmpty : hopeful == 0 }
    }

    private struct State {
        var live: Set<Ticket> = []
        /// When what rests goes on.
        var resting: [Ticket: Duration] = [:]
        var nextNumber: UInt64 = 0
        var watches: [UInt64: Watching] = [:]

        mutating func number() -> UInt64 {
            nextNumber += 1
            return nextNumber
        }

        /// Whether a ticket may come to something by then.
        func isHopeful(_ ticket: Ticket, by deadline: Duration) -> Bool {
            resting[ticket].map { $0 <= deadline } ?? true
        }

        /// Changes the watches that a ticket is in. Returns those who need not wait any more.
        mutating func changeWatches(
            with ticket: Ticket,
            _ change: (inout Watching) -> Void
        ) -> [UnsafeContinuation<Void, Never>] {
            var over: [UnsafeContinuation<Void, Never>] = []
            for (number, var watching) in watches where watching.tickets.contains(ticket) {
                change(&watching)
                if watching.isOver, let continuation = watching.continuation {
                    over.append(continuation)
                    watching.continuation = nil
                }
                watches[number] = watching
            }
            return over
        }
    }

    private let state = WaitableLock(State())

    package init() {}

    /// Something begins.
    /// - Parameters:
    ///   - cause: What it follows from: who waits for that waits for this as well. To be given before that has ended.
    ///   - counts: Whether it is one of what people ask for, rather than what leads to that.
    ///   - isReplay: Whether an earlier process began it.
    package func begin(after cause: Ticket? = nil, counts: Bool = true, isReplay: Bool = false) -> Ticket {
        state.withLock { state in
            let ticket = Ticket(number: state.number(), counts: counts, isReplay: isReplay)
            state.live.insert(ticket)
            if let cause {
                _ = state.changeWatches(with: cause) { watching in
                    guard watching.includesReplays || !isReplay else { return }
                    watching.tickets.insert(ticket)
                    watching.hopeful += 1
                }
            }
            return ticket
        }
    }

    /// It is over.
    package func end(_ ticket: Ticket) {
        let over = state.withLock { state in
            state.live.remove(ticket)
            let rest = state.resting.removeValue(forKey: ticket)
            return state.changeWatches(with: ticket) { watching in
                watching.tickets.remove(ticket)
                if ticket.counts { watching.ended += 1 }
                if let deadline = watching.deadline, rest.map({ $0 <= deadline }) ?? true { watching.hopeful -= 1 }
            }
        }
        for continuation in over { continuation.resume() }
    }

    /// It rests until some time by the clock, nil if it goes on: who does not wait for that long need not wait at all.
    package func rest(_ ticket: Ticket, until time: Duration?) {
        let over: [UnsafeContinuation<Void, Never>] = state.withLock { state in
            guard state.live.contains(ticket) else { return [] }
            let before = state.resting[ticket]
            state.resting[ticket] = time
            return state.changeWatches(with: ticket) { watching in
                guard let deadline = watching.deadline else { return }
                let (wasHopeful, isHopeful) = (
                    before.map { $0 <= deadline } ?? true, time.map { $0 <= deadline } ?? true
                )
                if wasHopeful != isHopeful { watching.hopeful += isHopeful ? 1 : -1 }
            }
        }
        for continuation in over { continuation.resume() }
    }

    /// Begins to watch the work that goes on now. Whoever calls this waits with the result, once.
    /// - Parameter includesReplays: Whether work is watched that an earlier process began.
    package func watch(includesReplays: Bool = true) -> Watch {
        state.withLock { state in
            let watch = Watch(number: state.number())
            let tickets = includesReplays ? state.live : state.live.filter { !$0.isReplay }
            state.watches[watch.number] = Watching(tickets: tickets, includesReplays: includesReplays)
            return watch
        }
    }

    /// Waits until all of that is over or rests for longer, or for a limited time. Returns how much is over, and how much is
    /// not.
    package func wait(
        for watch: Watch,
        atMost limit: Duration,
        _ time: any TimeSource
    ) async -> (ended: Int, left: Int) {
        let alarm = time.makeAlarm { [self] in giveUp(watch) }
        let deadline = time.monotonic + limit
        let isOver = state.withLock { PendingWork.start(&$0, watch, deadline) }
        if !isOver, limit > .zero { alarm.set(to: deadline) }
        while time.isUnattended, time.monotonic < deadline, !state.withLock({ PendingWork.start(&$0, watch, deadline) })
        {
            _ = time.help()
            await SystemThread.pauseTask(until: .now + .milliseconds(10))
        }
        await withUnsafeContinuation { continuation in
            let mustWait = state.withLock { state in
                guard time.monotonic < deadline, !PendingWork.start(&state, watch, deadline) else { return false }
                state.watches[watch.number]?.continuation = continuation
                return true
            }
            // Set anew: the alarm may have gone off before there was anybody to wake.
            if mustWait { alarm.set(to: deadline) } else { continuation.resume() }
        }
        alarm.set(to: nil)
        return result(of: watch)
    }

    /// The same for a thread that may block.
    package func wait(for watch: Watch, atMost limit: Duration, _ time: any TimeSource) -> (ended: Int, left: Int) {
        let deadline = time.monotonic + limit
        let isOver = state.withLock { PendingWork.start(&$0, watch, deadline) }
        if !isOver {
            _ = state.wait(helping: time, atMost: limit) { state in
                state.watches[watch.number]?.isOver == false ? nil : true
            }
        }
        return result(of: watch)
    }

    /// Whether there is nothing to wait for.
    private static func start(_ state: inout State, _ watch: Watch, _ deadline: Duration) -> Bool {
        guard var watching = state.watches[watch.number] else { return true }
        watching.deadline = deadline
        watching.hopeful = watching.tickets.count { state.isHopeful($0, by: deadline) }
        state.watches[watch.number] = watching
        return watching.isOver
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
