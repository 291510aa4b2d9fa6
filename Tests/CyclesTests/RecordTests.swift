import CyclesTesting
import Testing

@testable import Cycles

/// Spend without a reservation, recorded with the durability of a settlement.
@Suite struct RecordTests {
    private let request = EventCreateRequest(action: LifecycleBench.action, actual: .tokens(420))

    private static let unauthorized = #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#

    @Test func chargesTheSpendAndReturnsTheEvent() async throws {
        let bench = try LifecycleBench()
        let settlement = try await bench.client.record(request)
        #expect("\(settlement)".hasPrefix("recorded as event") && bench.figures == [99_580, 0, 420])
        #expect(bench.operations == ["event"])
        #expect(bench.wire.requests[0].json["subject"]?["tenant"] == "acme")
        #expect(await bench.client.pendingSettlements().isEmpty)
    }

    @Test func isOnDiskBeforeItIsSentAndGoneAfterwards() async throws {
        let world = try World()
        let seen = Lock<[SettlementRecord]?>(nil)
        world.bench.wire.whenSent("event") { _ in seen.withLock { $0 = try? world.folder.loggedRecords } }
        var request = request
        request.idempotencyKey = "call-7"
        try await world.bench.client.record(request)
        let record = try #require(seen.withLock { $0 }?.first)
        #expect(record.mode == .event && record.reservationID == "event:call-7" && record.commitBody == nil)
        #expect(record.eventBody == world.bench.wire.requests[0].body)
        #expect(record.recordedAtMilliseconds == world.bench.clock.nowMilliseconds)
        #expect(try world.folder.loggedRecords.isEmpty && world.folder.files.isEmpty && world.problems.isEmpty)
    }

    @Test func isRetriedUnderOneKeyAndChargedOnce() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("event")
        bench.wire.answer("event", status: 503)
        let box = bench.client
        async let settlement = box.record(request)
        await bench.advanceUntil { bench.operations.count >= 3 }
        #expect(try await "\(settlement)".hasPrefix("recorded as event"))
        #expect(Set(bench.wire.requests.map(\.body)).count == 1 && bench.figures == [99_580, 0, 420])
    }

    @Test func isSentByTheNextProcess() async throws {
        let world = try World()
        for _ in 0..<2 { world.bench.wire.answer("event", status: 401, Self.unauthorized) }
        #expect(try await world.bench.client.record(request).outcome == .queued(isDurable: true))
        let pending = try #require(await world.bench.client.pendingSettlements().first)
        #expect(pending.isDurable && pending.isEvent)
        #expect(pending.reservationID.rawValue == "event:" + (world.bench.wire.requests[0].bodyKey ?? ""))
        await world.bench.client.shutdown(timeout: .zero)
        #expect(world.folder.files.count == 1 && world.bench.figures == [100_000, 0, 0])

        world.bench.clock.advance(by: .seconds(5))
        let client = try world.restarted()
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
        #expect(await client.pendingSettlements().isEmpty)
        #expect(Set(world.bench.wire.requests.map(\.body)).count == 1)
    }

    @Test func aFinalRefusalThrowsAndSetsTheRecordAside() async throws {
        let world = try World()
        var request = request
        request.actual = .tokens(200_000)
        request.overagePolicy = .reject
        request.idempotencyKey = "call-7"
        let refusal = await world.bench.failure { () async throws(CyclesError) in
            try await world.bench.client.record(request)
        }
        #expect(refusal?.isDenied == true && refusal?.errorCode == .budgetExceeded)
        #expect(world.folder.files == [JournalNames.file("event:call-7") + ".rejected"])
        #expect(world.setAside.map(\.reservationID) == ["event:call-7"])
        let entry = try #require(SettlementJournal(world.bench.client.configuration).identities().first?.entries.first)
        #expect(entry.rejection?.contains("BUDGET_EXCEEDED") == true && entry.actual == .tokens(200_000))
    }

    @Test func anInvalidRequestIsNeitherStoredNorSent() async throws {
        let world = try World()
        var request = request
        request.actual = .tokens(-1)
        let refusal = await world.bench.failure { () async throws(CyclesError) in
            try await world.bench.client.record(request)
        }
        guard case .validation(let issue) = refusal else {
            return #expect(Bool(false), "\(String(describing: refusal))")
        }
        #expect(issue.field == "actual" && world.bench.operations.isEmpty && world.folder.files.isEmpty)
    }

    @Test func aKeyThatIsInUseIsRefused() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("event", status: 401, Self.unauthorized)
        var request = request
        request.idempotencyKey = "call-7"
        #expect(try await bench.client.record(request).outcome == .queued(isDurable: false))
        let refusal = await bench.failure { () async throws(CyclesError) in try await bench.client.record(request) }
        guard case .validation(let issue) = refusal else {
            return #expect(Bool(false), "\(String(describing: refusal))")
        }
        #expect(issue.field == "idempotencyKey" && issue.message.contains("call-7"))
        await bench.client.flush()
        // Once it is charged, the server answers the key as before.
        #expect(try await "\(bench.client.record(request))".hasPrefix("recorded as event"))
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test func threadsRecordToo() throws {
        let bench = try LifecycleBench()
        let client = try BlockingCyclesClient.testing(
            configuration: bench.client.configuration,
            transport: bench.wire,
            clock: bench.clock
        )
        #expect(try "\(client.record(request))".hasPrefix("recorded as event") && bench.figures == [99_580, 0, 420])
    }
}
