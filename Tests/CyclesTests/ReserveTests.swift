import Cycles
import CyclesSimulation
import CyclesTesting
import Testing

@Suite struct ReserveTests {
    @Test func aReservationBecomesAGuard() async throws {
        let bench = try LifecycleBench()
        bench.authority.setBudget(
            scope: "tenant:acme",
            allocated: .tokens(100_000),
            caps: Caps(maxTokens: 5, cooldown: .seconds(1))
        )
        let guarded = try await bench.client.reserve(bench.request())
        #expect(guarded.decision == .allowWithCaps && guarded.isCapped && guarded.caps?.maxTokens == 5)
        #expect(guarded.affectedScopes == ["tenant:acme"])
        #expect(guarded.expiresAtMilliseconds == bench.clock.nowMilliseconds + 60_000)
        #expect(bench.authority.activeReservations == [guarded.reservationID])
        #expect(guarded.context.reservationID == guarded.reservationID)
        #expect(guarded.balances.count == 1 && guarded.evidence == nil && guarded.recordedSpend == nil)
        try await guarded.release()
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func aDenialIsOneTypedError() async throws {
        let bench = try LifecycleBench(budget: 10)
        let conflict = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(conflict?.isDenied == true && conflict?.isBudgetExceeded == true && conflict?.status == 409)
        bench.wire.answer(
            "reserve",
            status: 200,
            #"{"decision":"DENY","affected_scopes":["tenant:acme"],"reason_code":"BUDGET_FROZEN","retry_after_ms":1500}"#,
            headers: ["X-Request-Id": "req-1"]
        )
        let deny = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .denied(let denial) = deny else {
            Issue.record("\(deny as Any)")
            return
        }
        #expect(denial.reason == .budgetFrozen && denial.affectedScopes == ["tenant:acme"])
        #expect(denial.retryAfter == .milliseconds(1_500) && denial.requestID == "req-1")
        #expect(bench.operations == ["reserve", "reserve"])
    }

    @Test(arguments: [503, 500, 201, 204, 200])
    func anAmbiguousAnswerIsAskedForOnceMore(status: Int) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: status, "{}")
        let guarded = try await bench.client.reserve(bench.request())
        #expect(bench.operations == ["reserve", "reserve"])
        #expect(bench.wire.requests[0].body == bench.wire.requests[1].body)
        try await guarded.release()
    }

    @Test func aLostAnswerHoldsBudgetOnce() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("reserve")
        let guarded = try await bench.client.reserve(bench.request())
        #expect(bench.figures == [99_000, 1_000, 0])
        try await guarded.commit(.tokens(10))
        #expect(bench.figures == [99_990, 0, 10])
    }

    @Test func twoAmbiguousAnswersSaySo() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("reserve")
        bench.wire.answer("reserve", status: 502, "<html>", headers: ["X-Request-Id": "req-9"])
        var request = bench.request()
        request.idempotencyKey = "key-of-the-reserve"
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(request) }
        guard case .ambiguous(let outcome) = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(outcome.idempotencyKey == "key-of-the-reserve" && outcome.status == 502 && outcome.requestID == "req-9")
        #expect(error?.isRetryable == true && "\(outcome)".contains("key-of-the-reserve"))
        // The key finds what may be held.
        let found = try await bench.client.listReservations(ReservationQuery(idempotencyKey: outcome.idempotencyKey))
        #expect(found.reservations.count == 1)
    }

    @Test func whatNeverLeftIsNotAmbiguous() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseRequest("reserve", wasRequestSent: false)
        bench.wire.loseRequest("reserve", wasRequestSent: false)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .transport = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test func aRefusalAfterARequestThatNeverLeftIsARefusal() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseRequest("reserve", wasRequestSent: false)
        bench.wire.answer("reserve", status: 401, #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(error?.status == 401 && error?.errorCode == .unauthorized)
    }

    @Test(arguments: ["", "..", String(repeating: "r", count: 129)])
    func anIdThatCannotBeSentIsNoGuard(id: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer(
            "reserve",
            status: 200,
            #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"\#(id)","expires_at_ms":1}"#
        )
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .invalidResponse = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test func throttlingAfterAnAmbiguousAnswerLeavesItAmbiguous() async throws {
        let bench = try LifecycleBench()
        bench.wire.loseAnswer("reserve")
        bench.wire.answer("reserve", status: 429, #"{"error":"LIMIT_EXCEEDED","message":"m","request_id":"r"}"#)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .ambiguous = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test(arguments: [429, 400, 401, 404])
    func refusalsAreNotRetried(status: Int) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: status, #"{"error":"X","message":"m","request_id":"r"}"#)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        #expect(error?.status == status)
        #expect(bench.operations == ["reserve"])
    }

    @Test(arguments: [
        #"{"decision":"MAYBE","affected_scopes":[],"reservation_id":"rsv_x"}"#,
        #"{"decision":"ALLOW_WITH_CAPS","affected_scopes":[],"reservation_id":"rsv_x","expires_at_ms":1}"#,
        #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"rsv_x","expires_at_ms":1,"remaining_ttl_ms":0}"#,
    ])
    func answersThatAreNoPermissionGiveTheirHoldBack(body: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: 200, body)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .invalidResponse = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(bench.operations == ["reserve", "release"])
        #expect(bench.wire.requests[1].url.hasSuffix("/v1/reservations/rsv_x/release"))
    }

    @Test(arguments: [
        #"{"decision":"ALLOW","affected_scopes":["tenant:acme"]}"#,
        #"{"decision":"ALLOW","affected_scopes":[{"scope":"tenant:acme"}],"reservation_id":null,"expires_at_ms":1}"#,
        #"{"decision":"ALLOW_WITH_CAPS","affected_scopes":[],"caps":{"max_tokens":5}}"#,
    ])
    func anObservedDecisionIsNoGuard(body: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: 200, body)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .invalidResponse(let invalid) = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(invalid.message.contains("observed") && "\(invalid)".contains("observe_mode"))
        #expect(invalid.idempotencyKey != nil && bench.operations == ["reserve"])
        // The low-level call returns the decision.
        bench.wire.answer("reserve", status: 200, body)
        let response = try await bench.client.createReservation(bench.request())
        #expect(response.decision.isAllowed && response.reservationID == nil)
    }

    @Test func anObservedDecisionGivesBackWhatTheAttemptBeforeHeld() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer(
            "reserve",
            status: 200,
            #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"rsv_x"}"#
        )
        bench.wire.answer("reserve", status: 200, #"{"decision":"ALLOW","affected_scopes":[]}"#)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .invalidResponse = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(bench.operations == ["reserve", "reserve", "release"])
    }

    @Test(arguments: [
        #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"rsv_x"}"#,
        #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"rsv_x","expires_at_ms":1,"remaining_ttl_ms":"9"}"#,
        #"{"decision":"ALLOW_WITH_CAPS","affected_scopes":[],"reservation_id":"rsv_x","expires_at_ms":1,"caps":7}"#,
    ])
    func answersThatAreIncompleteAreAmbiguous(body: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("reserve", status: 200, body)
        bench.wire.answer("reserve", status: 200, body)
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .ambiguous = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(bench.operations == ["reserve", "reserve", "release"])
    }

    // MARK: Keys that are used twice

    private func request(_ bench: LifecycleBench) -> ReservationCreateRequest {
        var request = bench.request()
        request.idempotencyKey = "one-key"
        return request
    }

    @Test func theSecondGuardOfAHeldReservationIsRefused() async throws {
        let bench = try LifecycleBench()
        let blocking = try BlockingCyclesClient.waiting(
            configuration: bench.client.configuration,
            transport: bench.wire,
            clock: bench.clock
        )
        let first = try await bench.client.reserve(request(bench))
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(request(bench)) }
        guard case .validation? = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(error?.isRetryable == false)
        // The first one is not released under its feet, and settles what it spent.
        #expect(bench.operations == ["reserve", "reserve"])
        try await first.commit(.tokens(7))
        #expect(bench.figures == [99_993, 0, 7])

        var other = request(bench)
        other.idempotencyKey = "another-key"
        let held = try blocking.reserve(other)
        #expect(throws: CyclesError.self) { _ = try blocking.reserve(other) }
        try held.release()
        #expect(bench.figures == [99_993, 0, 7])
    }

    /// An answer that no guard can be made from names the reservation of a guard.
    @Test(arguments: [
        #"{"decision":"ALLOW_WITH_CAPS","reservation_id":"rsv_000001","expires_at_ms":9,"affected_scopes":[]}"#,
        #"{"decision":"MAYBE","reservation_id":"rsv_000001","affected_scopes":[]}"#,
        #"{"decision":"DENY","reservation_id":"rsv_000001","affected_scopes":[]}"#,
        #"{"decision":"ALLOW","reservation_id":"rsv_000001","expires_at_ms":9,"remaining_ttl_ms":0,"affected_scopes":[]}"#,
    ])
    func anAnswerThatIsOfNoUseDoesNotReleaseTheHoldOfAGuard(body: String) async throws {
        let bench = try LifecycleBench()
        let first = try await bench.client.reserve(request(bench))
        #expect(first.reservationID == "rsv_000001")
        bench.wire.answer("reserve", status: 200, body)
        #expect(await bench.failure { () throws(CyclesError) in try await bench.client.reserve(request(bench)) } != nil)
        #expect(bench.operations == ["reserve", "reserve"])
        try await first.commit(.tokens(7))
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test func aKeyWhoseGuardHasEndedIsRefusedByTheServerOnly() async throws {
        let bench = try LifecycleBench()
        try await bench.client.reserve(request(bench)).release()
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(request(bench)) }
        guard case .invalidResponse? = error else {
            Issue.record("\(error as Any)")
            return
        }
    }

    @Test func aDryRunIsNoGuard() async throws {
        let bench = try LifecycleBench()
        var request = bench.request()
        request.dryRun = true
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(request) }
        guard case .validation(let issue) = error else {
            Issue.record("\(error as Any)")
            return
        }
        #expect(issue.field == "dryRun" && bench.wire.requests.isEmpty)
    }

    // MARK: Cancellation

    @Test func aTaskThatWasCancelledBeforeSendsNothing() async throws {
        let bench = try LifecycleBench()
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        }
        #expect(await task.value == .cancelled)
        #expect(bench.wire.requests.isEmpty)
    }

    @Test(arguments: [false, true])
    func aCancelledReserveGivesBackWhatItGot(losesTheFirstAnswer: Bool) async throws {
        let bench = try LifecycleBench()
        let gate = GatedTransport(bench.authority)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: gate)
        let task = Task {
            await bench.failure { () throws(CyclesError) in try await client.reserve(bench.request()) }
        }
        await gate.waitForRequests(1)
        task.cancel()
        // At once, while the request is still on its way.
        #expect(await task.value == .cancelled)
        gate.open(losingAnswers: losesTheFirstAnswer ? 1 : 0)
        await client.shutdown()
        #expect(gate.operations == ["reserve"] + (losesTheFirstAnswer ? ["reserve"] : []) + ["release"])
        #expect(bench.figures == [100_000, 0, 0])
    }
}

/// Holds requests back until it is opened.
private final class GatedTransport: HTTPTransport {
    private struct State {
        var isOpen = false
        var toLose = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
        var operations: [String] = []
    }

    private let inner: any BlockingHTTPTransport
    private let state = Lock(State())

    init(_ inner: any BlockingHTTPTransport) { self.inner = inner }

    var operations: [String] { state.withLock { $0.operations } }

    func waitForRequests(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                guard state.operations.count < count else { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func open(losingAnswers: Int) {
        let waiting = state.withLock { state in
            state.isOpen = true
            state.toLose = losingAnswers
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        await withCheckedContinuation { continuation in
            let (isOpen, ready) = state.withLock { state in
                state.operations.append(request.operationName)
                let count = state.operations.count
                let ready = state.watchers.filter { $0.count <= count }
                state.watchers.removeAll { $0.count <= count }
                if !state.isOpen { state.waiting.append(continuation) }
                return (state.isOpen, ready)
            }
            for watcher in ready { watcher.continuation.resume() }
            if isOpen { continuation.resume() }
        }
        let response = try inner.send(request)
        let isLost = state.withLock { state in
            guard state.toLose > 0 else { return false }
            state.toLose -= 1
            return true
        }
        if isLost { throw HTTPTransportError(kind: .timedOut, message: "lost", wasRequestSent: true) }
        return response
    }

    func shutdown() async {}
}
