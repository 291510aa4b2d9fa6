import Dispatch

/// Runs the tasks of the tool on the first thread of the process.
///
/// If the system is out of threads, tasks wait forever for a thread of the concurrency runtime. With this executor, the
/// tool needs no such thread.
final class FirstThread: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var sleepers: [(deadline: ContinuousClock.Instant, continuation: UnsafeContinuation<Void, Never>)] = []

        mutating func takeJobs() -> [UnownedJob] {
            defer { jobs = [] }
            return jobs
        }

        mutating func takeDueSleepers() -> [UnsafeContinuation<Void, Never>] {
            let now = ContinuousClock.now
            defer { sleepers.removeAll { $0.deadline <= now } }
            return sleepers.filter { $0.deadline <= now }.map(\.continuation)
        }
    }

    static let executor = FirstThread()

    private let state = Lock(State())
    /// Counts the enqueued jobs, so that the thread sleeps only while there are none.
    private let arrivals = DispatchSemaphore(value: 0)

    /// Performs `body` as a task on this thread, which must be the first thread. Never returns.
    static func run(_ body: @escaping @Sendable () async -> Void) -> Never {
        _ = Task(executorPreference: executor) { await body() }
        executor.runJobs()
    }

    /// Waits for a duration without an additional thread. Ignores cancellation.
    static func pause(_ span: Duration) async {
        await withUnsafeContinuation { continuation in
            executor.state.withLock { $0.sleepers.append((.now + span, continuation)) }
            // Wakes the thread, which may sleep longer.
            executor.arrivals.signal()
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
        arrivals.signal()
    }

    private func runJobs() -> Never {
        while true {
            for continuation in state.withLock({ $0.takeDueSleepers() }) { continuation.resume() }
            let next = state.withLock { $0.sleepers.map(\.deadline).min() }
            let span = next.map { ContinuousClock.now.duration(to: $0) } ?? .seconds(3_600)
            _ = arrivals.wait(timeout: .now() + .nanoseconds(Int(max(0, span / .nanoseconds(1)))))
            for job in state.withLock({ $0.takeJobs() }) { job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }
}
