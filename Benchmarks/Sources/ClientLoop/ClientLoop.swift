import Cycles
import Dispatch
import Measurement
import Synchronization

/// How many lifecycles were begun, by all tasks together.
final class Counter: Sendable {
    private let begun = Atomic(0)

    func next() -> Int { begun.add(1, ordering: .relaxed).oldValue }
}

/// Lifecycles through the client's public interface: each of a number of tasks reserves and commits, again and again.
///
/// Arguments: base URL, concurrency, lifecycles to measure, lifecycles to warm up with.
@main
struct ClientLoop {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let concurrency = Int(arguments[2]), let lifecycles = Int(arguments[3]),
            let warmUp = Int(arguments[4]), concurrency > 0, lifecycles > 0
        else { fatalError("usage: ClientLoop BASE-URL CONCURRENCY LIFECYCLES WARM-UP") }
        // Not an asynchronous main: the way in which that parks the main thread crashes older versions of valgrind.
        let done = DispatchSemaphore(value: 0)
        // Detached, since `main` belongs to the main actor, and that is waiting.
        Task.detached {
            try! await measure(arguments[1], concurrency: concurrency, lifecycles: lifecycles, warmUp: warmUp)
            done.signal()
        }
        done.wait()
    }

    static func measure(_ baseURL: String, concurrency: Int, lifecycles: Int, warmUp: Int) async throws {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: "cyc_live_0123456789abcdef")
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration)

        try await run(client, concurrency: concurrency, lifecycles: warmUp)
        let start = measurement_now()
        try await run(client, concurrency: concurrency, lifecycles: lifecycles)
        measurement_report(start, lifecycles)
        await client.shutdown()
    }

    static func run(_ client: CyclesClient, concurrency: Int, lifecycles: Int) async throws {
        let counter = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask {
                    while counter.next() < lifecycles { try await lifecycle(client) }
                }
            }
            try await group.waitForAll()
        }
    }

    static func lifecycle(_ client: CyclesClient) async throws {
        let reservation = try await client.createReservation(
            ReservationCreateRequest(
                subject: Subject(tenant: "acme", workspace: "prod", agent: "summarizer"),
                action: Action(kind: "llm.completion", name: "summarize-document"),
                estimate: .usdMicrocents(500_000)
            )
        )
        guard reservation.decision.isAllowed, let id = reservation.reservationID else {
            fatalError("ClientLoop: the responder did not allow a reservation")
        }
        let settlement = try await client.commitReservation(
            id,
            CommitRequest(
                actual: .usdMicrocents(423_000),
                metrics: CyclesMetrics(
                    tokensInput: 1_500,
                    tokensOutput: 800,
                    latency: .milliseconds(2_340),
                    modelVersion: "claude-sonnet-4-20250514"
                )
            )
        )
        guard settlement.charged == .usdMicrocents(423_000) else {
            fatalError("ClientLoop: the responder charged something else")
        }
    }
}
