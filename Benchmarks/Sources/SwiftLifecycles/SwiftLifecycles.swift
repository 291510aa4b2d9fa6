public import Cycles
import Dispatch
import Synchronization

/// The requests of a lifecycle, shared by all programs, and functions that run many lifecycles at once.
public enum SwiftLifecycles {
    /// A request with new values at each access, as in a program with varying requests.
    public static var request: ReservationCreateRequest {
        ReservationCreateRequest(
            subject: Subject(tenant: "acme", workspace: "prod", agent: "summarizer"),
            action: Action(kind: "llm.completion", name: "summarize-document"),
            estimate: .usdMicrocents(500_000)
        )
    }

    /// The amount to commit.
    public static let actual = Amount.usdMicrocents(423_000)

    /// The metrics to commit.
    public static var metrics: CyclesMetrics {
        CyclesMetrics(
            tokensInput: 1_500,
            tokensOutput: 800,
            latency: .milliseconds(2_340),
            modelVersion: "claude-sonnet-4-20250514"
        )
    }

    /// Runs lifecycles from a number of tasks. Each task takes the next lifecycle until none remains.
    public static func run(
        concurrency: Int,
        lifecycles: Int,
        _ lifecycle: @escaping @Sendable () async throws -> Void
    ) async throws {
        let counter = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask {
                    while counter.next() < lifecycles { try await lifecycle() }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Runs lifecycles from a number of blocking threads.
    public static func runBlocking(
        concurrency: Int,
        lifecycles: Int,
        _ lifecycle: @escaping @Sendable () throws -> Void
    ) {
        let counter = Counter()
        let group = DispatchGroup()
        for number in 0..<concurrency {
            // Each blocked queue has its own thread.
            DispatchQueue(label: "lifecycles \(number)").async(group: group) {
                while counter.next() < lifecycles { try! lifecycle() }
            }
        }
        group.wait()
    }

    /// Runs asynchronous work to completion in a program without an asynchronous `main`, which crashes older versions
    /// of valgrind.
    /// - Parameter executor: The executor of the work and of its tasks; nil for the default.
    public static func wait(
        _ executor: (any TaskExecutor)? = nil,
        for work: @escaping @Sendable () async throws -> Void
    ) {
        let done = DispatchSemaphore(value: 0)
        // The task is detached, because `main` waits on the main actor.
        Task.detached(executorPreference: executor) {
            try! await work()
            done.signal()
        }
        done.wait()
    }

    /// Counts the lifecycles that all tasks have begun.
    private final class Counter: Sendable {
        private let begun = Atomic(0)

        func next() -> Int { begun.add(1, ordering: .relaxed).oldValue }
    }
}
