/// The clocks by which a client waits and stamps, so that tests can make time pass.
package protocol TimeSource: Sendable {
    /// The time since a fixed moment in the past; never goes back.
    var monotonic: Duration { get }

    /// The time on the wall, in milliseconds since 1970.
    var wallMilliseconds: Int64 { get }

    /// An alarm that is not set yet. Its action runs on a thread of the clock's, and must return soon.
    func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm

    /// Says what to do while the system has no thread for the alarms.
    func prepare(_ shortage: ThreadShortagePlan)

    /// Runs the alarms that are due on the caller's thread, if the clock has no thread for them. Returns how long from now
    /// to call again; nil if there is no need to. Not to be called under a lock that an alarm's action takes.
    func help() -> Duration?

    /// Whether alarms are set that nobody runs unless callers help.
    var isUnattended: Bool { get }
}

extension TimeSource {
    package var isUnattended: Bool { false }
    package func prepare(_ shortage: ThreadShortagePlan) {}
    package func help() -> Duration? { nil }
}

/// The actions of a clock while the system has no thread for its alarms.
package struct ThreadShortagePlan: Sendable {
    /// Tells somebody, once for each shortage.
    let report: @Sendable (SystemProblem) -> Void
    /// Runs something after a while, on a thread that is there for other reasons. Returns at once; false if there is
    /// no such thread.
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
    /// As ``wait(_:)``; meanwhile the thread runs the alarms of a clock for which the system has no thread.
    package func wait<Result>(helping time: any TimeSource, _ body: (inout State) -> Result?) -> Result {
        while true {
            if let result = wait(helping: time, atMost: .seconds(3_600), body) { return result }
        }
    }

    /// The same, for a limited time: nil once it is over.
    package func wait<Result>(
        helping time: any TimeSource,
        atMost limit: Duration,
        _ body: (inout State) -> Result?
    ) -> Result? {
        let deadline = ContinuousClock.now + limit
        while true {
            // An alarm that another thread sets meanwhile is found within a second.
            let span = min(time.help() ?? .seconds(1), .seconds(1), ContinuousClock.now.duration(to: deadline))
            if let result = wait(atMost: span, body) { return result }
            if ContinuousClock.now >= deadline { return nil }
        }
    }
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
    /// Waits on this thread, which must be one that may block.
    package func block(for span: Duration) {
        var alarm: (any Alarm)?
        blocking(helping: self) { done in
            alarm = makeAlarm { done(()) }
            alarm?.set(to: monotonic + span)
        }
        withExtendedLifetime(alarm) {}
    }
}

/// Runs one action once: as soon as the action is there and somebody has asked for it.
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
