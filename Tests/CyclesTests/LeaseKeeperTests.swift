import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

/// Answers everything at once but some extensions, which are not answered until they fail.
private final class StuckTransport: CallbackTransport {
    typealias Completion = @Sendable (Transferred) -> Void

    private let inner: LocalAuthority
    private let state: Lock<(toHold: Int, held: [Completion], keys: [String?])>

    init(_ inner: LocalAuthority, holding count: Int) {
        self.inner = inner
        state = Lock((count, [], []))
    }

    /// The API keys of all extensions so far.
    var keysOfExtensions: [String?] { state.withLock { $0.keys } }

    var holds: Int { state.withLock { $0.held.count } }

    func start(_ request: HTTPRequest, _ done: @escaping Completion) {
        let isHeld = state.withLock { state in
            guard request.operationName == "extend" else { return false }
            state.keys.append(request.headers["X-Cycles-API-Key"])
            guard state.toHold > 0 else { return false }
            state.toHold -= 1
            state.held.append(done)
            return true
        }
        if !isHeld { done(Transferred(Result { () throws(HTTPTransportError) in try inner.send(request) })) }
    }

    func fail() { answer(.failure(HTTPTransportError(kind: .timedOut, message: "stuck", wasRequestSent: nil))) }

    func answer(_ outcome: Result<HTTPResponse, HTTPTransportError>) {
        for done in state.withLock({ $0.held }) { done(Transferred(outcome)) }
    }
}

@Suite struct LeaseKeeperTests {
    private let unauthorized = HTTPResponse(
        status: 401,
        body: Array(#"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#.utf8)
    )

    @Test func aRefusalOfAnOldKeyThatComesAfterTheNewOneStopsNothing() async throws {
        let clock = ManualClock()
        let authority = LocalAuthority(clock: clock)
        for key in ["key-1", "key-2"] { authority.addAPIKey(key, tenant: "acme") }
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        let wire = StuckTransport(authority, holding: 1)
        let observer = RecordingObserver()
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = observer
        let client = try CyclesClient(configuration: configuration, environment: .testing(.tasks(wire), clock))
        let guarded = try await client.reserve(
            ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10), timeToLive: .seconds(60))
        )
        clock.advance(by: .seconds(46))
        #expect(wire.holds == 1)
        try await client.updateAPIKey("key-2")
        wire.answer(.success(unauthorized))
        clock.advance(by: .seconds(1))
        #expect(wire.keysOfExtensions == ["key-1", "key-2"])
        clock.advance(by: .seconds(120))
        #expect(authority.activeReservations == [guarded.reservationID])
        try await guarded.commit(.tokens(1))
    }

    @Test func aLeaseWhoseEndIsNotKnownGoesOnWithANewKey() async throws {
        let bench = try LifecycleBench(options: .init(emitsRemainingTimeToLive: false))
        bench.authority.addAPIKey("key-2", tenant: "acme")
        bench.wire.answer("extend", .success(unauthorized))
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(1))
        #expect(bench.operations == ["reserve", "extend"])
        try await bench.client.updateAPIKey("key-2")
        bench.clock.advance(by: .seconds(150))
        #expect(bench.authority.activeReservations == [guarded.reservationID])
        try await guarded.release()
    }

    @Test func aLeaseThatEndsDuringTheExtensionOfAnotherIsNotExtended() async throws {
        let bench = try LifecycleBench()
        var boxes: [ReservationID: GuardBox] = [:]
        for _ in 0..<2 {
            let reservation = try await bench.client.reserve(bench.request())
            let id = reservation.reservationID
            boxes[id] = GuardBox(reservation)
        }
        let guards = boxes
        bench.wire.whenSent("extend") { request in
            for (id, box) in guards where !request.url.contains(id.rawValue) { _ = box.take() }
        }
        bench.clock.advance(by: .seconds(50))
        #expect(bench.operations == ["reserve", "reserve", "release", "extend"])
        #expect(bench.authority.activeReservations.count == 1)
    }

    private func failures(_ bench: LifecycleBench) -> [LeaseAttemptFailure.Disposition] {
        bench.events { if case .leaseAttemptFailed(let failure) = $0 { failure.disposition } else { nil } }
    }

    private func stops(_ bench: LifecycleBench) -> [LeaseStop] {
        bench.events { if case .leaseStopped(_, let reason, _) = $0 { reason } else { nil } }
    }

    private func losses(_ bench: LifecycleBench) -> [LeaseLoss] {
        bench.events { if case .leaseLost(let loss) = $0 { loss } else { nil } }
    }

    @Test(arguments: [Duration.seconds(5), .seconds(15), .seconds(60)])
    func aLeaseLivesForTenTimesItsLength(length: Duration) async throws {
        // The authority never lets a lease end further ahead than its first length.
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000, maxLead: length))
        let guarded = try await bench.client.reserve(bench.request(timeToLive: length))
        for _ in 0..<100 {
            bench.clock.advance(by: length / 10)
            #expect(bench.authority.activeReservations == [guarded.reservationID])
        }
        #expect(failures(bench).isEmpty && stops(bench).isEmpty && losses(bench).isEmpty)
        try await guarded.commit(.tokens(1))
        let extensions = bench.operations.count { $0 == "extend" }
        bench.clock.advance(by: length * 10)
        #expect(bench.operations.count { $0 == "extend" } == extensions)
    }

    @Test(arguments: [Duration.seconds(5), .seconds(15), .seconds(60)])
    func withoutTheRemainingTimeALeaseLivesToo(length: Duration) async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000, emitsRemainingTimeToLive: false))
        let guarded = try await bench.client.reserve(bench.request(timeToLive: length))
        for _ in 0..<100 {
            bench.clock.advance(by: length / 10)
            #expect(bench.authority.activeReservations == [guarded.reservationID])
        }
        try await guarded.release()
    }

    @Test func extensionsAskForTheTimeToLiveWithAKeyOfTheirOwn() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(200))
        let extends = bench.wire.requests.filter { $0.operationName == "extend" }
        #expect(extends.count > 1 && extends.allSatisfy { $0.json["extend_by_ms"] == 60_000 })
        #expect(Set(extends.map(\.bodyKey)).count == extends.count)
        #expect(extends.allSatisfy { $0.timeout <= .seconds(7) })
        #expect(guarded.expiresAtMilliseconds > bench.clock.nowMilliseconds)
        let reported = bench.events { if case .leaseExtended(let event) = $0 { event } else { nil } }
        #expect(
            reported.count == extends.count && reported.last?.expiresAtMilliseconds == guarded.expiresAtMilliseconds
        )
        try await guarded.release()
    }

    @Test func aFailureIsReportedAndRetriedWithTheSameKey() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("extend")
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(50))
        let extends = bench.wire.requests.filter { $0.operationName == "extend" }
        #expect(extends.count == 2 && extends[0].body == extends[1].body)
        #expect(failures(bench) == [.retrying(after: .milliseconds(3_750))])
        let failed = bench.events { if case .leaseAttemptFailed(let failure) = $0 { failure } else { nil } }
        #expect(failed.first?.reservationID == guarded.reservationID)
        // Applied once, although it arrived twice.
        #expect(guarded.expiresAtMilliseconds == bench.clock.nowMilliseconds + 70_000)
        try await guarded.commit(.tokens(1))
    }

    @Test func aLeaseThatCannotBeExtendedIsLostAndSettledAllTheSame() async throws {
        let bench = try LifecycleBench()
        for _ in 0..<20 { bench.wire.loseRequest("extend") }
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(59))
        #expect(stops(bench) == [.noTimeToRetry] && losses(bench).isEmpty)
        bench.clock.advance(by: .seconds(2))
        #expect(losses(bench).map(\.reservationID) == [guarded.reservationID])
        // Within the server's grace period it can still be committed.
        #expect(try await guarded.commit(.tokens(7)).charged == .tokens(7))
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test(arguments: [
        (404, "NOT_FOUND", true), (410, "RESERVATION_EXPIRED", true), (409, "RESERVATION_FINALIZED", true),
        (409, "MAX_EXTENSIONS_EXCEEDED", false), (409, "TENANT_CLOSED", false), (401, "UNAUTHORIZED", false),
    ])
    func refusalsStopTheHeartbeat(status: Int, code: String, isLoss: Bool) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("extend", status: status, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(46))
        #expect(stops(bench).count == 1 && losses(bench).count == (isLoss ? 1 : 0))
        bench.clock.advance(by: .seconds(10))
        #expect(bench.operations == ["reserve", "extend"])
        try await guarded.release()
    }

    @Test func finalizedWhileTheCommitIsOnItsWayIsNoNews() async throws {
        let bench = try LifecycleBench { $0.retry.inlineBudget = .seconds(30) }
        // The commit's answer is lost, so that the lease is extended after it was settled.
        bench.wire.loseAnswer("commit")
        for _ in 0..<2 { bench.wire.loseRequest("commit") }
        let box = GuardBox(try await bench.client.reserve(bench.request(timeToLive: .seconds(5))))
        async let settlement = box.take()?.commit(.tokens(7))
        await bench.advanceUntil { bench.operations.count >= 6 }
        #expect(bench.operations == ["reserve", "commit", "commit", "commit", "extend", "commit"])
        #expect(try await settlement?.charged == .tokens(7))
        #expect(losses(bench).isEmpty && stops(bench).isEmpty && failures(bench).isEmpty)
    }

    @Test func aShortLeaseIsReportedAtOnce() async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000, maxLead: .seconds(2)))
        let guarded = try await bench.client.reserve(bench.request(timeToLive: .seconds(2)))
        let risks = bench.events { if case .leaseAtRisk(_, let risk, _) = $0 { risk } else { nil } }
        #expect(risks == [.tooShort])
        bench.clock.advance(by: .seconds(10))
        #expect(stops(bench) == [.tooShort] && losses(bench).count == 1)
        #expect(bench.operations.count { $0 == "extend" } == 1)
        try await guarded.release()
    }

    @Test func aLeadLimitIsSuspectedOnce() async throws {
        let bench = try LifecycleBench(
            options: .init(maxExtensions: 1_000, maxLead: .seconds(60), emitsRemainingTimeToLive: false)
        )
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(300))
        let risks = bench.events { if case .leaseAtRisk(_, let risk, _) = $0 { risk } else { nil } }
        #expect(risks == [.limited])
        #expect(bench.authority.activeReservations.count == 1)
        try await guarded.release()
    }

    @Test func anExtensionByHandMovesTheHeartbeat() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        try await guarded.extend(by: .seconds(600))
        bench.clock.advance(by: .seconds(600))
        #expect(bench.operations == ["reserve", "extend"])
        bench.clock.advance(by: .seconds(60))
        #expect(bench.operations == ["reserve", "extend", "extend"])
        let error: CyclesError?
        do throws(CyclesError) {
            try await guarded.extend(by: .seconds(100_000))
            error = nil
        } catch let refusal { error = refusal }
        guard case .validation = error else {
            Issue.record("\(error as Any)")
            return
        }
        try await guarded.release()
    }

    @Test func anExtensionByHandRevivesALeaseThatIsNoLongerExtended() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("extend", status: 429, #"{"error":"LIMIT_EXCEEDED","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(46))
        #expect(stops(bench) == [.throttled])
        try await guarded.extend(by: .seconds(60))
        bench.clock.advance(by: .seconds(200))
        #expect(losses(bench).isEmpty && bench.authority.activeReservations.count == 1)
        try await guarded.release()
    }

    /// A client in virtual time over an authority some of whose extensions are stuck.
    private func stuckClient(
        _ count: Int
    ) throws -> (client: CyclesClient, clock: ManualClock, observer: RecordingObserver, stuck: StuckTransport) {
        let clock = ManualClock()
        let observer = RecordingObserver()
        let authority = LocalAuthority(options: .init(maxExtensions: 1_000), clock: clock)
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        let stuck = StuckTransport(authority, holding: count)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = observer
        let client = try CyclesClient(configuration: configuration, environment: .testing(.tasks(stuck), clock))
        return (client, clock, observer, stuck)
    }

    private let request = ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10))

    @Test func anExtensionByHandCountsWhileAnAttemptIsOnItsWay() async throws {
        let (client, clock, observer, stuck) = try stuckClient(1)
        let guarded = try await client.reserve(request)
        clock.advance(by: .seconds(46))
        #expect(stuck.holds == 1)
        try await guarded.extend(by: .seconds(600))
        clock.advance(by: .seconds(20))
        // By the old lease it would be too late by now.
        stuck.fail()
        clock.advance(by: .seconds(1_200))
        for event in observer.events {
            switch event {
            case .leaseStopped, .leaseLost: Issue.record("\(event)")
            default: break
            }
        }
        try await guarded.release()
    }

    @Test func aLeaseThatRunsOutDuringAnAttemptIsNoticed() async throws {
        let (client, clock, observer, _) = try stuckClient(.max)
        let guarded = try await client.reserve(request)
        clock.advance(by: .seconds(61))
        let losses = observer.events.filter { if case .leaseLost = $0 { true } else { false } }
        #expect(losses.count == 1)
        try await guarded.release()
    }

    @Test func afterShutdownNothingIsExtended() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        await bench.client.shutdown()
        bench.clock.advance(by: .seconds(59))
        #expect(bench.operations == ["reserve"])
        try await guarded.release()
    }

    @Test func withoutAHeartbeatNothingIsExtended() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .disabled }
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(61))
        #expect(bench.operations == ["reserve"] && losses(bench).isEmpty)
        try await guarded.commit(.tokens(1))
    }

    @Test func aLostLeaseFailsTheEndIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        for _ in 0..<20 { bench.wire.loseRequest("extend") }
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(61))
        var error: CyclesError?
        do throws(CyclesError) { try await guarded.commit(.tokens(7)) } catch let loss { error = loss }
        guard case .leaseLost(let loss) = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(loss.settlement?.charged == .tokens(7))
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test func aStopAloneIsNoLoss() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        bench.wire.answer("extend", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(50))
        #expect(stops(bench).count == 1)
        #expect(try await guarded.commit(.tokens(7)).charged == .tokens(7))
    }

    @Test func manyLeasesAreKeptByOneAlarm() async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000))
        var boxes: [GuardBox] = []
        for index in 0..<200 {
            boxes.append(
                GuardBox(try await bench.client.reserve(bench.request(10, timeToLive: .seconds(30 + index % 7))))
            )
            bench.clock.advance(by: .milliseconds(100))
        }
        bench.clock.advance(by: .seconds(300))
        #expect(bench.authority.activeReservations.count == 200)
        for box in boxes { try await box.take()?.commit(.tokens(1)) }
        #expect(bench.figures == [99_800, 0, 200])
    }

    @Test func warningsAreWrittenOncePerKindAndReservation() {
        let lines = Lock([String]())
        let reporter = StandardErrorReporter { line in lines.withLock { $0.append(line) } }
        let error = CyclesError.transport(HTTPTransportError(kind: .timedOut, message: "too late"))
        for id in ["rsv_1", "rsv_2"] {
            for _ in 0..<3 {
                reporter.observe(
                    .leaseAttemptFailed(
                        LeaseAttemptFailure(
                            reservationID: ReservationID(id),
                            error: error,
                            disposition: .retrying(after: .seconds(2))
                        )
                    )
                )
                reporter.observe(.leaseStopped(ReservationID(id), .noTimeToRetry))
                reporter.observe(.settled(ReservationID(id), Settlement(.released)))
            }
        }
        let written = lines.withLock { $0 }
        #expect(written.count == 4)
        #expect(
            written.first
                == "cycles: warning: The lease of rsv_1 could not be extended; the next attempt is in 2 s: "
                + "too late (it is not known whether the request was sent)\n"
        )
    }
}
