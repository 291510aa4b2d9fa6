import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

/// Answers that something between client and server gives in the server's place.
@Suite struct GatewayAnswerTests {
    static let bodies = [
        "", "<html><h1>Not here</h1></html>", "[]", "null", #"{"message":"no Route matched with those values"}"#,
        #"{"error":"forbidden"}"#, #"{"error":"Not Found","status":404,"path":"/v1/reservations"}"#, #"{"error":""}"#,
        #"{"error":{"code":"NOT_FOUND","message":"m"}}"#, #"{"error":true,"message":"m","request_id":"r"}"#,
        #"{"error":"NOT FOUND"}"#, #"{"code":"NOT_FOUND","message":"m"}"#, #"{"error":"NOT_FOUND","mess"#,
        #"{"errors":[{"error":"NOT_FOUND"}]}"#, #"{"error":"reservation_expired"}"#,
    ]

    static let statuses = [
        300, 301, 302, 304, 307, 308, 400, 402, 403, 404, 405, 407, 408, 409, 410, 411, 413, 421, 425, 429, 431, 451,
        499,
    ]

    private func stops(_ bench: LifecycleBench) -> [LeaseStop] {
        bench.events { if case .leaseStopped(_, let reason, _) = $0 { reason } else { nil } }
    }

    // MARK: Heartbeat

    @Test(arguments: statuses) func aLeaseOutlivesAGateway(status: Int) async throws {
        for body in GatewayAnswerTests.bodies {
            let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
            bench.wire.answer("extend", status: status, body)
            let guarded = try await bench.client.reserve(bench.request())
            bench.clock.advance(by: .seconds(50))
            #expect(stops(bench).isEmpty, "\(status) \(body)")
            let extensions = bench.wire.requests.filter { $0.operationName == "extend" }
            #expect(extensions.count == 2 && Set(extensions.map(\.bodyKey)).count == 1, "\(status) \(body)")
            bench.clock.advance(by: .seconds(60))
            try await guarded.commit(.tokens(1))
        }
    }

    @Test func aLeaseWhoseEndIsNotKnownOutlivesAGatewayToo() async throws {
        let bench = try LifecycleBench(options: .init(emitsRemainingTimeToLive: false))
        for status in [404, 302] { bench.wire.answer("extend", status: status, "<html>") }
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(200))
        #expect(stops(bench).isEmpty && bench.authority.activeReservations == [guarded.reservationID])
        try await guarded.release()
    }

    @Test func aTimeoutIsPassingWhateverItSays() async throws {
        for code in ["REQUEST_TIMEOUT", "INVALID_REQUEST", "INTERNAL_ERROR"] {
            let bench = try LifecycleBench()
            bench.wire.answer("extend", status: 408, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
            let guarded = try await bench.client.reserve(bench.request())
            bench.clock.advance(by: .seconds(110))
            #expect(stops(bench).isEmpty && bench.authority.activeReservations == [guarded.reservationID])
            try await guarded.release()
        }
    }

    @Test(arguments: bodies) func aKeyThatIsNotAcceptedStopsWhoeverSaysSo(body: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("extend", status: 401, body)
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(50))
        guard case .refused(401, _)? = stops(bench).first else {
            Issue.record("\(stops(bench))")
            return
        }
        try await guarded.release()
    }

    @Test(arguments: [
        (400, "INVALID_REQUEST"), (403, "FORBIDDEN"), (404, "SOMETHING_NEW"), (409, "IDEMPOTENCY_MISMATCH"),
        (409, "BUDGET_FROZEN"), (409, "ACTION_KIND_DENIED"), (418, "TEAPOT_2"),
    ])
    func anErrorOfTheProtocolStops(status: Int, code: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("extend", status: status, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .seconds(50))
        #expect(stops(bench) == [.refused(status: status, ErrorCode(rawValue: code))])
        #expect(bench.operations == ["reserve", "extend"])
        try await guarded.release()
    }

    @Test func aGatewayThatLimitsRequestsIsObeyed() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("extend", status: 429, "<html>", headers: ["Retry-After": "2"])
        let guarded = try await bench.client.reserve(bench.request())
        bench.clock.advance(by: .milliseconds(46_999))
        #expect(bench.operations == ["reserve", "extend"])
        bench.clock.advance(by: .milliseconds(1))
        #expect(bench.operations == ["reserve", "extend", "extend"] && stops(bench).isEmpty)
        try await guarded.release()
    }

    // MARK: Settlement

    @Test func aTimeoutIsRepeatedQuickly() async throws {
        for body in ["", #"{"error":"REQUEST_TIMEOUT"}"#, #"{"error":"NOT_FOUND","message":"m","request_id":"r"}"#] {
            let bench = try LifecycleBench { $0.retry.inlineBudget = .seconds(5) }
            bench.wire.answer("commit", status: 408, body)
            let box = GuardBox(try await bench.client.reserve(bench.request()))
            async let settlement = box.take()?.commit(.tokens(7))
            await bench.advanceUntil { bench.operations.count == 3 }
            #expect(try await settlement?.charged == .tokens(7))
            #expect(bench.wire.requests[1].body == bench.wire.requests[2].body)
        }
    }

    @Test(arguments: [400, 403, 404, 405, 407, 409, 413, 421, 425, 451])
    func aSettlementOutlivesAGateway(status: Int) async throws {
        for body in GatewayAnswerTests.bodies {
            let bench = try LifecycleBench()
            bench.wire.answer("commit", status: status, body)
            let guarded = try await bench.client.reserve(bench.request())
            let settlement = try await guarded.commit(.tokens(7))
            #expect(settlement.outcome == .queued(isDurable: false), "\(status) \(body)")
            await bench.client.flush(timeout: .zero)
            #expect(bench.figures == [99_993, 0, 7], "\(status) \(body)")
        }
    }

    @Test(arguments: [403, 404, 405, 408, 421, 425, 302])
    func aLookUpThatAGatewayAnswersDecidesNothing(status: Int) async throws {
        for body in GatewayAnswerTests.bodies {
            let bench = try LifecycleBench { $0.retry.inlineBudget = .zero }
            // The commit is applied, its answer lost, and what follows says that it is over.
            bench.wire.loseAnswer("commit")
            bench.wire.answer(
                "commit",
                status: 409,
                #"{"error":"RESERVATION_FINALIZED","message":"m","request_id":"r"}"#
            )
            bench.wire.answer("get", status: status, body)
            let guarded = try await bench.client.reserve(bench.request())
            let settlement = try await guarded.commit(.tokens(7))
            #expect(settlement.outcome == .queued(isDurable: false))
            bench.clock.advance(by: .milliseconds(700))
            #expect(bench.operations.prefix(4) == ["reserve", "commit", "commit", "get"], "\(status) \(body)")
            await bench.client.flush(timeout: .zero)
            #expect(bench.figures == [99_993, 0, 7])
            let rejected = bench.events { if case .settlementFailed = $0 { true } else { nil } }
            #expect(rejected.isEmpty, "\(status) \(body)")
        }
    }

    // MARK: Reserve

    @Test(arguments: [302, 400, 403, 404, 407, 408, 409, 425])
    func aGatewayLeavesAnAmbiguousReserveAmbiguous(status: Int) async throws {
        for body in GatewayAnswerTests.bodies {
            let bench = try LifecycleBench()
            bench.wire.loseAnswer("reserve")
            bench.wire.answer("reserve", status: status, body)
            let found = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request())
            }
            guard case .ambiguous(let outcome)? = found else {
                Issue.record("\(status) \(body): \(found as Any)")
                return
            }
            #expect(outcome.status == status && outcome.idempotencyKey != nil)
        }
    }

    @Test(arguments: [
        (400, "INVALID_REQUEST"), (404, "NOT_FOUND"), (409, "BUDGET_EXCEEDED"), (409, "ACTION_KIND_DENIED"),
        (409, "IDEMPOTENCY_MISMATCH"),
    ])
    func theServersOwnRefusalEndsTheDoubt(status: Int, code: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.loseRequest("reserve")
        bench.wire.answer("reserve", status: status, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let found = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(found?.errorCode?.rawValue == code)
    }

    @Test(arguments: statuses) func aReserveThatAGatewayRefusesIsNotRepeated(status: Int) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: status, "<html>")
        let found = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(found?.status == status && found?.isRetryable == (status == 429))
        #expect(bench.operations == ["reserve"])
    }

    // MARK: Release

    @Test(arguments: [403, 404, 405, 407, 421])
    func aGatewayDoesNotSayThatAHoldWasReleased(status: Int) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("release", status: status, "<html>")
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        let found = await bench.failure { () throws(CyclesError) in try await box.take()?.release() }
        #expect(found?.status == status && bench.figures == [99_000, 1_000, 0])
    }

    @Test func aReleaseThatTimesOutIsRepeated() async throws {
        let bench = try LifecycleBench { $0.retry.inlineBudget = .seconds(5) }
        bench.wire.answer("release", status: 408)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        async let released = box.take()?.release()
        await bench.advanceUntil { bench.operations.count == 3 }
        #expect(try await released?.outcome == .released)
        #expect(bench.figures == [100_000, 0, 0])
    }

    // MARK: Codes

    @Test(arguments: [
        ("NOT_FOUND", true), ("SOMETHING_NEW_2", true), ("X", true), ("", false), ("Not Found", false),
        ("not_found", false), ("NOT FOUND", false), ("NOT-FOUND", false), ("404", false), ("_X", false), ("ÄB", false),
        ("NOT_FOUND\n", false),
    ])
    func codesHaveAForm(text: String, isCode: Bool) {
        #expect(ErrorCode(rawValue: text).isOfProtocol == isCode)
    }
}
