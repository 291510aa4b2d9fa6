import Cycles
import CyclesTesting
import Summaries
import Testing

/// Tests of an app against an authority in memory. No test opens a socket or waits for real time.
@Suite struct SummarizerTests {
    private let clock = ManualClock()
    private let authority: LocalAuthority

    init() {
        authority = LocalAuthority(clock: clock)
        authority.addAPIKey("test-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
    }

    private func makeClient(_ transport: (any HTTPTransport)? = nil) throws -> CyclesClient {
        var configuration = CyclesConfiguration(baseURL: "http://authority", apiKey: "test-key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        return try .testing(configuration: configuration, transport: transport ?? authority, clock: clock)
    }

    private func makeSummarizer(_ client: CyclesClient) -> Summarizer {
        Summarizer(client: client) { text, _ in Summarizer.Answer(text: "a summary of \(text)", tokens: 120) }
    }

    private var spent: Amount? { authority.balances().first?.spent }

    @Test func aSummaryIsCharged() async throws {
        let client = try makeClient()
        #expect(try await makeSummarizer(client).summarize("text") == .summary("a summary of text"))
        await client.shutdown()
        #expect(spent == .tokens(120))
    }

    @Test func withoutBudgetNothingRuns() async throws {
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(499))
        let client = try makeClient()
        let summarizer = Summarizer(client: client) { _, _ in
            Issue.record("the model was called")
            return Summarizer.Answer(text: "", tokens: 0)
        }
        #expect(try await summarizer.summarize("text") == .outOfBudget)
        await client.shutdown()
    }

    @Test func aCapReachesTheModel() async throws {
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), caps: Caps(maxTokens: 64))
        let client = try makeClient()
        let summarizer = Summarizer(client: client) { _, maxTokens in
            Summarizer.Answer(text: "at most \(maxTokens ?? 0)", tokens: 64)
        }
        #expect(try await summarizer.summarize("text") == .summary("at most 64"))
        await client.shutdown()
    }

    @Test func aModelThatFailsIsNotCharged() async throws {
        struct Overloaded: Error {}
        let client = try makeClient()
        let summarizer = Summarizer(client: client) { _, _ in throw Overloaded() }
        await #expect(throws: Overloaded.self) { try await summarizer.summarize("text") }
        await client.shutdown()
        #expect(spent == nil || spent == .tokens(0))
        #expect(authority.activeReservations.isEmpty)
    }

    @Test func anAuthorityThatIsDownIsWorthAnotherTry() async throws {
        authority.isReachable = false
        let client = try makeClient()
        #expect(try await makeSummarizer(client).summarize("text") == .tryLater)
        await client.shutdown()
    }

    @Test func aSummaryIsKeptWhileTheAuthorityIsDownAndChargedLater() async throws {
        let client = try makeClient()
        let summarizer = Summarizer(client: client) { text, _ in
            authority.isReachable = false
            return Summarizer.Answer(text: text, tokens: 80)
        }
        // The commit is queued, and the reader gets the summary.
        #expect(try await summarizer.summarize("text") == .summary("text"))
        #expect(await client.pendingSettlements().count == 1)
        authority.isReachable = true
        await client.flush()
        #expect(spent == .tokens(80))
        await client.shutdown()
    }
}
