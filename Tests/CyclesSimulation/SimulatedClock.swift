import Cycles
import CyclesTesting

/// The virtual time of a simulated world: one queue of alarms for all its processes and its server.
///
/// Unchecked Sendable is sound: one thread runs a world.
package final class SimulatedClock: @unchecked Sendable {
    fileprivate final class Entry {
        let deadline: Duration
        let order: Int
        let process: ProcessClock?
        /// Nil once the alarm is off.
        var action: (@Sendable () -> Void)?

        init(_ deadline: Duration, _ order: Int, _ process: ProcessClock?, _ action: @escaping @Sendable () -> Void) {
            self.deadline = deadline
            self.order = order
            self.process = process
            self.action = action
        }

        func precedes(_ other: Entry) -> Bool { (deadline, order) < (other.deadline, other.order) }
    }

    /// The clock of the authority, which shows the same time.
    let ofAuthority = ManualClock()
    private(set) var now = Duration.zero
    /// The time by which the wall clock of the machine is wrong.
    var wallError = Duration.zero
    /// Runs after each alarm.
    var afterAlarm: () -> Void = {}
    private var heap: [Entry] = []
    private var lastOrder = 0

    init() {}

    /// Advances the time and runs the alarms that become due, in the order of their deadlines.
    ///
    /// An alarm's action may itself advance the time, as a slow answer does.
    func advance(by span: Duration) {
        let target = now + max(.zero, span)
        while let entry = heap.first, entry.deadline <= target {
            pop()
            guard let action = entry.action, entry.process?.isStopped != true else { continue }
            if let until = entry.process?.pausedUntil, until > max(now, entry.deadline) {
                push(Entry(until, entry.order, entry.process, action))
                continue
            }
            move(to: entry.deadline)
            entry.action = nil
            action()
            afterAlarm()
        }
        move(to: target)
    }

    /// Runs an action after a delay.
    func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) {
        _ = set(now + delay, nil, action)
    }

    private func move(to time: Duration) {
        guard time > now else { return }
        ofAuthority.advance(by: time - now)
        now = time
    }

    fileprivate func set(
        _ deadline: Duration,
        _ process: ProcessClock?,
        _ action: @escaping @Sendable () -> Void
    ) -> Entry {
        lastOrder += 1
        let entry = Entry(deadline, lastOrder, process, action)
        push(entry)
        return entry
    }

    private func push(_ entry: Entry) {
        heap.append(entry)
        var place = heap.count - 1
        while place > 0, heap[place].precedes(heap[(place - 1) / 2]) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private func pop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var place = 0
        while true {
            var first = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && heap[child].precedes(heap[first]) {
                first = child
            }
            if first == place { return }
            heap.swapAt(place, first)
            place = first
        }
    }
}

/// The time as one process sees it. The alarms of a process that was killed do not go off, and those of a paused process
/// go off when it continues.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class ProcessClock: TimeSource, @unchecked Sendable {
    private let world: SimulatedClock
    var isStopped = false
    var pausedUntil = Duration.zero

    init(_ world: SimulatedClock) { self.world = world }

    var monotonic: Duration { world.now }

    var wallMilliseconds: Int64 { world.ofAuthority.nowMilliseconds + world.wallError.wholeMilliseconds }

    func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm { ProcessAlarm(self, action) }

    private final class ProcessAlarm: Alarm, @unchecked Sendable {
        private let clock: ProcessClock
        private let action: @Sendable () -> Void
        private var entry: SimulatedClock.Entry?

        init(_ clock: ProcessClock, _ action: @escaping @Sendable () -> Void) {
            self.clock = clock
            self.action = action
        }

        deinit { entry?.action = nil }

        func set(to deadline: Duration?) {
            entry?.action = nil
            entry = deadline.map { clock.world.set($0, clock, action) }
        }
    }
}
