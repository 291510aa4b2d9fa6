/// Runs the tasks of a world on the world's thread, in the order in which they become ready.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class WorldExecutor: TaskExecutor, @unchecked Sendable {
    private var ready: [UnownedJob] = []
    private var isRunning = false

    func enqueue(_ job: consuming ExecutorJob) { ready.append(UnownedJob(job)) }

    /// Runs the tasks until all of them wait.
    func runAll() {
        // A job that is running lets the others follow.
        guard !isRunning else { return }
        isRunning = true
        defer { isRunning = false }
        var next = 0
        while next < ready.count {
            ready[next].runSynchronously(on: asUnownedTaskExecutor())
            next += 1
        }
        ready.removeAll(keepingCapacity: true)
    }

    /// Begins a task.
    @discardableResult
    func begin(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: self) { await body() }
    }
}
