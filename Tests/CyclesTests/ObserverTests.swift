import Cycles
import CyclesSimulation
import CyclesTesting
import Testing

@Suite struct ObserverTests {
    @Test func everyAttemptIsReportedFromItsBeginningToItsEnd() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        let id = guarded.reservationID
        bench.clock.advance(by: .seconds(46))
        try await guarded.commit(CommitRequest(actual: .tokens(1), idempotencyKey: "key-of-the-commit"))
        _ = await bench.failure { () throws(CyclesError) in try await bench.client.getReservation("rsv_none") }
        let starts = bench.events { if case .attemptStarted(let start) = $0 { start } else { nil } }
        let ends = bench.events { if case .attemptFinished(let end) = $0 { end } else { nil } }
        #expect(starts == ends.map(\.attempt))
        #expect(
            starts.map(\.operation) == [
                "createReservation", "extendReservation", "commitReservation", "getReservation",
            ]
        )
        #expect(starts.map(\.reservationID) == [nil, id, id, "rsv_none"])
        #expect(starts[2].idempotencyKey == "key-of-the-commit" && starts[3].idempotencyKey == nil)
        #expect(ends.map(\.status) == [200, 200, 200, 404])
        #expect(ends.allSatisfy { $0.requestID != nil && $0.traceID != nil && $0.duration == .zero })
        #expect(ends.map { $0.error?.errorCode } == [nil, nil, nil, .notFound])
    }

    @Test func retriesAndSettlementsAreReported() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 500)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        async let settlement = box.take()?.commit(.tokens(1))
        await bench.advanceUntil { bench.operations.count == 3 }
        _ = try await settlement
        let retries = bench.events { if case .retryScheduled(let retry) = $0 { retry } else { nil } }
        #expect(retries.map(\.operation) == ["commitReservation"])
        #expect(retries.map(\.delay) == [.milliseconds(500)] && retries.first?.error.status == 500)
        let settled = bench.events { if case .settled(_, let settlement, _) = $0 { settlement } else { nil } }
        #expect(settled.count == 1 && settled.first?.charged == .tokens(1))
    }

    @Test func anAttemptToExtendHasALimitOfItsOwn() async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 100, maxLead: .seconds(15)))
        let guarded = try await bench.client.reserve(bench.request(timeToLive: .seconds(15)))
        bench.clock.advance(by: .seconds(9))
        let extend = try #require(bench.wire.requests.last)
        #expect(extend.operationName == "extend" && extend.timeout == .milliseconds(2_500))
        #expect(bench.wire.requests.first?.timeout == .seconds(7))
        try await guarded.release()
    }

    @Test func noEventShowsAKey() async throws {
        let bench = try LifecycleBench { $0.apiKey = "a-secret-key" }
        _ = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(!bench.observer.events.isEmpty)
        var text = ""
        for event in bench.observer.events { dump(event, to: &text) }
        #expect(!text.contains("a-secret-key"))
    }
}
