import Cycles

/// Runs the tasks of the tool on the process's first thread.
///
/// The threads of the concurrency runtime are waited for without end, and deaf to signals, where the system has none to
/// give. With this executor the tool needs none of them.
final class FirstThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var sleepers: [(deadline: ContinuousClock.Instant, continuation: UnsafeContinuation<Void, Never>)] = []

        mutating func takeDueSleepers() -> [UnsafeContinuation<Void, Never>] {
            let now = ContinuousClock.now
            defer { sleepers.removeAll { $0.deadline <= now } }
            return sleepers.filter { $0.deadline <= now }.map(\.continuation)
        }
    }

    static let executor = FirstThread()

    private let state = Monitor(State())

    /// Performs `body` as a task on this thread, which is to be the first one and does nothing else from now on.
    static func run(_ body: @escaping @Sendable () async -> Void) -> Never {
        _ = Task(executorPreference: executor) { await body() }
        executor.runJobs()
    }

    /// Waits, without a thread for that. Cancellation makes no difference.
    static func pause(_ span: Duration) async {
        await withUnsafeContinuation { continuation in
            executor.state.withLock { $0.sleepers.append((.now + span, continuation)) }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
    }

    private func runJobs() -> Never {
        while true {
            for continuation in state.withLock({ $0.takeDueSleepers() }) { continuation.resume() }
            let next = state.withLock { $0.sleepers.map(\.deadline).min() }
            let span = next.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(3_600)
            let jobs = state.wait(atMost: max(.zero, span)) { state -> [UnownedJob]? in
                guard !state.jobs.isEmpty else { return nil }
                defer { state.jobs = [] }
                return state.jobs
            }
            for job in jobs ?? [] { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }
}
