import CyclesTesting
import Testing

@testable import Cycles

private struct WorkFailed: Error, Equatable {}

/// Answers on the caller's thread only, as a library without tasks would.
private struct ThreadOnly: BlockingHTTPTransport {
    let inner: any BlockingHTTPTransport
    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse { try inner.send(request) }
}

@Suite struct BlockingClientTests {
    private let bench: LifecycleBench
    private let client: BlockingCyclesClient

    init() throws {
        bench = try LifecycleBench()
        var configuration = bench.client.configuration
        configuration.observer = bench.observer
        client = try .waiting(configuration: configuration, transport: bench.wire, clock: bench.clock)
    }

    private var options: CyclesOptions { CyclesOptions(estimate: .tokens(1_000), action: LifecycleBench.action) }

    private func failure<Value: ~Copyable>(_ body: () throws(CyclesError) -> Value) -> CyclesError? {
        do throws(CyclesError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func aGuardIsCommittedReleasedOrDropped() throws {
        let guarded = try client.reserve(bench.request())
        #expect(guarded.decision == .allow && !guarded.isCapped && guarded.affectedScopes == ["tenant:acme"])
        #expect(guarded.caps == nil && guarded.balances.count == 1 && guarded.evidence == nil)
        #expect(guarded.context.reservationID == guarded.reservationID && guarded.recordedSpend == nil)
        try guarded.extend(by: .seconds(30))
        #expect(guarded.expiresAtMilliseconds == bench.clock.nowMilliseconds + 90_000)
        #expect(try guarded.commit(.tokens(10), metadata: ["job": 1]).charged == .tokens(10))
        let other = try client.reserve(bench.request())
        #expect(try other.commit(CommitRequest(actual: .tokens(5), idempotencyKey: "mine")).charged == .tokens(5))
        #expect(bench.wire.requests.last?.bodyKey == "mine")
        #expect(try client.reserve(bench.request()).release(reason: "called off").outcome == .released)
        do { _ = try client.reserve(bench.request()) }
        do {
            let dropped = try client.reserve(bench.request())
            dropped.addSpend(.tokens(2))
            dropped.setSpend(.tokens(7))
        }
        #expect(bench.figures == [99_978, 0, 22])
    }

    @Test func aCreateIsRetriedOnce() throws {
        bench.wire.loseAnswer("reserve")
        try client.reserve(bench.request()).release()
        bench.wire.loseAnswer("reserve")
        bench.wire.answer("reserve", status: 500)
        let error = failure { () throws(CyclesError) in try client.reserve(bench.request()) }
        guard case .ambiguous = error else {
            Issue.record("\(error as Any)")
            return
        }
        bench.wire.answer(
            "reserve",
            status: 200,
            #"{"decision":"MAYBE","affected_scopes":[],"reservation_id":"rsv_x"}"#
        )
        guard case .invalidResponse = failure({ () throws(CyclesError) in try client.reserve(bench.request()) }) else {
            Issue.record("not invalid")
            return
        }
        #expect(bench.operations.last == "release")
    }

    @Test func leasesAreKeptAlive() throws {
        let guarded = try client.reserve(bench.request())
        bench.clock.advance(by: .seconds(300))
        #expect(bench.authority.activeReservations.count == 1)
        try guarded.commit(.tokens(1))
    }

    @Test func workIsGuarded() throws {
        let value = try client.withCycles(options) { context in
            #expect(CyclesContext.current?.reservationID == context.reservationID)
            bench.clock.advance(by: .milliseconds(20))
            return ("Hello", .tokens(42))
        }
        #expect(value == "Hello" && bench.wire.requests[1].json["metrics"] == ["latency_ms": 20])
        #expect(try client.withCycles(options, actual: { .tokens(Int64($0)) }) { _ in 8 } == 8)
        let (_, result) = try client.withCyclesOutcome(options) { _ in ((), .tokens(1)) }
        #expect(try result.get().charged == .tokens(1))
        let (_, other) = try client.withCyclesOutcome(options, actual: { _ in .tokens(2) }) { _ in () }
        #expect(try other.get().charged == .tokens(2))
        #expect(bench.figures == [99_947, 0, 53])
    }

    @Test func aBodyMayReturnItsValueAloneAndRecordItsCost() throws {
        let text = try client.withCycles(options) { context in
            context.addSpend(.tokens(5))
            return "Hello"
        }
        let (number, settlement) = try client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(2))
            return 7
        }
        #expect(text == "Hello" && number == 7 && bench.figures == [99_993, 0, 7])
        #expect(try settlement.get().charged == .tokens(2))
    }

    @Test func threeValuesConfigureAClient() throws {
        let client = try BlockingCyclesClient(baseURL: "http://127.0.0.1:1", apiKey: "k", tenant: "acme")
        let configuration = client.configuration
        #expect(configuration.baseURL == "http://127.0.0.1:1" && configuration.tenant == "acme")
    }

    @Test func workThatFailsGivesItsHoldBackOrIsCharged() throws {
        #expect(throws: WorkFailed()) { try client.withCycles(options) { _ -> ((), Amount) in throw WorkFailed() } }
        #expect(throws: WorkFailed()) {
            try client.withCycles(options) { context -> ((), Amount) in
                context.addSpend(.tokens(3))
                throw WorkFailed()
            }
        }
        #expect(bench.figures == [99_997, 0, 3])
    }

    @Test func aCostThatIsNotKnownCanBeAFailure() throws {
        var options = options
        options.whenActualUnknown = .fail
        do {
            _ = try client.withCycles(options, actual: { _ in throw WorkFailed() }) { _ in 1 }
            Issue.record("no failure")
        } catch CyclesError.validation(let issue) {
            #expect(issue.field == "actual")
        }
        #expect(bench.operations == ["reserve"])
    }

    @Test func aLostLeaseFailsUnderBothPolicies() throws {
        for policy in [HeartbeatPolicy.failOnFinalize, .cancel] {
            let bench = try LifecycleBench()
            for _ in 0..<20 { bench.wire.loseRequest("extend") }
            var configuration = bench.client.configuration
            configuration.heartbeat = policy
            let client = try BlockingCyclesClient.waiting(
                configuration: configuration,
                transport: bench.wire,
                clock: bench.clock
            )
            do {
                _ = try client.withCycles(options) { _ in
                    bench.clock.advance(by: .seconds(61))
                    return (1, .tokens(9))
                }
                Issue.record("no failure")
            } catch CyclesError.leaseLost(let loss) {
                #expect(loss.settlement?.charged == .tokens(9))
            }
        }
    }

    @Test func whatDoesNotGetThroughGoesOnInTheBackground() throws {
        bench.wire.answer("commit", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        #expect(try client.reserve(bench.request()).commit(.tokens(4)).outcome == .queued(isDurable: false))
        #expect(client.flush(timeout: .zero) == FlushReport(settled: 1, stillPending: 0))
        #expect(bench.figures == [99_996, 0, 4])
        client.shutdown()
    }

    @Test func retriesAndDropsRunOnThreadsOfTheClient() throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10_000))
        let wire = RecordingTransport(authority)
        var configuration = bench.client.configuration
        configuration.retry.initialDelay = .milliseconds(1)
        let client = try BlockingCyclesClient(configuration: configuration, transport: ThreadOnly(inner: wire))
        for _ in 0..<3 { wire.loseAnswer("commit") }
        #expect(try client.reserve(bench.request(10)).commit(.tokens(7)).charged == .tokens(7))
        for _ in 0..<40 {
            let dropped = try client.reserve(bench.request(10))
            dropped.addSpend(.tokens(1))
        }
        client.shutdown()
        #expect(authority.activeReservations.isEmpty)
        #expect(authority.balances().first?.spent == .tokens(47))
    }

    @Test func allOperationsAreThere() throws {
        let action = LifecycleBench.action
        #expect(try client.decide(DecisionRequest(action: action, estimate: .tokens(1))).decision == .allow)
        for number in 0..<5 {
            let held = try client.createReservation(bench.request(10))
            let id = try #require(held.reservationID)
            _ = try client.extendReservation(id, ExtendRequest(by: .seconds(1)))
            if number == 0 {
                _ = try client.commitReservation(id, CommitRequest(actual: .tokens(1)))
            } else {
                _ = try client.releaseReservation(id)
            }
            #expect(try client.getReservation(id).reservationID == id)
        }
        #expect(try client.createEvent(EventCreateRequest(action: action, actual: .tokens(2))).http.status == 201)
        #expect(try client.getBalances().balances.first?.spent == .tokens(3))
        #expect(try client.listReservations(ReservationQuery(limit: 2)).reservations.count == 2)
        var seen: [ReservationID] = []
        try client.forEachReservation(ReservationQuery(limit: 2)) { seen.append($0.reservationID) }
        #expect(Set(seen).count == 5)
        var scopes: [String] = []
        try client.forEachBalance { scopes.append($0.scope) }
        #expect(scopes == ["tenant:acme"])
        #expect(failure { () throws(CyclesError) in try client.getEvidenceKeys() }?.status == 404)
        let id = EvidenceID(String(repeating: "a", count: 64))
        #expect(failure { () throws(CyclesError) in try client.getEvidence(id) }?.status == 404)
        #expect(
            !"\(client) \(String(reflecting: client)) \(Mirror(reflecting: client).children.map { "\($0)" })".contains(
                "key-1"
            )
        )
    }

    @Test func bodiesThatThrowEndAList() throws {
        _ = try client.createReservation(bench.request(10))
        #expect(throws: WorkFailed()) { try client.forEachReservation { _ in throw WorkFailed() } }
    }
}
