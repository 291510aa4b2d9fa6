import Testing

@testable import Cycles

/// Runs a test on threads of its own, so that its computations do not keep the few threads of tasks from tests that
/// measure time.
struct OwnThreadTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test,
        testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ThreadExecutor.shared) { try await function() }
    }
}

extension Trait where Self == OwnThreadTrait {
    static var ownThread: OwnThreadTrait { OwnThreadTrait() }
}

/// Gives each job a thread.
private final class ThreadExecutor: TaskExecutor {
    static let shared = ThreadExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let thread = SystemThread.start { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        guard let thread else { preconditionFailure("the system has no thread for a test") }
        thread.detach()
    }
}
