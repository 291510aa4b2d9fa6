import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

@Suite struct GuardTests {
    @Test func aCommitChargesAndFreesTheRest() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        let settlement = try await guarded.commit(.tokens(420), metadata: ["job": 7])
        #expect(settlement.charged == .tokens(420))
        guard case .committed(let response) = settlement.outcome else {
            Issue.record("\(settlement)")
            return
        }
        #expect(response.released == .tokens(580))
        #expect(bench.figures == [99_580, 0, 420])
        #expect(bench.wire.requests[1].json["metadata"] == ["job": 7])
    }

    @Test func aCommitRequestKeepsItsKey() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        try await guarded.commit(CommitRequest(actual: .tokens(1), idempotencyKey: "mine"))
        #expect(bench.wire.requests[1].bodyKey == "mine")
    }

    @Test func aReleaseGivesBackEverything() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.release(reason: "called off").outcome == .released)
        #expect(bench.figures == [100_000, 0, 0])
        #expect(bench.wire.requests[1].json["reason"] == "called off")
    }

    // MARK: Guards that end unfinished

    @Test func aDroppedGuardGivesItsHoldBack() async throws {
        let bench = try LifecycleBench()
        do { _ = try await bench.client.reserve(bench.request()) }
        #expect(bench.operations == ["reserve", "release"])
        #expect(bench.figures == [100_000, 0, 0])
        let drops = bench.observer.events.filter { if case .guardDropped(_, nil, _) = $0 { true } else { false } }
        #expect(drops.count == 1)
    }

    @Test func aDroppedGuardSettlesWhatWasRecorded() async throws {
        let bench = try LifecycleBench()
        do {
            let guarded = try await bench.client.reserve(bench.request())
            guarded.addSpend(.tokens(30))
            guarded.context.addSpend(.tokens(12))
        }
        #expect(bench.operations == ["reserve", "commit"])
        #expect(bench.figures == [99_958, 0, 42])
        let drops = bench.events { if case .guardDropped(_, let spend, _) = $0 { spend } else { Amount?.none } }
        #expect(drops == [.tokens(42)])
    }

    @Test func aDropIsFollowedThroughWithoutATask() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseRequest("release")
        do { _ = try await bench.client.reserve(bench.request()) }
        #expect(bench.figures == [99_000, 1_000, 0])
        bench.clock.advance(by: .milliseconds(500))
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func aReleaseSettlesWhatWasRecorded() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.tokens(42))
        let settlement = try await guarded.release()
        #expect(settlement.charged == .tokens(42))
        #expect(bench.operations == ["reserve", "commit"])
    }

    // MARK: Recorded spend

    @Test func spendIsAddedAndReplaced() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.tokens(5))
        guarded.setSpend(.tokens(3))
        guarded.addSpend(.tokens(4))
        #expect(guarded.recordedSpend == .tokens(7))
        guarded.addSpend(.tokens(.max))
        #expect(guarded.recordedSpend == .tokens(.max))
        guarded.setSpend(.tokens(0))
        #expect(guarded.recordedSpend == .tokens(0))
        try await guarded.release()
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func spendThatMakesNoSenseIsReported() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        let context = guarded.context
        guarded.addSpend(.credits(5))
        context.setSpend(.tokens(-1))
        #expect(guarded.recordedSpend == nil)
        try await guarded.commit(.tokens(1))
        context.addSpend(.tokens(9))
        let ignored = bench.events { if case .valueIgnored(_, let what, _) = $0 { what } else { String?.none } }
        #expect(ignored.count == 3)
        #expect(bench.figures == [99_999, 0, 1])
    }

    /// An end of a guard that says nothing of its cost.
    enum SilentEnd: CaseIterable { case release, drop, commitOfNonsense }

    private func end(_ guarded: consuming ReservationGuard, _ end: SilentEnd) async throws {
        switch end {
        case .release: try await guarded.release()
        case .drop: _ = consume guarded
        case .commitOfNonsense: try await guarded.commit(.tokens(-1))
        }
    }

    @Test(arguments: SilentEnd.allCases, [Amount.credits(5), .tokens(-1), .usdMicrocents(.max)])
    func spendThatCannotBeAddedChargesTheEstimate(way: SilentEnd, spend: Amount) async throws {
        for isReplacing in [false, true] {
            let bench = try LifecycleBench()
            let guarded = try await bench.client.reserve(bench.request())
            if isReplacing { guarded.setSpend(spend) } else { guarded.addSpend(spend) }
            // Spend that is known as well is not added to the estimate: it is part of it.
            guarded.addSpend(.tokens(3))
            try await end(guarded, way)
            #expect(bench.figures == [99_000, 0, 1_000])
            #expect(bench.operations == ["reserve", "commit"])
            #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
            let dropped = bench.events { if case .guardDropped(_, let spend, _) = $0 { spend } else { Amount?.none } }
            #expect(dropped == (way == .drop ? [.tokens(1_000)] : []))
        }
    }

    @Test func knownSpendAboveTheEstimateIsNotForgottenForUnknownSpend() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.credits(1))
        guarded.addSpend(.tokens(1_500))
        #expect(try await guarded.release().charged == .tokens(1_500))
        #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
    }

    @Test func aTotalMakesUnknownSpendKnown() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.credits(5))
        guarded.setSpend(.tokens(12))
        try await guarded.release()
        #expect(bench.figures == [99_988, 0, 12])
        let second = try await bench.client.reserve(bench.request())
        second.addSpend(.credits(5))
        second.setSpend(.tokens(0))
        try await second.release()
        #expect(bench.operations.last == "release" && bench.figures == [99_988, 0, 12])
    }

    @Test func aCommitOverridesWhatWasRecorded() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.tokens(42))
        try await guarded.commit(.tokens(7))
        #expect(bench.figures == [99_993, 0, 7])
    }

    // MARK: Nothing that is passed stands in the way

    @Test(arguments: [Amount.tokens(-5), .credits(5)])
    func anInvalidAmountCommitsTheEstimateMarkedAsSuch(actual: Amount) async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        let settlement = try await guarded.commit(actual)
        #expect(settlement.charged == .tokens(1_000))
        #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
        let ignored = bench.events { if case .valueIgnored(_, let what, _) = $0 { what } else { String?.none } }
        #expect(ignored.count == 1)
    }

    @Test(arguments: [
        (Amount.tokens(5), false), (.tokens(-5), true), (.credits(5), true), (.tokens(1_000), false),
    ])
    func aSettlementTellsThatTheEstimateWasCharged(actual: Amount, isEstimate: Bool) async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let settlement = try await reservation.commit(actual)
        #expect(settlement.chargedEstimate == isEstimate)
        let settled = bench.events { if case .settled(_, let settlement, _) = $0 { settlement } else { nil } }
        #expect(settled == [settlement])
        #expect("\(settlement)".hasSuffix("; charges the estimate, since the cost is not known") == isEstimate)
    }

    @Test func aQueuedSettlementTellsThatItChargesTheEstimate() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 401)
        let reservation = try await bench.client.reserve(bench.request())
        let context = reservation.context
        let queued = try await reservation.commit(.credits(1))
        #expect(queued == Settlement(.queued(isDurable: false), chargedEstimate: true))
        await bench.client.flush(timeout: .zero)
        #expect(try context.settlement?.get().charged == .tokens(1_000))
        #expect(try context.settlement?.get().chargedEstimate == true)
    }

    @Test func aReleaseChargesNoEstimate() async throws {
        let bench = try LifecycleBench()
        #expect(try await bench.client.reserve(bench.request()).release() == Settlement(.released))
    }

    @Test func recordedSpendComesBeforeTheEstimate() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        guarded.addSpend(.tokens(42))
        #expect(try await guarded.commit(.tokens(-1)).charged == .tokens(42))
        #expect(bench.wire.requests[1].json["metadata"] == nil)
    }

    @Test func whatCannotBeSentIsLeftOut() async throws {
        let bench = try LifecycleBench()
        var deep: JSONValue = 1
        for _ in 0..<200 { deep = [deep] }
        let guarded = try await bench.client.reserve(bench.request())
        let request = CommitRequest(
            actual: .tokens(5),
            metrics: CyclesMetrics(tokensInput: -1),
            metadata: ["deep": deep, "kept": true],
            idempotencyKey: "a\nb"
        )
        #expect(try await guarded.commit(request).charged == .tokens(5))
        let sent = bench.wire.requests[1].json
        #expect(sent["metadata"] == ["kept": true] && sent["metrics"] == nil)
        #expect(sent["idempotency_key"] != "a\nb")
        let ignored = bench.events { if case .valueIgnored(_, let what, _) = $0 { what } else { String?.none } }
        #expect(
            ignored == [
                "metrics.tokensInput is less than zero", "metadata[\"deep\"] is nested deeper than 128 levels",
                "idempotencyKey contains a line break or NUL",
            ]
        )
    }

    // MARK: Settlement that does not get through at once

    @Test func aLostAnswerIsAskedForAgainWithTheSameBytes() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("commit")
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        async let settlement = box.take()?.commit(.tokens(420))
        await bench.advanceUntil { bench.operations.count == 3 }
        #expect(try await settlement?.charged == .tokens(420))
        #expect(bench.wire.requests[1].body == bench.wire.requests[2].body)
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test(arguments: [
        (201, #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":420}}"#), (204, ""), (200, ""),
        (200, #"{"status":"ACTIVE","charged":{"unit":"TOKENS","amount":420}}"#), (200, #"{"status":"COMMITTED"}"#),
        (200, #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":-1}}"#), (302, ""),
    ])
    func aSuccessThatIsNoneIsRepeatedWithTheSameKey(status: Int, body: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: status, body)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        async let settlement = box.take()?.commit(.tokens(420))
        await bench.advanceUntil { bench.operations.count == 3 }
        #expect(try await settlement?.charged == .tokens(420))
        #expect(bench.wire.requests[1].body == bench.wire.requests[2].body)
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test func whatTakesLongerGoesOnInTheBackground() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer(
            "commit",
            status: 429,
            #"{"error":"LIMIT_EXCEEDED","message":"m","request_id":"r"}"#,
            headers: ["Retry-After": "30"]
        )
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: false))
        bench.clock.advance(by: .milliseconds(29_999))
        #expect(bench.figures == [99_000, 1_000, 0])
        // Not even a flush asks before the server wants to be asked.
        let report = await bench.client.flush(timeout: .zero)
        #expect(report.stillPending == 1 && bench.operations.count == 2)
        bench.clock.advance(by: .milliseconds(1))
        #expect(bench.figures == [99_580, 0, 420])
        let settled = bench.events {
            if case .settled(_, let settlement, _) = $0 { settlement } else { Settlement?.none }
        }
        #expect(settled.count == 2 && settled.last?.charged == .tokens(420))
    }

    @Test func aRejectedKeyQueuesAtOnceAndIsAskedAgainLater() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: false))
        await bench.client.flush(timeout: .zero)
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test func anExpiredReservationIsRecordedAsAnEvent() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .disabled }
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(120))
        let settlement = try await guarded.commit(.tokens(420))
        guard case .recorded = settlement.outcome else {
            Issue.record("\(settlement)")
            return
        }
        #expect(bench.operations == ["reserve", "commit", "event"])
        #expect(bench.wire.requests[1].bodyKey == bench.wire.requests[2].bodyKey)
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test func anOperatorsReleaseDoesNotLoseSpend() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        _ = try await bench.client.releaseReservation(guarded.reservationID)
        guard case .recorded = try await guarded.commit(.tokens(420)).outcome else {
            Issue.record("not recovered")
            return
        }
        #expect(bench.operations == ["reserve", "release", "commit", "get", "event"])
        #expect(bench.figures == [99_580, 0, 420])
    }

    @Test func whatWasCommittedElsewhereIsSettled() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        _ = try await bench.client.commitReservation(guarded.reservationID, CommitRequest(actual: .tokens(5)))
        #expect(try await guarded.commit(.tokens(420)).outcome == .alreadySettled)
        #expect(bench.figures == [99_995, 0, 5])
    }

    @Test func whatTheServerRefusesThrows() async throws {
        let bench = try LifecycleBench()
        var request = bench.request()
        request.overagePolicy = .reject
        let guarded = try await bench.client.reserve(request)
        let context = guarded.context
        var error: CyclesError?
        do throws(CyclesError) { try await guarded.commit(.tokens(1_001)) } catch let refusal { error = refusal }
        #expect(error?.errorCode == .budgetExceeded)
        // Its work is done: the hold is not released.
        #expect(bench.operations == ["reserve", "commit"])
        #expect(context.settlement == .failure(try #require(error)))
        let failures = bench.events {
            if case .settlementFailed(_, let error, _) = $0 { error } else { CyclesError?.none }
        }
        #expect(failures == [error])
    }

    @Test(arguments: [
        (410, "RESERVATION_EXPIRED"), (409, "RESERVATION_FINALIZED"),
    ])
    func aReleaseOfNothingIsNoFailure(status: Int, code: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("release", status: status, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.release().outcome == .released)
    }

    @Test func aReleaseIsRepeatedUntilTheLeaseEnds() async throws {
        let bench = try LifecycleBench()
        for _ in 0..<20 { bench.wire.loseRequest("release") }
        let box = GuardBox(try await bench.client.reserve(bench.request(timeToLive: .seconds(5))))
        async let settlement = box.take()?.release()
        await bench.advanceUntil { bench.operations.count { $0 == "release" } == 3 }
        #expect(try await settlement?.outcome == .queued(isDurable: false))
        bench.clock.advance(by: .seconds(60))
        // 0, 0.5 and 1.5 seconds; the next would be at 3.5, and the one after that beyond the lease of 5.
        #expect(bench.operations.filter { $0 == "release" }.count == 4)
        let failures = bench.events { if case .settlementFailed = $0 { true } else { Bool?.none } }
        #expect(failures.count == 1)
        #expect(await bench.client.flush(timeout: .zero).stillPending == 0)
    }

    @Test func settlementDoesNotObeyCancellation() async throws {
        let bench = try LifecycleBench()
        let settlement = try await Task {
            let guarded = try await bench.client.reserve(bench.request())
            withUnsafeCurrentTask { $0?.cancel() }
            return try await guarded.commit(.tokens(420))
        }.value
        #expect(settlement.charged == .tokens(420))
    }

    @Test func aReasonThatIsTooLongDoesNotKeepTheHold() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.release(reason: String(repeating: "x", count: 257)).outcome == .released)
        #expect(bench.figures == [100_000, 0, 0])
        let ignored = bench.events { if case .valueIgnored(_, let what, _) = $0 { what } else { String?.none } }
        #expect(ignored == ["reason has 257 characters; at most 256 are allowed"])
    }

    @Test func aCommitWaitsNoLongerThanItsBudgetForASlowServer() async throws {
        let clock = ManualClock()
        let authority = LocalAuthority(clock: clock)
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        let slow = SlowCommits(authority)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, environment: .testing(.tasks(slow), clock))
        let box = GuardBox(
            try await client.reserve(ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10)))
        )
        async let settlement = box.take()?.commit(.tokens(3))
        await until { slow.waiting == 1 }
        clock.advance(by: .milliseconds(1_999))
        #expect(slow.waiting == 1)
        clock.advance(by: .milliseconds(1))
        #expect(try await settlement?.outcome == .queued(isDurable: false))
        slow.answer()
        #expect(authority.balances().first?.spent == .tokens(3))
        #expect(await client.flush(timeout: .zero).stillPending == 0)
    }

    @Test func whatCannotBeSettledBeforeShutdownHasFailed() async throws {
        let bench = try LifecycleBench()
        for _ in 0..<2 {
            bench.wire.answer("commit", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        }
        let guarded = try await bench.client.reserve(bench.request())
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: false))
        await bench.client.shutdown(timeout: .zero)
        let failures = bench.events {
            if case .settlementFailed(_, let error, _) = $0 { error.status } else { Int?.none }
        }
        #expect(failures == [401])
        bench.clock.advance(by: .seconds(10_000))
        #expect(bench.operations.count { $0 == "commit" } == 2)
    }

    @Test func settlementBelongsToTheTraceOfTheTaskThatSettles() async throws {
        let bench = try LifecycleBench()
        let reserving = TraceContext(
            traceID: String(repeating: "a", count: 32),
            parentID: String(repeating: "b", count: 16)
        )
        let settling = TraceContext(
            traceID: String(repeating: "c", count: 32),
            parentID: String(repeating: "d", count: 16)
        )
        let boxes = try await TraceContext.$current.withValue(reserving) {
            [
                GuardBox(try await bench.client.reserve(bench.request())),
                GuardBox(try await bench.client.reserve(bench.request())),
            ]
        }
        _ = try await TraceContext.$current.withValue(settling) { try await boxes[0].take()?.commit(.tokens(1)) }
        do { _ = boxes[1].take() }
        let traces = bench.wire.requests.map { $0.headers["traceparent"] }
        #expect(
            traces == [reserving?.description, reserving?.description, settling?.description, reserving?.description]
        )
    }

    // MARK: Handing over

    @Test func aBoxHandsAGuardToAnotherTask() async throws {
        let bench = try LifecycleBench()
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        let task = Task { () -> Settlement? in
            guard let guarded = box.take() else { return nil }
            return try await guarded.commit(.tokens(3))
        }
        #expect(try await task.value?.charged == .tokens(3))
        let isEmpty = if box.take() == nil { true } else { false }
        #expect(isEmpty)
    }

    @Test func aBoxThatEndsEndsItsGuard() async throws {
        let bench = try LifecycleBench()
        do { _ = GuardBox(try await bench.client.reserve(bench.request())) }
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func childTasksRecordThroughTheContext() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        let context = guarded.context
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    context.addSpend(.tokens(1))
                    context.updateMetrics { $0.tokensOutput = ($0.tokensOutput ?? 0) + 1 }
                }
            }
        }
        try await guarded.release()
        #expect(bench.figures == [99_900, 0, 100])
        #expect(bench.wire.requests[1].json["metrics"] == ["tokens_output": 100])
    }

    @Test func shutdownWaitsForWhatWasDropped() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        // Nothing but tasks carries the requests here.
        struct Slow: HTTPTransport {
            let inner: LocalAuthority
            func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
                for _ in 0..<100 { await Task.yield() }
                return try await inner.answer(request)
            }
            func shutdown() async {}
        }
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: Slow(inner: authority))
        for number in 0..<20 {
            let guarded = try await client.reserve(
                ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10))
            )
            if number.isMultiple(of: 2) { guarded.addSpend(.tokens(3)) }
        }
        await client.shutdown()
        #expect(authority.activeReservations.isEmpty)
        #expect(authority.balances().first?.spent == .tokens(30))
    }
}

/// Answers everything at once but commits, which wait to be let through.
private final class SlowCommits: CallbackTransport {
    typealias Completion = @Sendable (Transferred) -> Void

    private let inner: LocalAuthority
    private let held = Lock([(HTTPRequest, Completion)]())

    init(_ inner: LocalAuthority) { self.inner = inner }

    var waiting: Int { held.withLock { $0.count } }

    func start(_ request: HTTPRequest, _ done: @escaping Completion) {
        if request.operationName == "commit" {
            held.withLock { $0.append((request, done)) }
        } else {
            finish(request, done)
        }
    }

    func answer() {
        let all = held.withLock { held in
            defer { held = [] }
            return held
        }
        for (request, done) in all { finish(request, done) }
    }

    private func finish(_ request: HTTPRequest, _ done: Completion) {
        done(Transferred(Result { () throws(HTTPTransportError) in try inner.send(request) }))
    }
}

extension LocalAuthority {
    fileprivate func answer(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        try send(request)
    }
}

extension LifecycleBench {
    /// Lets virtual time pass in small steps until something holds that other tasks bring about.
    func advanceUntil(_ condition: () -> Bool) async {
        await until {
            if condition() { return true }
            clock.advance(by: .milliseconds(10))
            return condition()
        }
    }
}
