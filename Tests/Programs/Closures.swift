// The forms of the closures around guarded work, and what each of them charges.

import Cycles
import CyclesTesting

struct NoCost: Error {}

@main
struct Closures {
    static let options = CyclesOptions(estimate: .tokens(1_000), action: Action(kind: "llm.completion", name: "model"))

    static func main() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: authority)
        try await tasks(client)
        await client.shutdown()
        let blocking = try BlockingCyclesClient(configuration: configuration, transport: authority)
        try threads(blocking)
        blocking.shutdown()
    }

    static func complete() async throws -> (text: String, total: Int) { ("text", 7) }

    static func tasks(_ client: CyclesClient) async throws {
        // The body returns a value and its cost.
        let (text, result) = try await client.withCyclesOutcome(options) { context in
            let reply = try await complete()
            if reply.total == 0 { return ("nothing", .tokens(0)) }
            return (reply.text, .tokens(reply.total))
        }
        try show(text, result)
        // The cost is part of the value.
        let (length, second) = try await client.withCyclesOutcome(options, actual: { .tokens($0) }) { _ in 5 }
        try show(length, second)
        // The body records its spend, and returns a value or nothing.
        let (word, third) = try await client.withCyclesOutcome(options) { context in
            let reply = try await complete()
            context.addSpend(.tokens(reply.total))
            return reply.text
        }
        try show(word, third)
        let (_, fourth) = try await client.withCyclesOutcome(options) { context in context.setSpend(.tokens(0)) }
        try show("nothing", fourth)
        let (_, fifth) = try await client.withCyclesOutcome(options) { _ in }
        try show("no spend", fifth)
        // An integer or an optional amount is a part of the value, as the compiler's warning says.
        let (pair, sixth) = try await client.withCyclesOutcome(options) { _ in ("seven", 7) }
        try show(pair, sixth)
        let cost: Amount? = .tokens(3)
        let (other, seventh) = try await client.withCyclesOutcome(options) { _ in ("three", cost) }
        try show(other.0, seventh)

        let value: String = try await client.withCycles(options) { context in
            context.addSpend(.tokens(1))
            return "value"
        }
        try await client.withCycles(options) { context in context.addSpend(.tokens(1)) }
        try await client.withCycles(options) { _ in ((), .tokens(1)) }
        print(value)
    }

    static func threads(_ client: BlockingCyclesClient) throws {
        let (text, result) = try client.withCyclesOutcome(options) { _ in ("text", .tokens(7)) }
        try show(text, result)
        let (length, second) = try client.withCyclesOutcome(options, actual: { .tokens($0) }) { _ in 5 }
        try show(length, second)
        let (word, third) = try client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(7))
            return "text"
        }
        try show(word, third)
        let (_, fourth) = try client.withCyclesOutcome(options) { context in context.setSpend(.tokens(0)) }
        try show("nothing", fourth)
        let (pair, fifth) = try client.withCyclesOutcome(options) { _ in ("seven", 7) }
        try show(pair, fifth)
        try client.withCycles(options) { context in context.addSpend(.tokens(1)) }
        var strict = options
        strict.whenActualUnknown = .fail
        do {
            try client.withCycles(strict) { _ in }
        } catch CyclesError.validation(let issue) {
            print("\(issue.field) is unknown")
        } catch {
            throw error
        }
    }

    static func show<Value>(_ value: Value, _ result: Result<Settlement, CyclesError>) throws {
        let settlement = try result.get()
        print("\(value): \(settlement.charged?.amount ?? -1)\(settlement.chargedEstimate ? " (the estimate)" : "")")
    }
}
