public import Cycles
import Dispatch
import Synchronization

/// The requests of a lifecycle, the same for each program, and the ways to run many at once.
public enum SwiftLifecycles {
    /// Each call makes the values anew, as a program does that has something else to ask for each time.
    public static var request: ReservationCreateRequest {
        ReservationCreateRequest(
            subject: Subject(tenant: "acme", workspace: "prod", agent: "summarizer"),
            action: Action(kind: "llm.completion", name: "summarize-document"),
            estimate: .usdMicrocents(500_000)
        )
    }

    /// The amount that is committed.
    public static let actual = Amount.usdMicrocents(423_000)

    /// The metrics that are committed.
    public static var metrics: CyclesMetrics {
        CyclesMetrics(
            tokensInput: 1_500,
            tokensOutput: 800,
            latency: .milliseconds(2_340),
            modelVersion: "claude-sonnet-4-20250514"
        )
    }

    /// Runs lifecycles from a number of tasks, each of which takes the next one until there is none left.
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

    /// The same from threads that block.
    public static func runBlocking(
        concurrency: Int,
        lifecycles: Int,
        _ lifecycle: @escaping @Sendable () throws -> Void
    ) {
        let counter = Counter()
        let group = DispatchGroup()
        for number in 0..<concurrency {
            // A queue of its own is a thread of its own while it blocks.
            DispatchQueue(label: "lifecycles \(number)").async(group: group) {
                while counter.next() < lifecycles { try! lifecycle() }
            }
        }
        group.wait()
    }

    /// Runs asynchronous work to its end from a program whose `main` is not asynchronous: the way in which an asynchronous
    /// `main` parks the main thread crashes older versions of valgrind.
    /// - Parameter executor: Runs the work and the tasks that it starts, if there is one.
    public static func wait(
        _ executor: (any TaskExecutor)? = nil,
        for work: @escaping @Sendable () async throws -> Void
    ) {
        let done = DispatchSemaphore(value: 0)
        // Detached, since `main` belongs to the main actor, and that is waiting.
        Task.detached(executorPreference: executor) {
            try! await work()
            done.signal()
        }
        done.wait()
    }

    /// Counts the lifecycles that were begun, by all tasks together.
    private final class Counter: Sendable {
        private let begun = Atomic(0)

        func next() -> Int { begun.add(1, ordering: .relaxed).oldValue }
    }
}
