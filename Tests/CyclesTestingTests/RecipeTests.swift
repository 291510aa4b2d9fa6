import Cycles
import CyclesTesting
import Testing

// The code blocks of the article "Testing your app" are parts of this file, which is also compiled outside the package.

/// The code under test: answers prompts on a budget.
struct Assistant {
    let client: CyclesClient
    /// Answers a prompt with at most so many tokens, and returns the number of tokens that it used.
    var model: @Sendable (_ prompt: String, _ maxTokens: Int64) async throws -> (text: String, tokens: Int64)

    func answer(_ prompt: String) async throws -> String {
        let options = CyclesOptions(
            estimate: .tokens(500),
            action: Action(kind: "llm.completion", name: "gpt-4o")
        )
        return try await client.withCycles(options) { context in
            let reply = try await model(prompt, min(500, context.caps?.maxTokens ?? 500))
            return (reply.text, .tokens(reply.tokens))
        }
    }
}

/// An authority with one budget, and a client of it. Time stands still until a test advances the clock.
struct TestWorld {
    let clock = ManualClock()
    let events = RecordingObserver()
    let authority: LocalAuthority
    let client: CyclesClient

    init(
        budget: Amount = .tokens(10_000),
        caps: Caps? = nil,
        heartbeat: HeartbeatPolicy = .warn
    ) throws {
        authority = LocalAuthority(clock: clock)
        authority.addAPIKey("key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: budget, caps: caps)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = events
        configuration.heartbeat = heartbeat
        client = try .testing(configuration: configuration, transport: authority, clock: clock)
    }

    var assistant: Assistant {
        Assistant(client: client) { prompt, maxTokens in ("Echo: \(prompt)", min(42, maxTokens)) }
    }

    var spent: Amount? { authority.balances().first?.spent }

    let request = ReservationCreateRequest(
        action: Action(kind: "llm.completion", name: "gpt-4o"),
        estimate: .tokens(500)
    )
}

@Suite struct RecipeTests {
    // MARK: Recipes

    @Test func anAnswerIsCharged() async throws {
        let world = try TestWorld()
        #expect(try await world.assistant.answer("Hello") == "Echo: Hello")
        #expect(world.spent == .tokens(42))
        #expect(world.authority.activeReservations.isEmpty)
    }

    @Test func withoutBudgetTheModelIsNotCalled() async throws {
        let world = try TestWorld(budget: .tokens(100))
        var assistant = world.assistant
        assistant.model = { _, _ in
            Issue.record("the model was called")
            return ("", 0)
        }
        do {
            _ = try await assistant.answer("Hello")
            Issue.record("the answer was not denied")
        } catch CyclesError.denied(let denial) {
            #expect(denial.reason == .budgetExceeded)
        } catch {
            Issue.record(error)
        }
    }

    @Test func capsLimitTheModel() async throws {
        let world = try TestWorld(caps: Caps(maxTokens: 16))
        _ = try await world.assistant.answer("Hello")
        #expect(world.spent == .tokens(16))
    }

    @Test func anAuthorityThatIsDownLosesNoSpend() async throws {
        let world = try TestWorld()
        let reservation = try await world.client.reserve(world.request)
        world.authority.isReachable = false
        let settlement = try await reservation.commit(.tokens(42))
        #expect(settlement.outcome == .queued(isDurable: false))  // with a journal it would be on disk: true

        world.clock.advance(by: .seconds(10))
        #expect(await world.client.pendingSettlements().count == 1)
        world.authority.isReachable = true
        world.clock.advance(by: .seconds(10))
        #expect(world.spent == .tokens(42))
        #expect(await world.client.pendingSettlements().isEmpty)
    }

    @Test func workThatOutlivesItsLeaseIsCharged() async throws {
        let world = try TestWorld(heartbeat: .disabled)  // as if each extension failed
        let reservation = try await world.client.reserve(world.request)
        world.clock.advance(by: .seconds(120))
        #expect(world.authority.activeReservations.isEmpty)
        let settlement = try await reservation.commit(.tokens(42))
        guard case .recorded(let event) = settlement.outcome else {
            Issue.record("\(settlement)")
            return
        }
        #expect(event.status == .applied && world.spent == .tokens(42))
    }

    @Test func aLeaseIsKeptWhileTheWorkTakesItsTime() async throws {
        let world = try TestWorld()
        let reservation = try await world.client.reserve(world.request)
        world.clock.advance(by: .seconds(300))
        #expect(world.authority.activeReservations == [reservation.reservationID])
        try await reservation.commit(.tokens(42))
    }

    @Test func aCommitThatFailsIsRepeated() async throws {
        let world = try TestWorld()
        let reservation = try await world.client.reserve(world.request)
        world.authority.failNext(.internalError)
        #expect(try await reservation.commit(.tokens(42)).outcome == .queued(isDurable: false))
        world.clock.advance(by: .seconds(1))  // the first retry is due after half a second
        #expect(world.spent == .tokens(42))
        let retries = world.events.events.filter { if case .retryScheduled = $0 { true } else { false } }
        #expect(retries.count == 1)
    }

    @Test func requestsAndAnswersCanBeScripted() async throws {
        let transport = MockTransport()
        transport.on(.post, "/v1/decide") { request in
            let body = try? JSONValue(parsing: request.body)
            #expect(body?["estimate"]?["unit"] == "TOKENS")
            return HTTPResponse(status: 200, headers: [:], body: Array(#"{"decision":"ALLOW"}"#.utf8))
        }
        let client = try CyclesClient(
            configuration: CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key"),
            transport: transport
        )
        let decision = try await client.decide(
            DecisionRequest(
                subject: Subject(tenant: "acme"),
                action: Action(kind: "llm.completion", name: "gpt-4o"),
                estimate: .tokens(500)
            )
        )
        #expect(decision.decision.isAllowed)
        #expect(transport.requests.map(\.url) == ["http://authority.test/v1/decide"])
    }

    // MARK: Calls that cannot hang

    @Test(.timeLimit(.minutes(1)), arguments: [false, true])
    func noCallWaitsForAClockThatNobodyAdvances(isDown: Bool) async throws {
        let world = try TestWorld()
        let first = try await world.client.reserve(world.request)
        let second = try await world.client.reserve(world.request)
        if isDown { world.authority.isReachable = false } else { world.authority.failNext(.internalError) }
        #expect(try await first.commit(.tokens(1)).outcome == .queued(isDurable: false))
        if !isDown { world.authority.failNext(.internalError) }
        #expect(try await second.release().outcome == .queued(isDurable: false))
        if !isDown { world.authority.failNext(.internalError) }
        let report = await world.client.flush()
        #expect(report.stillPending == (isDown ? 2 : 1))
        await world.client.shutdown()
    }

    @Test(.timeLimit(.minutes(1))) func noBlockingCallWaitsForAClockThatNobodyAdvances() throws {
        let world = try TestWorld()
        let client = try BlockingCyclesClient.testing(
            configuration: world.client.configuration,
            transport: world.authority,
            clock: world.clock
        )
        let reservation = try client.reserve(world.request)
        world.authority.isReachable = false
        #expect(try reservation.commit(.tokens(1)).outcome == .queued(isDurable: false))
        #expect(client.flush().stillPending == 1)
        client.shutdown()
    }
}
