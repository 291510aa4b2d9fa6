import Cycles
import CyclesTesting
import Testing

/// Guards over libcurl and real sockets, in real time.
@Suite struct GuardEndToEndTests {
    private let action = Action(kind: "llm.completion", name: "model")

    private func served(
        _ options: LocalAuthority.Options = .init(),
        _ body: (LocalAuthority, CyclesConfiguration) async throws -> Void
    ) async throws {
        let authority = LocalAuthority(options: options)
        authority.addAPIKey("key-of-the-test", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        var configuration = CyclesConfiguration(baseURL: server.baseURL, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        if isSlowed {
            configuration.readTimeout = .seconds(60)
            configuration.retry.inlineBudget = .seconds(60)
        }
        try await body(authority, configuration)
    }

    @Test(.timeLimit(.minutes(5)), arguments: isSlowed ? [40] : [5, 15])
    func aLeaseOutlivesItsLengthTwice(seconds: Int) async throws {
        let options = LocalAuthority.Options(maxExtensions: 1_000, maxLead: .seconds(seconds))
        try await served(options) { authority, configuration in
            let client = try CyclesClient(configuration: configuration)
            let guarded = try await client.reserve(
                ReservationCreateRequest(action: action, estimate: .tokens(100), timeToLive: .seconds(seconds))
            )
            // The test needs real time: leases over a socket follow the system's clock.
            let end = ContinuousClock.now + .seconds(2 * seconds)
            while ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(500))
                #expect(authority.activeReservations == [guarded.reservationID])
            }
            #expect(try await guarded.commit(.tokens(7)).charged == .tokens(7))
            await client.shutdown()
        }
    }

    @Test func guardsSettleWhateverBecomesOfThem() async throws {
        try await served { authority, configuration in
            let client = try CyclesClient(configuration: configuration)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        let guarded = try await client.reserve(
                            ReservationCreateRequest(action: action, estimate: .tokens(10))
                        )
                        switch number % 4 {
                        case 0: try await guarded.commit(.tokens(3))
                        case 1: try await guarded.release()
                        case 2: guarded.addSpend(.tokens(2))
                        default: break
                        }
                    }
                }
                try await group.waitForAll()
            }
            await client.shutdown()
            #expect(authority.activeReservations.isEmpty)
            #expect(authority.balances().first?.spent == .tokens(75 * 3 + 75 * 2))
        }
    }

    @Test func cancelledReservesLeaveNoHold() async throws {
        try await served { authority, configuration in
            let client = try CyclesClient(configuration: configuration)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let task = Task {
                            let guarded = try await client.reserve(
                                ReservationCreateRequest(action: action, estimate: .tokens(10))
                            )
                            try await guarded.commit(.tokens(1))
                        }
                        for _ in 0..<(number % 50) { await Task.yield() }
                        task.cancel()
                        _ = await task.result
                    }
                }
            }
            await client.shutdown()
            #expect(authority.activeReservations.isEmpty)
        }
    }

    /// Five pieces of work, one after the other; returns what they were charged.
    private static func work(_ client: BlockingCyclesClient) -> Int64 {
        var charged: Int64 = 0
        for _ in 0..<5 {
            let outcome = try? client.withCyclesOutcome(
                CyclesOptions(estimate: .tokens(10), action: Action(kind: "k", name: "n"))
            ) { _ in ((), .tokens(2)) }
            charged += (try? outcome?.1.get().charged?.amount) ?? 0
        }
        return charged
    }

    @Test(arguments: [false, true])
    func sixtyFourBlockedTasksGetThrough(onThreads: Bool) async throws {
        try await served { authority, configuration in
            let client = try BlockingCyclesClient(configuration: configuration)
            let charged = await withTaskGroup(of: Int64.self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        // Within the task itself all of them share a few threads; or each has one of its own.
                        guard onThreads else { return Self.work(client) }
                        return await withCheckedContinuation { continuation in
                            SystemThread.start { continuation.resume(returning: Self.work(client)) }?.detach()
                        }
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(charged == 640)
            client.shutdown()
            #expect(authority.activeReservations.isEmpty)
            #expect(authority.balances().first?.spent == .tokens(640))
        }
    }
}
