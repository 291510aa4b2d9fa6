import Cycles
import Measurement

/// Guarded lifecycles, reserve and commit, by a number of tasks at once: with a journal or without.
///
/// Arguments: base URL, concurrency, lifecycles to measure, lifecycles to warm up with, the journal's directory or `-`.
@main
struct GuardLoop {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 6, let concurrency = Int(arguments[2]), let lifecycles = Int(arguments[3]),
            let warmUp = Int(arguments[4]), concurrency > 0, lifecycles > 0
        else { fatalError("usage: GuardLoop BASE-URL CONCURRENCY LIFECYCLES WARM-UP JOURNAL-DIRECTORY|-") }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "key-of-the-benchmark")
        configuration.tenant = "acme"
        configuration.journal = arguments[5] == "-" ? .disabled : .directory(arguments[5])
        let client = try CyclesClient(configuration: configuration)
        try await run(client, concurrency: concurrency, lifecycles: warmUp)
        let start = measurement_now()
        try await run(client, concurrency: concurrency, lifecycles: lifecycles)
        measurement_report(start, lifecycles)
        await client.shutdown()
    }

    static func run(_ client: CyclesClient, concurrency: Int, lifecycles: Int) async throws {
        let request = ReservationCreateRequest(
            subject: Subject(tenant: "acme"),
            action: Action(kind: "llm.completion", name: "summarize-document"),
            estimate: .tokens(1_000)
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<concurrency {
                group.addTask {
                    for _ in stride(from: lane, to: lifecycles, by: concurrency) {
                        try await client.reserve(request).commit(.tokens(420))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
