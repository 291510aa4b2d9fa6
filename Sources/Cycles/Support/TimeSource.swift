/// The clocks of a client. Tests replace them to control time.
package protocol TimeSource: Sendable {
    /// The time since a fixed moment in the past. Never decreases.
    var monotonic: Duration { get }

    /// The time of the wall clock, in milliseconds since 1970.
    var wallMilliseconds: Int64 { get }

    /// Creates an alarm that is not set. Its action runs on a thread of the clock, and must return soon.
    func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm

    /// Sets the actions for a time in which the system has no thread for the alarms.
    func prepare(_ shortage: ThreadShortagePlan)

    /// Runs due alarms on the caller's thread, if the clock has no thread for them. Must not be called under a lock
    /// that an alarm's action takes.
    /// - Returns: The time after which to call again; nil if no further call is needed.
    func help() -> Duration?

    /// Whether alarms are set that no thread runs unless callers help.
    var isUnattended: Bool { get }
}

extension TimeSource {
    package var isUnattended: Bool { false }
    package func prepare(_ shortage: ThreadShortagePlan) {}
    package func help() -> Duration? { nil }
}

/// The actions of a clock while the system has no thread for its alarms.
package struct ThreadShortagePlan: Sendable {
    /// Reports the shortage, once for each.
    let report: @Sendable (SystemProblem) -> Void
    /// Runs work after a delay on a thread that exists for other reasons. Returns at once; returns false if there is no
    /// such thread.
    let standIn: @Sendable (_ delay: Duration, _ work: @escaping @Sendable () -> Void) -> Bool

    package init(
        report: @escaping @Sendable (SystemProblem) -> Void,
        standIn: @escaping @Sendable (_ delay: Duration, _ work: @escaping @Sendable () -> Void) -> Bool
    ) {
        self.report = report
        self.standIn = standIn
    }
}

extension WaitableLock {
    /// Waits like ``wait(_:)``, and runs the clock's alarms if the system has no thread for them.
    package func wait<Result>(helping time: any TimeSource, _ body: (inout State) -> Result?) -> Result {
        while true {
            if let result = wait(helping: time, atMost: .seconds(3_600), body) { return result }
        }
    }

    /// Waits like ``wait(helping:_:)``, for a limited time; returns nil after that time.
    package func wait<Result>(
        helping time: any TimeSource,
        atMost limit: Duration,
        _ body: (inout State) -> Result?
    ) -> Result? {
        let deadline = ContinuousClock.now + limit
        while true {
            // Waits at most a second, to find alarms that other threads set in the meantime.
            let span = min(time.help() ?? .seconds(1), .seconds(1), ContinuousClock.now.duration(to: deadline))
            if let result = wait(atMost: span, body) { return result }
            if ContinuousClock.now >= deadline { return nil }
        }
    }
}

/// Runs an action once at each time that the alarm is set to. Releasing the alarm turns it off.
package protocol Alarm: AnyObject, Sendable {
    /// Sets the alarm to a monotonic time, replacing the previous time; nil turns the alarm off. An alarm set to a time
    /// in the past runs as soon as the clock moves.
    func set(to deadline: Duration?)
}

extension TimeSource {
    /// Suspends the task for a time span. Throws early when the task is cancelled.
    package func sleep(for span: Duration) async throws(CancellationError) {
        let wake = Once()
        let alarm = makeAlarm { wake.run() }
        await withTaskCancellationHandler {
            await awaiting { done in
                wake.prepare { done(()) }
                alarm.set(to: monotonic + span)
            }
        } onCancel: {
            wake.run()
        }
        alarm.set(to: nil)
        if Task.isCancelled { throw CancellationError() }
    }
}

extension TimeSource {
    /// Blocks the thread for a time span. The thread must be allowed to block.
    package func block(for span: Duration) {
        var alarm: (any Alarm)?
        blocking(helping: self) { done in
            alarm = makeAlarm { done(()) }
            alarm?.set(to: monotonic + span)
        }
        withExtendedLifetime(alarm) {}
    }
}

/// Runs one action once, as soon as it has been both prepared and requested.
private final class Once: Sendable {
    private enum State {
        case empty
        case prepared(@Sendable () -> Void)
        case requested
    }

    private let state = Lock(State.empty)

    func prepare(_ action: @escaping @Sendable () -> Void) {
        let isRequested = state.withLock { state in
            if case .requested = state { return true }
            state = .prepared(action)
            return false
        }
        if isRequested { action() }
    }

    func run() {
        let old = state.withLock { state in
            defer { state = .requested }
            return state
        }
        if case .prepared(let action) = old { action() }
    }
}
