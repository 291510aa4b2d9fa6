package import Cycles

/// A clock that moves only when it is advanced.
///
/// A manual clock replaces both clocks of a client: the monotonic clock, which measures durations, and the wall clock,
/// which provides timestamps. Work that becomes due runs on the thread that advances the clock, in the order of
/// deadlines, before ``advance(by:)`` returns. While the work runs, the clock shows its deadline.
public final class ManualClock: Sendable {
    private struct State {
        var now = Duration.zero
        var alarms: [ObjectIdentifier: PendingAlarm] = [:]
        var count = 0
    }

    private struct PendingAlarm {
        let deadline: Duration
        /// Alarms with the same deadline go off in the order in which they were set.
        let order: Int
        let action: @Sendable () -> Void
    }

    private let state = Lock(State())
    private let startMilliseconds: Int64

    /// Creates a clock whose wall time begins at a time in milliseconds since 1970.
    public init(startingAtMilliseconds startMilliseconds: Int64 = 1_767_225_600_000) {
        self.startMilliseconds = startMilliseconds
    }

    /// The total time by which the clock has been advanced.
    public var now: Duration { state.withLock { $0.now } }

    /// The wall time, in milliseconds since 1970.
    public var nowMilliseconds: Int64 { startMilliseconds + now.wholeMilliseconds }

    /// Advances both clocks. A negative span is ignored.
    ///
    /// Work that is already due runs first, even if the span is zero. The work may itself advance the clock, as a
    /// delayed answer of ``FaultyTransport`` does.
    public func advance(by span: Duration) {
        guard span >= .zero else { return }
        let target = now + span
        while let action = nextAction(until: target) { action() }
        state.withLock { $0.now = max($0.now, target) }
    }

    private func nextAction(until target: Duration) -> (@Sendable () -> Void)? {
        state.withLock { state in
            let due = state.alarms.filter { $0.value.deadline <= target }
            let next = due.min { ($0.value.deadline, $0.value.order) < ($1.value.deadline, $1.value.order) }
            guard let next else { return nil }
            state.alarms[next.key] = nil
            state.now = max(state.now, next.value.deadline)
            return next.value.action
        }
    }

    /// Sets an alarm, or cancels it if the deadline is nil.
    fileprivate func set(_ alarm: ObjectIdentifier, _ deadline: Duration?, _ action: @escaping @Sendable () -> Void) {
        state.withLock { state in
            state.count += 1
            state.alarms[alarm] = deadline.map { PendingAlarm(deadline: $0, order: state.count, action: action) }
        }
    }
}

extension ManualClock: TimeSource {
    package var monotonic: Duration { now }

    package var wallMilliseconds: Int64 { nowMilliseconds }

    package func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm {
        ManualAlarm(clock: self, action: action)
    }

    private final class ManualAlarm: Alarm {
        private let clock: ManualClock
        private let action: @Sendable () -> Void

        init(clock: ManualClock, action: @escaping @Sendable () -> Void) {
            self.clock = clock
            self.action = action
        }

        deinit { clock.set(ObjectIdentifier(self), nil, action) }

        func set(to deadline: Duration?) { clock.set(ObjectIdentifier(self), deadline, action) }
    }
}
