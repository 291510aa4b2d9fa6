import Cycles

/// An agent that works through its arguments, each under a budget of its own. Configured by the environment:
/// `CYCLES_BASE_URL`, `CYCLES_API_KEY`, `CYCLES_TENANT`.
@main struct Agent {
    static func main() async throws {
        let client = try CyclesClient(configuration: .fromEnvironment())
        for task in CommandLine.arguments.dropFirst() {
            let options = CyclesOptions(
                estimate: .tokens(100),
                action: Action(kind: "tool.text", name: "reverse"),
                subject: Subject(agent: "static-agent")
            )
            do {
                let result = try await client.withCycles(options) { _ in
                    // The work of the agent, and its cost.
                    (String(task.reversed()), Amount.tokens(task.utf8.count))
                }
                print(result)
            } catch CyclesError.denied(let denial) {
                print("\(task): \(denial)")
            } catch {
                print("\(task): \(error)")
            }
        }
        // Waits until every settlement has finished or is on disk.
        await client.shutdown()
    }
}
