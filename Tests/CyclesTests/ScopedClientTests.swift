import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

/// A root client without a tenant over an authority with a key for each of several tenants.
private struct TenantBench {
    let bench: LifecycleBench
    let folder: TemporaryFolder?

    init(_ tenants: [String], folder: TemporaryFolder? = nil, _ change: (inout CyclesConfiguration) -> Void = { _ in })
        throws
    {
        self.folder = folder
        bench = try LifecycleBench { configuration in
            configuration.tenant = nil
            if let folder { configuration.journal = .directory(folder.path) }
            change(&configuration)
        }
        for tenant in tenants {
            bench.authority.addAPIKey("key-\(tenant)", tenant: tenant)
            bench.authority.setBudget(scope: "tenant:\(tenant)", allocated: .tokens(1_000))
        }
    }

    var root: CyclesClient { bench.client }

    func client(_ tenant: String, of root: CyclesClient? = nil) throws -> CyclesClient {
        try (root ?? bench.client).scoped(to: Subject(tenant: tenant), apiKey: "key-\(tenant)")
    }

    func spent(_ tenant: String) -> Int64? {
        bench.authority.balances().first { $0.scopePath == "tenant:\(tenant)" }?.spent?.amount
    }

    /// A root client as in another process.
    func restarted() throws -> CyclesClient {
        try .testing(configuration: root.configuration, transport: bench.wire, clock: bench.clock)
    }

    /// Spends tokens, and refuses the attempts to settle them.
    func leaveUnsettled(_ client: CyclesClient, _ tokens: Int64, refusals: Int = 1) async throws {
        for _ in 0..<refusals {
            bench.wire.answer("commit", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        }
        let reservation = try await client.reserve(bench.request(100))
        #expect(try await reservation.commit(.tokens(tokens)).outcome == .queued(isDurable: folder != nil))
    }
}

private func refusal<Value: ~Copyable>(_ body: () async throws(CyclesError) -> Value) async -> CyclesError? {
    do throws(CyclesError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

@Suite struct ScopedClientTests {
    // MARK: Subjects and configuration

    @Test func namedLevelsReplaceThoseOfTheParentAndOthersStay() async throws {
        let bench = try LifecycleBench {
            $0.workspace = "main"
            $0.agent = "writer"
        }
        let scoped = try bench.client.scoped(to: Subject(agent: "critic", toolset: "search"))
        #expect(scoped.configuration.tenant == "acme" && scoped.configuration.workspace == "main")
        #expect(scoped.configuration.agent == "critic" && scoped.configuration.toolset == "search")
        _ = try await scoped.decide(DecisionRequest(action: LifecycleBench.action, estimate: .tokens(1)))
        let subject = bench.wire.requests[0].json["subject"]
        #expect(subject?["agent"] == "critic" && subject?["toolset"] == "search" && subject?["workspace"] == "main")
        #expect(bench.client.configuration.agent == "writer" && bench.client.configuration.toolset == nil)
    }

    @Test func scopingIsRelativeToTheScopedClient() throws {
        let bench = try LifecycleBench()
        let app = try bench.client.scoped(to: Subject(app: "mail"))
        let agent = try app.scoped(to: Subject(agent: "reader"))
        #expect(agent.configuration.app == "mail" && agent.configuration.agent == "reader")
        #expect(agent.configuration.tenant == "acme")
    }

    @Test(arguments: [
        (Subject(dimensions: ["a": "b"]), "subject.dimensions"), (Subject(tenant: " "), "subject.tenant"),
        (Subject(agent: String(repeating: "x", count: 129)), "subject.agent"),
    ])
    func anInvalidSubjectIsRefused(subject: Subject, field: String) async throws {
        let bench = try LifecycleBench()
        let error = await refusal { () throws(CyclesError) in try bench.client.scoped(to: subject) }
        guard case .validation(let issue) = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(issue.field == field)
    }

    // MARK: Keys

    @Test func aClientWithAKeySendsIt() async throws {
        let tenants = try TenantBench(["a"])
        _ = try await tenants.client("a").getBalances()
        #expect(tenants.bench.wire.requests[0].headers["X-Cycles-API-Key"] == "key-a")
        #expect(try tenants.client("a").configuration.apiKey == "key-a")
    }

    @Test func aClientWithoutAKeyFollowsItsParent() async throws {
        let bench = try LifecycleBench()
        bench.authority.addAPIKey("key-2", tenant: "acme")
        let scoped = try bench.client.scoped(to: Subject(agent: "reader"))
        let nested = try scoped.scoped(to: Subject(toolset: "search"))
        try await bench.client.updateAPIKey("key-2")
        _ = try await nested.getBalances()
        #expect(bench.wire.requests.last?.headers["X-Cycles-API-Key"] == "key-2")
        for client in [scoped, nested] {
            let error = await refusal { () async throws(CyclesError) in try await client.updateAPIKey("key-3") }
            guard case .configuration(let issue) = error else { return #expect(Bool(false)) }
            #expect(issue.name == "apiKey")
        }
    }

    @Test func aClientsOwnKeyChangesForThatClientOnly() async throws {
        let tenants = try TenantBench(["a", "b"])
        let (a, b) = (try tenants.client("a"), try tenants.client("b"))
        tenants.bench.authority.addAPIKey("key-a2", tenant: "a")
        try await a.updateAPIKey("key-a2")
        _ = try await a.getBalances()
        _ = try await b.getBalances()
        _ = try await tenants.root.getBalances(BalanceQuery(tenant: "acme"))
        #expect(tenants.bench.wire.requests.map { $0.headers["X-Cycles-API-Key"] } == ["key-a2", "key-b", "key-1"])
    }

    @Test func theAdminKeyIsNotInheritedByAClientWithAKey() async throws {
        let tenants = try TenantBench(["a"]) { $0.adminAPIKey = "admin" }
        let own = try tenants.client("a")
        #expect(own.configuration.adminAPIKey == nil)
        _ = await refusal { () async throws(CyclesError) in try await own.listReservations() }
        #expect(tenants.bench.wire.requests[0].headers["X-Admin-API-Key"] == nil)
        let following = try tenants.root.scoped(to: Subject(tenant: "acme"))
        _ = await refusal { () async throws(CyclesError) in try await following.listReservations() }
        #expect(tenants.bench.wire.requests[1].headers["X-Admin-API-Key"] == "admin")
    }

    @Test func aRootWithoutAKeyScopesOthersAndRefusesItsOwnCalls() async throws {
        let tenants = try TenantBench(["a"]) { configuration in
            configuration.apiKey = ""
            configuration.requiresAPIKey = false
        }
        let request = tenants.bench.request(10)
        for error in [
            await refusal { () async throws(CyclesError) in try await tenants.root.reserve(request) },
            await refusal { () async throws(CyclesError) in
                try await tenants.root.getBalances(BalanceQuery(tenant: "acme"))
            },
            await refusal { () async throws(CyclesError) in
                try await tenants.root.record(EventCreateRequest(action: LifecycleBench.action, actual: .tokens(1)))
            },
        ] {
            guard case .configuration(let issue) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(issue.name == "apiKey")
        }
        #expect(tenants.bench.wire.requests.isEmpty)
        try await tenants.client("a").reserve(request).commit(.tokens(7))
        #expect(tenants.spent("a") == 7)
        tenants.bench.authority.addAPIKey("key-2", tenant: "acme")
        try await tenants.root.updateAPIKey("key-2")
        #expect(try await tenants.root.getBalances(BalanceQuery(tenant: "acme")).balances.count == 1)
    }

    @Test func anEnvironmentNeedsNoKeyIfTheProgramSaysSo() throws {
        let variables = ["CYCLES_BASE_URL": "http://localhost"]
        let configuration = try CyclesConfiguration.fromEnvironment(requiresAPIKey: false) { variables[$0] }
        #expect(configuration.apiKey.isEmpty)
        _ = try CyclesClient(configuration: configuration, transport: MockTransport())
        #expect(throws: CyclesError.self) { try CyclesConfiguration.fromEnvironment { variables[$0] } }
        var other = configuration
        other.requiresAPIKey = true
        #expect(throws: CyclesError.self) { try CyclesClient(configuration: other, transport: MockTransport()) }
    }

    // MARK: Accounts

    @Test func eachTenantIsChargedItsOwnSpend() async throws {
        let names = (0..<20).map { "t\($0)" }
        let tenants = try TenantBench(names)
        for (index, name) in names.enumerated() {
            let client = try tenants.client(name)
            try await client.reserve(tenants.bench.request(100)).commit(.tokens(Int64(index)))
            try await client.record(EventCreateRequest(action: LifecycleBench.action, actual: .tokens(100)))
            do {
                let dropped = try await client.reserve(tenants.bench.request(100))
                dropped.addSpend(.tokens(50))
            }
        }
        await tenants.root.flush()
        #expect(names.map { tenants.spent($0) } == names.indices.map { Int64($0) + 150 })
        #expect(tenants.bench.figures == [100_000, 0, 0])
    }

    @Test func eventsAndPendingSettlementsHaveTheTenant() async throws {
        let tenants = try TenantBench(["a"])
        let client = try tenants.client("a")
        try await tenants.leaveUnsettled(client, 7)
        #expect(await client.pendingSettlements().map(\.tenant) == ["a"])
        await client.flush()
        _ = try await client.reserve(tenants.bench.request(100)).release()
        let events = tenants.bench.observer.events
        #expect(events.count > 8 && events.allSatisfy { $0.tenant == "a" }, "\(events)")
        _ = await refusal { () async throws(CyclesError) in
            try await tenants.root.getBalances(BalanceQuery(tenant: "acme"))
        }
        #expect(tenants.bench.observer.events.last?.tenant == nil)
    }

    @Test func leasesAreExtendedWithTheKeyOfTheirClient() async throws {
        let tenants = try TenantBench(["a", "b"])
        let a = try await tenants.client("a").reserve(tenants.bench.request(100))
        let b = try await tenants.client("b").reserve(tenants.bench.request(100))
        tenants.bench.clock.advance(by: .seconds(50))
        let keys = tenants.bench.wire.requests.filter { $0.operationName == "extend" }
            .map { $0.headers["X-Cycles-API-Key"] }
        #expect(Set(keys) == ["key-a", "key-b"])
        try await a.release()
        try await b.release()
    }

    @Test func oneReservationIDOfTwoTenantsIsTwoReservations() async throws {
        let tenants = try TenantBench(["a", "b"])
        let (a, b) = (try tenants.client("a"), try tenants.client("b"))
        let first = try await a.reserve(tenants.bench.request(100))
        let id = first.reservationID.rawValue
        tenants.bench.wire.answer(
            "reserve",
            status: 200,
            #"{"decision":"ALLOW","reservation_id":"\#(id)","affected_scopes":["tenant:b"],"expires_at_ms":9000000000000}"#
        )
        let second = try await b.reserve(tenants.bench.request(100))
        #expect(second.reservationID == first.reservationID)
        tenants.bench.wire.answer(
            "release",
            status: 200,
            #"{"status":"RELEASED","released":{"amount":1,"unit":"TOKENS"}}"#
        )
        try await second.release()
        try await first.release()
    }

    @Test func aRefusedKeyDoesNotHoldUpOtherTenants() async throws {
        let tenants = try TenantBench(["a", "b"])
        let (a, b) = (try tenants.client("a"), try tenants.client("b"))
        try await tenants.leaveUnsettled(a, 7)
        try await tenants.leaveUnsettled(b, 9)
        tenants.bench.authority.removeAPIKey("key-a")
        await tenants.root.flush()
        #expect(tenants.spent("b") == 9 && tenants.spent("a") == 0)
        #expect(await tenants.root.pendingSettlements().map(\.tenant) == ["a"])
        tenants.bench.authority.addAPIKey("key-a2", tenant: "a")
        try await a.updateAPIKey("key-a2")
        #expect(tenants.spent("a") == 7)
    }

    // MARK: Flush, shutdown and release

    @Test func flushAndPendingSettlementsConcernTheTenantAndTheRootsAll() async throws {
        let tenants = try TenantBench(["a", "b"])
        let (a, b) = (try tenants.client("a"), try tenants.client("b"))
        try await tenants.leaveUnsettled(a, 7)
        try await tenants.leaveUnsettled(b, 9)
        #expect(await a.pendingSettlements().map(\.tenant) == ["a"])
        #expect(await b.pendingSettlements().map(\.tenant) == ["b"])
        #expect(await Set(tenants.root.pendingSettlements().map(\.tenant)) == ["a", "b"])
        #expect(await a.flush() == FlushReport(settled: 1, stillPending: 0))
        #expect(tenants.spent("a") == 7 && tenants.spent("b") == 0)
        #expect(await tenants.root.flush() == FlushReport(settled: 1, stillPending: 0))
        #expect(tenants.spent("b") == 9)
    }

    @Test func shutdownOfAScopedClientFlushesItsWorkAndRefusesItsCallsOnly() async throws {
        let tenants = try TenantBench(["a", "b"])
        let (a, b) = (try tenants.client("a"), try tenants.client("b"))
        try await tenants.leaveUnsettled(a, 7)
        let reservation = try await a.reserve(tenants.bench.request(100))
        await a.shutdown()
        #expect(tenants.spent("a") == 7)
        let request = tenants.bench.request(10)
        for error in [
            await refusal { () async throws(CyclesError) in try await a.reserve(request) },
            await refusal { () async throws(CyclesError) in try await a.getBalances() },
            await refusal { () throws(CyclesError) in try a.scoped(to: Subject(agent: "x")) },
        ] {
            guard case .transport(let cause) = error else {
                return #expect(Bool(false), "\(String(describing: error))")
            }
            #expect(cause.wasRequestSent == false && cause.message.contains("shut down"))
        }
        // Earlier reservations are still settled.
        try await reservation.commit(.tokens(5))
        #expect(tenants.spent("a") == 12)
        try await b.reserve(request).commit(.tokens(3))
        try await tenants.client("a").reserve(request).commit(.tokens(1))
        #expect(tenants.spent("b") == 3 && tenants.spent("a") == 13)
    }

    @Test func shutdownOfTheRootRefusesEveryonesCalls() async throws {
        let tenants = try TenantBench(["a"])
        let a = try tenants.client("a")
        let nested = try a.scoped(to: Subject(agent: "x"))
        try await tenants.leaveUnsettled(a, 7)
        await tenants.root.shutdown()
        #expect(tenants.spent("a") == 7)
        for client in [tenants.root, a, nested] {
            let error = await refusal { () async throws(CyclesError) in
                try await client.getBalances(BalanceQuery(tenant: "a"))
            }
            guard case .transport = error else { return #expect(Bool(false), "\(String(describing: error))") }
        }
    }

    @Test func aReleasedClientAbandonsNothing() async throws {
        let tenants = try TenantBench(["a"])
        var client: CyclesClient? = try tenants.client("a")
        let identity = { [weak scope = client?.scope] in scope?.identity }
        try await tenants.leaveUnsettled(try #require(client), 7)
        let reservation = try await client?.reserve(tenants.bench.request(100))
        client = nil
        tenants.bench.clock.advance(by: .seconds(600))
        #expect(tenants.spent("a") == 7)
        try await reservation?.commit(.tokens(5))
        #expect(tenants.spent("a") == 12 && identity() == nil)
    }

    @Test func theCoreLivesAsLongAsAnyClient() async throws {
        let tenants = try TenantBench(["a"])
        weak var core: ClientCore?
        do {
            let root = try tenants.restarted()
            let client = try tenants.client("a", of: root)
            core = root.scope.core
            _ = consume root
            try await client.reserve(tenants.bench.request(100)).commit(.tokens(5))
            #expect(core != nil && tenants.spent("a") == 5)
        }
        #expect(core == nil)
    }

    // MARK: Identities

    @Test func clientsOfOneTenantShareAnIdentityAndItsClaims() async throws {
        let tenants = try TenantBench(["a"])
        let (first, second) = (try tenants.client("a"), try tenants.client("a"))
        #expect(first.scope.identity === second.scope.identity)
        #expect(try first.scoped(to: Subject(agent: "x")).scope.identity === first.scope.identity)
        #expect(tenants.root.scope.identity !== first.scope.identity)
        var request = tenants.bench.request(100)
        request.idempotencyKey = "k"
        let reservation = try await first.reserve(request)
        let error = await refusal { () async throws(CyclesError) in try await second.reserve(request) }
        guard case .validation = error else { return #expect(Bool(false), "\(String(describing: error))") }
        try await reservation.release()
    }

    @Test func aClientThatLeavesASharedKeyTakesAnotherIdentity() async throws {
        let bench = try LifecycleBench {
            $0.tenant = nil
            $0.agent = "x"
        }
        bench.authority.addAPIKey("key-2", tenant: "acme")
        let (one, two) = (
            try bench.client.scoped(to: Subject(), apiKey: "key-1"),
            try bench.client.scoped(to: Subject(), apiKey: "key-1")
        )
        let shared = one.scope.identity
        #expect(two.scope.identity === shared && bench.client.scope.identity === shared)
        try await one.updateAPIKey("key-2")
        #expect(one.scope.identity !== shared && two.scope.identity === shared)
        // Alone with its key, a client keeps the identity, and its records move.
        let alone = one.scope.identity
        bench.authority.addAPIKey("key-3", tenant: "acme")
        try await one.updateAPIKey("key-3")
        #expect(one.scope.identity === alone)
    }

    @Test func threadsHaveScopedClientsToo() throws {
        let tenants = try TenantBench(["a"])
        let root = try BlockingCyclesClient.testing(
            configuration: tenants.root.configuration,
            transport: tenants.bench.wire,
            clock: tenants.bench.clock
        )
        let client = try root.scoped(to: Subject(tenant: "a"), apiKey: "key-a")
        try client.reserve(tenants.bench.request(100)).commit(.tokens(5))
        #expect(tenants.spent("a") == 5)
        client.shutdown()
        #expect(throws: CyclesError.self) { try client.getBalances() }
    }
}

/// Journaled work of several tenants. Deriving the names of their folders takes seconds in a debug build.
@Suite(.enabled(if: !isSlowed)) struct ScopedJournalTests {
    @Test func workOfSeveralTenantsSettlesAfterARestart() async throws {
        let names = ["a", "b", "c"]
        let tenants = try TenantBench(names, folder: try TemporaryFolder())
        for (index, name) in names.enumerated() {
            try await tenants.leaveUnsettled(try tenants.client(name), Int64(index) + 1, refusals: 2)
        }
        await tenants.root.shutdown(timeout: .zero)
        #expect(tenants.folder?.files.count == 3 && names.map { tenants.spent($0) } == [0, 0, 0])

        let sent = tenants.bench.wire.requests.count
        let root = try tenants.restarted()
        #expect(await root.pendingSettlements().isEmpty)
        // A tenant's work is settled once the tenant has a client, with the key of the first.
        let clients = try names.dropLast().map { try tenants.client($0, of: root) }
        tenants.bench.clock.advance(by: .seconds(5))
        #expect(names.map { tenants.spent($0) } == [1, 2, 0])
        let keys = tenants.bench.wire.requests[sent...].map { $0.headers["X-Cycles-API-Key"] }
        #expect(keys == ["key-a", "key-b"])
        _ = try tenants.client("c", of: root)
        #expect(names.map { tenants.spent($0) } == [1, 2, 3] && tenants.folder?.files.isEmpty == true)
        await root.shutdown()
        withExtendedLifetime(clients) {}
    }

    @Test func replayedWorkIsOfItsTenant() async throws {
        let tenants = try TenantBench(["a", "b"], folder: try TemporaryFolder())
        try await tenants.leaveUnsettled(try tenants.client("a"), 7, refusals: 2)
        await tenants.root.shutdown(timeout: .zero)
        let root = try tenants.restarted()
        tenants.bench.wire.answer("commit", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        let (a, b) = (try tenants.client("a", of: root), try tenants.client("b", of: root))
        tenants.bench.clock.advance(by: .seconds(5))
        #expect(await b.pendingSettlements().isEmpty)
        #expect(await a.pendingSettlements().map(\.tenant) == ["a"])
        #expect(await b.flush() == FlushReport(settled: 0, stillPending: 0))
        #expect(await a.flush() == FlushReport(settled: 1, stillPending: 0))
        #expect(tenants.spent("a") == 7)
    }

    @Test func recordsOfTenantsWithClientsAreNoAlarm() async throws {
        let tenants = try TenantBench(["a", "b"], folder: try TemporaryFolder())
        for name in ["a", "b"] { try await tenants.leaveUnsettled(try tenants.client(name), 1, refusals: 2) }
        await tenants.root.shutdown(timeout: .zero)
        func alarms() -> [JournalProblem] {
            tenants.bench.events { if case .journalProblem(let problem) = $0 { problem } else { nil } }
        }
        #expect(alarms().isEmpty)

        // Tenant b has no client this time.
        let root = try tenants.restarted()
        let a = try tenants.client("a", of: root)
        tenants.bench.clock.advance(by: .seconds(59))
        #expect(alarms().isEmpty)
        tenants.bench.clock.advance(by: .seconds(2))
        let folder = JournalNames.folder(baseURL: "http://authority.test", apiKey: "", tenant: "b")
        #expect(alarms().count == 1 && alarms().first?.path?.hasSuffix(folder) == true, "\(alarms())")
        await root.shutdown()
        #expect(alarms().count == 1)
        withExtendedLifetime(a) {}
    }

    @Test func aProblemOfTheJournalIsReportedOnce() async throws {
        let folder = try TemporaryFolder()
        let tenants = try TenantBench(["a", "b"], folder: folder)
        let clients = [try tenants.client("a"), try tenants.client("b")]
        try SystemFileSystem().createFile(folder.path + "/swift-logs", [])
        try await clients[0].reserve(tenants.bench.request(100)).commit(.tokens(1))
        let problems = tenants.bench.events { if case .journalProblem(let problem) = $0 { problem } else { nil } }
        #expect(problems.count == 1, "\(problems)")
        #expect(tenants.spent("a") == 1)
        withExtendedLifetime(clients) {}
    }
}
