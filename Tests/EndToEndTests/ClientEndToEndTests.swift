import Cycles
import CyclesTesting
import Testing

/// The client over libcurl and real sockets, against the authority.
@Suite struct ClientEndToEndTests {
    private let authority: LocalAuthority
    private let server: LoopbackServer
    private let action = Action(kind: "llm.completion", name: "model")

    init() throws {
        authority = LocalAuthority(options: .init(emitsEvidence: true, evidenceMisses: 2))
        authority.addAPIKey("key-of-the-test", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        authority.setEvidenceKeys(["keys": []])
        server = LoopbackServer(authority)
        try server.start()
    }

    private func withClient(
        baseURL: String? = nil,
        _ change: (inout CyclesConfiguration) -> Void = { _ in },
        _ body: (CyclesClient) async throws -> Void
    ) async throws {
        var configuration = CyclesConfiguration(baseURL: baseURL ?? server.baseURL, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        change(&configuration)
        let client = try CyclesClient(configuration: configuration)
        do {
            try await body(client)
        } catch {
            await client.shutdown()
            server.stop()
            throw error
        }
        await client.shutdown()
        server.stop()
    }

    private func failure<Value>(_ body: () async throws(CyclesError) -> Value) async -> CyclesError? {
        do throws(CyclesError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func allOperationsWorkOverASocket() async throws {
        try await withClient { client in
            #expect(try await client.decide(DecisionRequest(action: action, estimate: .tokens(10))).decision == .allow)

            let held = try await client.createReservation(
                ReservationCreateRequest(action: action, estimate: .tokens(1_000), metadata: ["job": 7])
            )
            let id = try #require(held.reservationID)
            #expect(held.decision == .allow && held.reserved == .tokens(1_000))
            #expect(held.http.tenant == "acme" && held.http.requestID != nil && held.http.traceID != nil)
            let extended = try await client.extendReservation(id, ExtendRequest(by: .seconds(30)))
            #expect(extended.expiresAtMilliseconds == (held.expiresAtMilliseconds ?? 0) + 30_000)
            let metrics = CyclesMetrics(tokensInput: 3, latency: .milliseconds(1_250), custom: ["a": [1, 2.5, nil]])
            let committed = try await client.commitReservation(
                id,
                CommitRequest(actual: .tokens(420), metrics: metrics)
            )
            #expect(committed.charged == .tokens(420) && committed.released == .tokens(580))
            let detail = try await client.getReservation(id)
            #expect(detail.status == .committed && detail.metadata == ["job": 7])

            let other = try await client.createReservation(
                ReservationCreateRequest(action: action, estimate: .tokens(5))
            )
            let released = try await client.releaseReservation(try #require(other.reservationID))
            #expect(released.released == .tokens(5))
            let event = try await client.createEvent(EventCreateRequest(action: action, actual: .tokens(80)))
            #expect(event.http.status == 201)

            let balance = try #require(try await client.getBalances().balances.first)
            #expect(balance.spent == .tokens(500) && balance.reserved == .tokens(0))
            #expect(balance.remaining == .tokens(99_500))
            #expect(try await client.listReservations().reservations.count == 2)

            // The envelope appears a little after the answer that refers to it.
            let evidence = try #require(committed.cyclesEvidence)
            let envelope = try await client.getEvidence(evidence.evidenceID, waitingUpTo: .seconds(10))
            #expect(envelope.evidenceID == evidence.evidenceID && envelope.artifactType == .commit)
            #expect(try await client.getEvidenceKeys().keys.isEmpty)
        }
    }

    @Test func denialsAndErrorsArriveTyped() async throws {
        try await withClient { client in
            let denied = await failure { () throws(CyclesError) in
                try await client.createReservation(
                    ReservationCreateRequest(action: action, estimate: .tokens(100_001), idempotencyKey: "key-1")
                )
            }
            guard case .denied(let denial) = denied else {
                Issue.record("\(denied as Any)")
                return
            }
            #expect(denial.reason == .budgetExceeded && denial.status == 409 && denial.idempotencyKey == "key-1")
            #expect(denied?.isBudgetExceeded == true && denied?.isRetryable == false)

            authority.failNext(.limitExceeded, retryAfter: .seconds(7))
            let throttled = await failure { () throws(CyclesError) in try await client.getBalances() }
            #expect(throttled?.retryAfter == .seconds(7) && throttled?.isRetryable == true)

            let missing = await failure { () throws(CyclesError) in try await client.getReservation("rsv_none") }
            #expect(missing?.errorCode == .notFound && missing?.status == 404 && missing?.traceID != nil)
        }
    }

    @Test(arguments: ["a/b?x=1#f", "../events", "%2e%2e", "rés ✓", "a\u{0}b", "a\r\nX-Evil: 1"])
    func anIdStaysOneSegment(id: String) async throws {
        let seen = MockTransport()
        let prefix = "/v1/reservations/"
        seen.enqueue(HTTPResponse(status: 404, body: Array(#"{"error":"NOT_FOUND","message":"m"}"#.utf8)))
        let proxy = LoopbackServer(seen)
        try proxy.start()
        defer { proxy.stop() }
        try await withClient(baseURL: proxy.baseURL) { client in
            let error = await failure { () throws(CyclesError) in try await client.getReservation(ReservationID(id)) }
            #expect(error?.status == 404)
        }
        let url = try #require(seen.requests.first?.url)
        let path = url.dropFirst(proxy.baseURL.count)
        #expect(path.hasPrefix(prefix))
        #expect(!path.dropFirst(prefix.count).contains { "/?#".contains($0) })
        #expect(seen.requests.first?.headers["X-Evil"] == nil)
    }

    @Test(arguments: ["", "/", "/prefix", "/prefix/"])
    func baseURLsMayHaveAPath(suffix: String) async throws {
        try await withClient(baseURL: server.baseURL + suffix) { client in
            let answer = try await client.getBalances()
            #expect(answer.balances.count == 1)
        }
    }

    @Test(arguments: [
        "", "{", #"{"balances":[{"scope""#, "<html>", "null", "[]", "42", #"{"balances":{}}"#, #"{"balances":[1]}"#,
        #"{"balances":[],"has_more":"yes"}"#,
        #"{"balances":[{"scope":"s","scope_path":"s","remaining":{"unit":"TOKENS","amount":9223372036854775808}}]}"#,
        #"{"balances":[{"scope":"s","scope_path":"s","remaining":{"unit":"TOKENS","amount":1e400}}]}"#,
        #"{"balances":[],"x":"\ud800"}"#, "{\"balances\":[],\"x\":" + String(repeating: "[", count: 100_000),
        "{\"balances\":" + String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000) + "}",
        String(repeating: "{\"a\":", count: 100_000), "{\"balances\":[\u{FEFF}]}",
    ])
    func hostileAnswersAreTypedErrors(body: String) async throws {
        let hostile = MockTransport()
        hostile.on(.get, "/v1/balances") { _ in HTTPResponse(status: 200, body: Array(body.utf8)) }
        let liar = LoopbackServer(hostile)
        try liar.start()
        defer { liar.stop() }
        try await withClient(baseURL: liar.baseURL) { client in
            let error = await failure { () throws(CyclesError) in try await client.getBalances() }
            guard case .invalidResponse = error else {
                Issue.record("\(error as Any)")
                return
            }
        }
    }

    @Test func answersBeyondTheLimitAreRefused() async throws {
        let hostile = MockTransport()
        hostile.on(.get, "/v1/balances") { _ in
            HTTPResponse(status: 200, body: Array(repeating: UInt8(ascii: " "), count: 200_000))
        }
        let liar = LoopbackServer(hostile)
        try liar.start()
        defer { liar.stop() }
        try await withClient(baseURL: liar.baseURL, { $0.maxResponseBytes = 100_000 }) { client in
            let error = await failure { () throws(CyclesError) in try await client.getBalances() }
            guard case .transport(let cause) = error, cause.kind == .responseTooLarge else {
                Issue.record("\(error as Any)")
                return
            }
        }
    }

    @Test func aThousandLifecyclesAtOnceAddUp() async throws {
        try await withClient({ $0.maxConnections = 8 }) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let held = try await client.createReservation(
                            ReservationCreateRequest(
                                action: Action(kind: "tool.search", name: "index"),
                                estimate: .tokens(20)
                            )
                        )
                        let id = try #require(held.reservationID)
                        if number.isMultiple(of: 2) {
                            _ = try await client.commitReservation(id, CommitRequest(actual: .tokens(7)))
                        } else {
                            _ = try await client.releaseReservation(id)
                        }
                    }
                }
                try await group.waitForAll()
            }
            // Eight for all, and one that only settlements have. A slowed test leaves them idle for minutes, and libcurl
            // replaces them.
            #expect(isSlowed || server.connectionCount <= 9)
            let balance = try #require(authority.balances().first)
            #expect(balance.spent == .tokens(3_500) && balance.reserved == .tokens(0))
        }
    }
}
