import Cycles
import Measurement

/// Holds many guards at once, and measures their memory and CPU time.
///
/// Arguments: base URL, number of guards, seconds in which to create them, seconds to hold them after that. Prints, for
/// each guard, the resident bytes beyond those of its answer once all are created, and again once all were extended;
/// the bytes of an answer; the threads of the process; and the total CPU milliseconds of a guard.
@main
struct HeldGuards {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, let count = Int(arguments[2]), let creation = Int(arguments[3]),
            let holding = Int(arguments[4]), count > 0, creation > 0
        else { fatalError("usage: HeldGuards BASE-URL GUARDS CREATION-SECONDS HOLDING-SECONDS") }
        var configuration = CyclesConfiguration(baseURL: arguments[1], apiKey: "key-of-the-benchmark")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration)
        let request = ReservationCreateRequest(
            action: Action(kind: "llm.completion", name: "summarize-document"),
            estimate: .tokens(1_000)
        )

        // Connections, threads and the allocator's own memory belong to the baseline.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1_000 {
                group.addTask { try await client.reserve(request).commit(.tokens(1)) }
            }
            try await group.waitForAll()
        }
        let answer = try await client.createReservation(request)
        let answerBytes = answer.body.count

        var guards: [GuardBox] = []
        guards.reserveCapacity(count)
        let baseline = measurement_resident_bytes()
        let start = measurement_now()
        let clock = ContinuousClock.now
        for index in 0..<count {
            guards.append(GuardBox(try await client.reserve(request)))
            let due = clock + .seconds(creation) * index / count
            if due > .now { try await Task.sleep(until: due, clock: .continuous) }
        }
        func residentPerGuard() -> Int { (measurement_resident_bytes() - baseline) / count - answerBytes }
        let created = residentPerGuard()
        try await Task.sleep(for: .seconds(holding))
        let held = residentPerGuard()
        let threads = measurement_threads()
        let cpu = (measurement_now().cpu - start.cpu) / 1_000 / Double(count)

        var kept = 0
        for box in guards {
            guard let guarded = box.take() else { continue }
            if case .committed = try await guarded.commit(.tokens(1)).outcome { kept += 1 }
        }
        await client.shutdown()
        guard kept == count else { fatalError("HeldGuards: only \(kept) of \(count) leases lived to be committed") }
        print("\(created) \(held) \(answerBytes) \(threads) \(Double(Int(cpu * 1_000)) / 1_000)")
    }
}
