/// The system's clocks. Alarms run on one thread, which exists while any alarm is set.
///
/// While the system has no thread for the alarms, other threads run them: callers that block, and the stand-in of the
/// client's ``ThreadShortagePlan``. They try to start a thread about once a second.
package final class SystemTimeSource: TimeSource {
    private static let origin = ContinuousClock.now

    private let alarmClock: AlarmClock

    /// Creates a time source.
    /// - Parameter patience: The time without alarms after which the thread ends.
    package init(threads: ThreadSource = .system, patience: Duration = .seconds(5)) {
        alarmClock = AlarmClock(threads, patience: patience)
    }

    package var monotonic: Duration { SystemTimeSource.now }

    package var wallMilliseconds: Int64 { SystemTime.wall.duration.wholeMilliseconds }

    package func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm {
        SystemAlarm(clock: alarmClock, action: action)
    }

    package func prepare(_ shortage: ThreadShortagePlan) { alarmClock.prepare(shortage) }

    package func help() -> Duration? { alarmClock.help() }

    package var isUnattended: Bool { alarmClock.isUnattended }

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
}

/// The few alarms of a time source.
private final class AlarmClock: Sendable {
    private enum Thread {
        case none
        case starting
        case running
        /// The system had no thread. The next attempt to start one is due at `retryAt`.
        case missing(retryAt: Duration)
    }

    private struct State {
        var alarms: [ObjectIdentifier: (deadline: Duration, action: @Sendable () -> Void)] = [:]
        var thread = Thread.none
        var plan: ThreadShortagePlan?
        /// The time at which a stand-in runs due alarms; nil if none is requested.
        var standInTime: Duration?
        /// Whether the stand-in has accepted ``standInTime``.
        var hasStandIn = false
        var isReported = false
        /// The time until which the thread sleeps; nil while it is awake.
        var wakeTime: Duration?

        var nextDeadline: Duration? { alarms.values.map(\.deadline).min() }

        /// Whether to start a thread now. If so, changes the state to starting.
        mutating func mayStartThread() -> Bool {
            switch thread {
            case .starting, .running: return false
            case .missing(let retryAt) where SystemTimeSource.now < retryAt: return false
            case .missing, .none:
                thread = .starting
                return true
            }
        }
    }

    private static let timeBetweenAttempts = Duration.seconds(1)

    private let state = WaitableLock(State())
    private let threads: ThreadSource
    /// The time without alarms after which the thread ends.
    private let patience: Duration

    init(_ threads: ThreadSource, patience: Duration) {
        self.threads = threads
        self.patience = patience
    }

    func prepare(_ plan: ThreadShortagePlan) { state.withLock { $0.plan = plan } }

    func set(_ alarm: ObjectIdentifier, _ deadline: Duration?, _ action: (@Sendable () -> Void)?) {
        let (startsThread, hasThread) = state.withLock { state, wakes in
            guard let deadline, let action else {
                state.alarms[alarm] = nil
                // Wakes the thread, which must not sleep for a removed alarm: its client may be gone, too.
                wakes = state.alarms.isEmpty && state.wakeTime != nil
                return (false, true)
            }
            state.alarms[alarm] = (deadline, action)
            if let wakeTime = state.wakeTime, deadline < wakeTime {
                wakes = true
                state.wakeTime = nil
            }
            if case .running = state.thread { return (false, true) }
            return (state.mayStartThread(), false)
        }
        if startsThread { startThread() }
        if !hasThread { askForStandIn() }
    }

    /// Starts the thread. Neither waits nor reports, since callers may hold a lock.
    private func startThread() {
        let isStarted = threads.start(attempts: 1) { self.run() }
        state.withLock { state in
            if isStarted {
                state.isReported = false
                if case .starting = state.thread { state.thread = .running }
            } else {
                state.thread = .missing(retryAt: SystemTimeSource.now + AlarmClock.timeBetweenAttempts)
            }
        }
    }

    /// Requests a stand-in for the next alarm, unless the thread runs.
    private func askForStandIn() {
        let request: (plan: ThreadShortagePlan, time: Duration)? = state.withLock { state, _ in
            guard case .missing(let retryAt) = state.thread, let deadline = state.nextDeadline, let plan = state.plan
            else { return nil }
            // The first request is immediate, to report the shortage.
            let time = state.isReported ? min(deadline, retryAt) : SystemTimeSource.now
            if let asked = state.standInTime, asked <= time { return nil }
            state.standInTime = time
            return (plan, time)
        }
        guard let request else { return }
        let isAccepted = request.plan.standIn(max(.zero, request.time - SystemTimeSource.now)) { [weak self] in
            guard let self else { return }
            state.withLock { state in
                state.standInTime = nil
                state.hasStandIn = false
            }
            _ = help()
        }
        state.withLock { state in
            if !isAccepted {
                state.standInTime = nil
                state.hasStandIn = false
            } else if state.standInTime == request.time {
                state.hasStandIn = true
            }
        }
    }

    var isUnattended: Bool {
        state.withLock { state, _ in
            // A thread that is being started may fail to start.
            if case .running = state.thread { return false }
            return !state.hasStandIn && !state.alarms.isEmpty
        }
    }

    func help() -> Duration? {
        let (isMissing, startsThread) = state.withLock { state, _ in
            guard case .missing = state.thread, !state.alarms.isEmpty else { return (false, false) }
            return (true, state.mayStartThread())
        }
        guard isMissing else { return nil }
        if startsThread { startThread() }
        let report: (@Sendable (SystemProblem) -> Void)? = state.withLock { state in
            guard case .missing = state.thread, !state.isReported, let plan = state.plan else { return nil }
            state.isReported = true
            return plan.report
        }
        report?(.noThreadForAlarms)
        for action in dueActions() { action() }
        askForStandIn()
        return state.withLock { state in
            guard case .missing(let retryAt) = state.thread, let deadline = state.nextDeadline else { return nil }
            return max(.zero, min(deadline, retryAt) - SystemTimeSource.now)
        }
    }

    private func run() {
        state.withLock { $0.thread = .running }
        var isIdle = false
        while true {
            let wakeTime: Duration? = state.withLock { state in
                if isIdle, state.alarms.isEmpty {
                    state.thread = .none
                    return nil
                }
                isIdle = state.alarms.isEmpty
                return state.nextDeadline ?? SystemTimeSource.now + patience
            }
            guard let wakeTime else { return }
            let isEarlier: Bool? = state.wait(atMost: wakeTime - SystemTimeSource.now) { state in
                if let next = state.nextDeadline { if next < wakeTime { return true } } else if !isIdle { return true }
                state.wakeTime = wakeTime
                return nil
            }
            state.withLock { $0.wakeTime = nil }
            if isEarlier == nil { for action in dueActions() { action() } }
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

extension SystemProblem {
    fileprivate static let noThreadForAlarms = SystemProblem(
        message: "the system refuses the process another thread; until it has one, leases and retries run on its other "
            + "threads, if there are any; raise the limit on threads (ulimit -u, or pids.max of the cgroup)"
    )
}
