/// The clocks by which a client waits and stamps, so that tests can make time pass.
package protocol TimeSource: Sendable {
    /// How much time has passed since some moment in the past; never goes back.
    var monotonic: Duration { get }

    /// The time on the wall, in milliseconds since 1970.
    var wallMilliseconds: Int64 { get }

    /// An alarm that is not set yet. Its action runs on a thread of the clock's, and must return soon.
    func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm
}

/// Goes off once at each time that it is set to. Letting go of it turns it off.
package protocol Alarm: AnyObject, Sendable {
    /// Sets the alarm to a monotonic time, instead of the one before; nil turns it off. At a time that has passed
    /// already it goes off as soon as the clock moves.
    func set(to deadline: Duration?)
}

extension TimeSource {
    /// Waits. Ends early, throwing, when the task is cancelled.
    package func sleep(for span: Duration) async throws(CancellationError) {
        let sleeper = Sleeper()
        let alarm = makeAlarm { sleeper.wake(isCancelled: false) }
        let isCancelled = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if sleeper.begin(continuation) { alarm.set(to: monotonic + span) }
            }
        } onCancel: {
            sleeper.wake(isCancelled: true)
        }
        alarm.set(to: nil)
        if isCancelled { throw CancellationError() }
    }
}

extension TimeSource {
    /// Waits on this thread, which must be one that may block.
    package func block(for span: Duration) {
        let isOver = Monitor(false)
        let alarm = makeAlarm { isOver.withLock { $0 = true } }
        alarm.set(to: monotonic + span)
        isOver.wait { $0 ? () : nil }
    }
}

/// A task that waits for an alarm or its own cancellation, whichever comes first.
private final class Sleeper: Sendable {
    private enum State {
        case awake
        case asleep(UnsafeContinuation<Bool, Never>)
        case woken
    }

    private let state = Monitor(State.awake)

    /// Whether there is anything to wait for.
    func begin(_ continuation: UnsafeContinuation<Bool, Never>) -> Bool {
        let isAsleep = state.withLock { state in
            if case .woken = state { return false }
            state = .asleep(continuation)
            return true
        }
        if !isAsleep { continuation.resume(returning: true) }
        return isAsleep
    }

    func wake(isCancelled: Bool) {
        let continuation: UnsafeContinuation<Bool, Never>? = state.withLock { state in
            defer { state = .woken }
            if case .asleep(let continuation) = state { return continuation }
            return nil
        }
        continuation?.resume(returning: isCancelled)
    }
}

/// The system's clocks. Alarms go off on one thread, which exists while any is set.
package final class SystemTimeSource: TimeSource {
    private static let origin = ContinuousClock.now

    private let alarmClock = AlarmClock()

    package init() {}

    package var monotonic: Duration { SystemTimeSource.origin.duration(to: .now) }

    package var wallMilliseconds: Int64 { SystemTime.wall.duration.wholeMilliseconds }

    package func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm {
        SystemAlarm(clock: alarmClock, action: action)
    }

    fileprivate static var now: Duration { origin.duration(to: .now) }

    private final class SystemAlarm: Alarm {
        private let clock: AlarmClock
        private let action: @Sendable () -> Void

        init(clock: AlarmClock, action: @escaping @Sendable () -> Void) {
            self.clock = clock
            self.action = action
        }

        deinit { clock.set(ObjectIdentifier(self), nil, nil) }

        func set(to deadline: Duration?) { clock.set(ObjectIdentifier(self), deadline, action) }
    }

    /// All alarms of a time source, of which there are a few.
    private final class AlarmClock: Sendable {
        private struct State {
            var alarms: [ObjectIdentifier: (deadline: Duration, action: @Sendable () -> Void)] = [:]
            var hasThread = false
        }

        /// How long the thread stays without anything to wait for.
        private static let patience = Duration.seconds(5)

        private let state = Monitor(State())

        func set(_ alarm: ObjectIdentifier, _ deadline: Duration?, _ action: (@Sendable () -> Void)?) {
            let needsThread = state.withLock { state in
                guard let deadline, let action else {
                    state.alarms[alarm] = nil
                    return false
                }
                state.alarms[alarm] = (deadline, action)
                defer { state.hasThread = true }
                return !state.hasThread
            }
            guard needsThread else { return }
            guard let thread = SystemThread.start({ self.run() }) else {
                state.withLock { $0.hasThread = false }
                return
            }
            thread.detach()
        }

        private func run() {
            while true {
                // Each change wakes the thread, which then looks for the earliest alarm anew.
                let next = state.withLock { $0.alarms.values.map(\.deadline).min() }
                let wait = next.map { $0 - SystemTimeSource.now } ?? AlarmClock.patience
                if wait > .zero {
                    let hasChanged = state.wait(atMost: wait) { state in
                        state.alarms.values.map(\.deadline).min() == next ? nil : true
                    }
                    if hasChanged != nil { continue }
                }
                if next == nil {
                    let isOver = state.withLock { state in
                        guard state.alarms.isEmpty else { return false }
                        state.hasThread = false
                        return true
                    }
                    if isOver { return }
                }
                for action in dueActions() { action() }
            }
        }

        private func dueActions() -> [@Sendable () -> Void] {
            state.withLock { state in
                let now = SystemTimeSource.now
                let due = state.alarms.filter { $0.value.deadline <= now }
                for alarm in due.keys { state.alarms[alarm] = nil }
                return due.values.sorted { $0.deadline < $1.deadline }.map(\.action)
            }
        }
    }
}
