// The programs on the front page of the Rust crate, in Swift, against an authority of their own.

import Cycles
import CyclesTesting

@main
struct FrontPage {
    static func main() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("my-api-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .usdMicrocents(1_000_000), caps: Caps(maxTokens: 100))
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10_000))
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        try await quickStart(server.baseURL)
        try await automaticLifecycle(server.baseURL)
        for balance in authority.balances() {
            print(
                "\(balance.remaining.unit): spent \(balance.spent?.amount ?? 0), reserved \(balance.reserved?.amount ?? 0)"
            )
        }
    }

    static func quickStart(_ baseURL: String) async throws {
        // Create a client
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: "my-api-key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration)

        // Reserve budget: the guard owns it
        let reservation = try await client.reserve(
            ReservationCreateRequest(
                subject: Subject(tenant: "acme"),
                action: Action(kind: "llm.completion", name: "gpt-4o"),
                estimate: .usdMicrocents(5000)
            )
        )

        // Check caps, if the decision is allowWithCaps
        if let caps = reservation.caps { print("max_tokens: \(caps.maxTokens ?? 0)") }

        // ... perform the guarded operation ...

        // Commit what was really spent: this consumes the guard
        try await reservation.commit(CommitRequest(actual: .usdMicrocents(3200)))
        await client.shutdown()
    }

    static func automaticLifecycle(_ baseURL: String) async throws {
        let client = try CyclesClient(baseURL: baseURL, apiKey: "my-api-key")
        let reply = try await client.withCycles(
            CyclesOptions(
                estimate: .tokens(1000),
                action: Action(kind: "llm.completion", name: "gpt-4o"),
                subject: Subject(tenant: "acme")
            )
        ) { context in
            let result = "Hello from LLM"
            return (result, .tokens(42))
        }
        print(reply)
        await client.shutdown()
    }
}
