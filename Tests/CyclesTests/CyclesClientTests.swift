import CyclesTesting
import Testing

@testable import Cycles

/// Time that passes only while somebody sleeps.
private final class SleepingTime: TimeSource {
    private let state = Lock((now: Duration.zero, sleeps: [Duration]()))

    var monotonic: Duration { state.withLock { $0.now } }
    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    var wallMilliseconds: Int64 { monotonic.wholeMilliseconds }

    func makeAlarm(_ action: @escaping @Sendable () -> Void) -> any Alarm { ImpatientAlarm(time: self, action: action) }

    fileprivate func pass(to deadline: Duration) {
        state.withLock {
            $0.sleeps.append(deadline - $0.now)
            $0.now = deadline
        }
    }
}

/// Goes off as soon as it is set, and makes the time pass instead.
private final class ImpatientAlarm: Alarm {
    private let time: SleepingTime
    private let action: @Sendable () -> Void

    init(time: SleepingTime, action: @escaping @Sendable () -> Void) {
        self.time = time
        self.action = action
    }

    func set(to deadline: Duration?) {
        guard let deadline else { return }
        time.pass(to: deadline)
        action()
    }
}

@Suite struct CyclesClientTests {
    private let mock = MockTransport()
    private let allow = HTTPResponse(json: #"{"decision":"ALLOW","reservation_id":"r","affected_scopes":[]}"#)
    private let action = Action(kind: "k", name: "n")

    private func client(
        _ baseURL: String = "http://host:7878",
        time: any TimeSource = SystemTimeSource(),
        _ change: (inout CyclesConfiguration) -> Void = { _ in }
    ) throws -> CyclesClient {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: "key-1")
        configuration.tenant = "acme"
        change(&configuration)
        return try CyclesClient(configuration: configuration, environment: environment(mock, time))
    }

    private func environment(_ transport: MockTransport, _ time: any TimeSource) -> ClientEnvironment {
        ClientEnvironment(transport: .tasks(TaskCallbackTransport(transport)), time: time)
    }

    private func failure<Value>(_ body: () async throws(CyclesError) -> Value) async -> CyclesError? {
        do throws(CyclesError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func whoeverCannotConnectIsToldWhatToCheck() async throws {
        let changes: [(change: (inout CyclesConfiguration) -> Void, advice: String)] = [
            ({ _ in }, "check the base URL, and that the server runs"),
            ({ $0.proxy = "http://proxy:3128" }, "check the proxy and the base URL, and that both run"),
            ({ $0.unixSocketPath = "/run/cycles" }, "check that the server runs and listens there"),
        ]
        for (change, advice) in changes {
            mock.enqueue(
                failure: HTTPTransportError(kind: .connectionFailed, message: "no way", wasRequestSent: false)
            )
            let client = try client("http://host:7878", change)
            let error = await failure { () throws(CyclesError) in try await client.getBalances() }
            guard case .transport(let found) = error else {
                Issue.record("\(error as Any)")
                continue
            }
            #expect(found.message == "getBalances: no way; \(advice)")
        }
    }

    @Test func aRequestCarriesWhatTheSpecificationAsksFor() async throws {
        mock.enqueue(allow)
        let client = try client { $0.userAgentSuffix = "agent/2" }
        let response = try await client.createReservation(
            ReservationCreateRequest(action: action, estimate: .tokens(1), idempotencyKey: "key-a")
        )
        #expect(response.reservationID == "r")
        let request = try #require(mock.requests.first)
        #expect(request.method == .post)
        #expect(request.url == "http://host:7878/v1/reservations")
        #expect(
            request.headers.fields.map { "\($0.name): \($0.value)" }.sorted() == [
                "Accept: application/json", "Content-Type: application/json",
                "User-Agent: cycles-swift/0.1.0 agent/2", "X-Cycles-API-Key: key-1", "X-Idempotency-Key: key-a",
            ]
        )
        #expect(request.connectTimeout == .seconds(2))
        #expect(request.timeout == .seconds(7))
        #expect(try JSONValue(parsing: request.body)["subject"]?["tenant"] == "acme")
    }

    @Test(arguments: ["http://host/", "http://host/prefix", "http://host/a/b//"])
    func basePathsAreKept(baseURL: String) async throws {
        mock.enqueue(allow)
        _ = try await client(baseURL).createReservation(ReservationCreateRequest(action: action, estimate: .tokens(1)))
        let expected = [
            "http://host/v1/reservations", "http://host/prefix/v1/reservations", "http://host/a/b/v1/reservations",
        ]
        #expect(expected.contains(try #require(mock.requests.first?.url)))
    }

    @Test(arguments: ["ключ", "two words", "tab\tbed", "\u{7f}"])
    func keysThatDoNotFitAHeaderGoInTheBodyOnly(key: String) async throws {
        mock.enqueue(allow)
        let response = try await client().createReservation(
            ReservationCreateRequest(action: action, estimate: .tokens(1), idempotencyKey: IdempotencyKey(key))
        )
        let request = try #require(mock.requests.first)
        #expect(request.headers["X-Idempotency-Key"] == nil)
        #expect(try JSONValue(parsing: request.body)["idempotency_key"]?.string == key)
        #expect(response.idempotencyKey?.rawValue == key)
    }

    @Test func nothingIsSentThatBreaksARule() async throws {
        let client = try client()
        let evil = "a\r\nX-Evil: 1"
        let failures = [
            await failure { () throws(CyclesError) in
                try await client.createReservation(
                    ReservationCreateRequest(action: action, estimate: .tokens(1), idempotencyKey: IdempotencyKey(evil))
                )
            },
            await failure { () throws(CyclesError) in try await client.getReservation("..") },
            await failure { () throws(CyclesError) in
                try await client.getBalances(options: CallOptions(headers: ["X-Note": evil]))
            },
            await failure { () throws(CyclesError) in
                try await client.getBalances(options: CallOptions(headers: ["X Note": "x"]))
            },
            await failure { () throws(CyclesError) in
                try await client.getBalances(options: CallOptions(headers: ["x-cycles-api-KEY": "other"]))
            },
            await failure { () throws(CyclesError) in
                try await client.getBalances(options: CallOptions(timeout: .zero))
            },
            await failure { () throws(CyclesError) in
                try await client.commitReservation("r", CommitRequest(actual: .tokens(-1)))
            },
        ]
        for found in failures {
            guard case .validation = found else {
                Issue.record("\(found as Any)")
                continue
            }
        }
        #expect(mock.requests.isEmpty)
    }

    @Test func aTraceIsPassedOn() async throws {
        mock.enqueue(allow)
        mock.enqueue(allow)
        let client = try client()
        let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let request = ReservationCreateRequest(action: action, estimate: .tokens(1))
        try await TraceContext.$current.withValue(TraceContext(parsing: header)) {
            _ = try await client.createReservation(request)
        }
        _ = try await client.createReservation(request)
        #expect(mock.requests.map { $0.headers["traceparent"] } == [header, nil])
    }

    @Test func callOptionsApplyToOneCall() async throws {
        mock.enqueue(allow)
        let request = ReservationCreateRequest(action: action, estimate: .tokens(1))
        _ = try await client().createReservation(
            request,
            options: CallOptions(timeout: .milliseconds(500), headers: ["X-Note": "n"])
        )
        let sent = try #require(mock.requests.first)
        #expect(sent.timeout == .milliseconds(500) && sent.connectTimeout == .milliseconds(500))
        #expect(sent.headers["x-note"] == "n")
    }

    @Test func theAdminKeyIsUsedOnlyWhereItMayBe() async throws {
        let client = try client { $0.adminAPIKey = "admin-1" }
        for _ in 0..<8 { mock.enqueue(HTTPResponse(status: 500)) }
        let one = Amount.tokens(1)
        _ = await failure { () throws(CyclesError) in try await client.listReservations() }
        _ = await failure { () throws(CyclesError) in try await client.getReservation("r") }
        _ = await failure { () throws(CyclesError) in try await client.releaseReservation("r") }
        _ = await failure { () throws(CyclesError) in try await client.getBalances() }
        _ = await failure { () throws(CyclesError) in
            try await client.commitReservation("r", CommitRequest(actual: one))
        }
        _ = await failure { () throws(CyclesError) in
            try await client.extendReservation("r", ExtendRequest(by: .seconds(1)))
        }
        _ = await failure { () throws(CyclesError) in
            try await client.decide(DecisionRequest(action: action, estimate: one))
        }
        _ = await failure { () throws(CyclesError) in
            try await client.createEvent(EventCreateRequest(action: action, actual: one))
        }
        let keys = mock.requests.map { ($0.headers["X-Admin-API-Key"], $0.headers["X-Cycles-API-Key"]) }
        #expect(keys.count == 8)
        #expect(keys.prefix(3).allSatisfy { $0.0 == "admin-1" && $0.1 == nil })
        #expect(keys.dropFirst(3).allSatisfy { $0.0 == nil && $0.1 == "key-1" })
    }

    @Test func publicOperationsCarryNoKey() async throws {
        let client = try client { $0.adminAPIKey = "admin-1" }
        mock.enqueue(HTTPResponse(status: 404))
        mock.enqueue(HTTPResponse(json: #"{"keys":[]}"#))
        _ = await failure { () throws(CyclesError) in
            try await client.getEvidence(EvidenceID(String(repeating: "a", count: 64)))
        }
        #expect(try await client.getEvidenceKeys().keys.isEmpty)
        for request in mock.requests {
            #expect(request.headers["X-Cycles-API-Key"] == nil && request.headers["X-Admin-API-Key"] == nil)
        }
    }

    @Test func evidenceThatIsNotThereYetIsAskedForAgain() async throws {
        let time = SleepingTime()
        let client = try client(time: time)
        let id = String(repeating: "a", count: 64)
        let envelope = HTTPResponse(
            json:
                #"{"schema_version":"v","artifact_type":"commit","server_id":"s","signer_did":"d","issued_at_ms":1,"payload":{},"evidence_id":"\#(id)","signature":"g"}"#
        )
        for _ in 0..<3 { mock.enqueue(HTTPResponse(status: 404)) }
        mock.enqueue(envelope)
        let found = try await client.getEvidence(EvidenceID(id), waitingUpTo: .seconds(5))
        #expect(found.artifactType == .commit)
        #expect(time.sleeps == [.milliseconds(100), .milliseconds(200), .milliseconds(400)])

        for _ in 0..<20 { mock.enqueue(HTTPResponse(status: 404)) }
        let failed = await failure { () throws(CyclesError) in
            try await client.getEvidence(EvidenceID(id), waitingUpTo: .seconds(3))
        }
        #expect(failed?.status == 404)
        #expect(time.sleeps.dropFirst(3).reduce(.zero, +) == .seconds(3))
        // Whatever else goes wrong is not waited for.
        let other = MockTransport()
        other.enqueue(HTTPResponse(status: 500))
        let impatient = try CyclesClient(
            configuration: client.configuration,
            environment: environment(other, time)
        )
        #expect(
            await failure { () throws(CyclesError) in
                try await impatient.getEvidence(EvidenceID(id), waitingUpTo: .seconds(3))
            }?.status == 500
        )
        #expect(other.requests.count == 1)
    }

    @Test func waitingForeverForEvidenceIsPossible() async throws {
        let client = try client(time: SleepingTime())
        mock.enqueue(HTTPResponse(status: 404))
        mock.enqueue(HTTPResponse(status: 401))
        let id = EvidenceID(String(repeating: "a", count: 64))
        #expect(
            await failure { () throws(CyclesError) in
                try await client.getEvidence(id, waitingUpTo: .seconds(Int64.max))
            }?.status == 401
        )
    }

    @Test func pagesFollowEachOther() async throws {
        func balance(_ scope: String) -> String {
            #"{"scope":"\#(scope)","scope_path":"\#(scope)","remaining":{"unit":"TOKENS","amount":1}}"#
        }
        mock.enqueue(
            HTTPResponse(json: #"{"balances":[\#(balance("a")),\#(balance("b"))],"next_cursor":"2","has_more":true}"#)
        )
        mock.enqueue(HTTPResponse(json: #"{"balances":[],"next_cursor":"3","has_more":true}"#))
        mock.enqueue(HTTPResponse(json: #"{"balances":[\#(balance("c"))],"next_cursor":"4","has_more":false}"#))
        var scopes: [String] = []
        for try await balance in try client().balances(BalanceQuery(limit: 2)) { scopes.append(balance.scope) }
        #expect(scopes == ["a", "b", "c"])
        #expect(
            mock.requests.map(\.url) == [
                "http://host:7878/v1/balances?tenant=acme&limit=2",
                "http://host:7878/v1/balances?tenant=acme&limit=2&cursor=2",
                "http://host:7878/v1/balances?tenant=acme&limit=2&cursor=3",
            ]
        )
    }

    @Test func pagesAreFetchedWhenTheyAreNeeded() async throws {
        mock.enqueue(HTTPResponse(json: #"{"reservations":[],"next_cursor":"2"}"#))
        mock.enqueue(HTTPResponse(status: 500))
        var iterator = try client().reservations().makeAsyncIterator()
        #expect(mock.requests.isEmpty)
        await #expect(throws: CyclesError.self) { try await iterator.next() }
        #expect(mock.requests.count == 2)
        // After a failure the iteration is over.
        #expect(try await iterator.next(isolation: nil) == nil)
    }

    @Test func pagesThatGoInCirclesEnd() async throws {
        for cursor in ["2", "3", "2", "3"] {
            mock.enqueue(HTTPResponse(json: #"{"reservations":[],"next_cursor":"\#(cursor)","has_more":true}"#))
        }
        let client = try client()
        let found = await failure { () throws(CyclesError) in
            var iterator = client.reservations().makeAsyncIterator()
            while try await iterator.next() != nil {}
        }
        guard case .invalidResponse(let invalid) = found else {
            Issue.record("\(found as Any)")
            return
        }
        #expect(invalid.message.contains("leads back"))
        #expect(mock.requests.count == 3)
    }

    @Test func transportFailuresNameTheKeyOfTheCall() async throws {
        mock.enqueue(failure: HTTPTransportError(kind: .timedOut, message: "slow key-1", wasRequestSent: true))
        let client = try client()
        let found = await failure { () throws(CyclesError) in
            try await client.commitReservation("r", CommitRequest(actual: .tokens(1), idempotencyKey: "k"))
        }
        #expect(found?.idempotencyKey == "k")
        #expect(found?.isRetryable == true)
        #expect("\(found as Any)".contains("key-1") == false)
        guard case .transport(let error) = found else {
            Issue.record("\(found as Any)")
            return
        }
        #expect(error.kind == .timedOut && error.wasRequestSent == true)
    }

    @Test func aCancelledTaskGetsCancelled() async throws {
        let client = try client()
        let task = Task { () -> CyclesError? in
            withUnsafeCurrentTask { $0?.cancel() }
            return await failure { () throws(CyclesError) in try await client.getBalances() }
        }
        #expect(await task.value == .cancelled)
        #expect(mock.requests.isEmpty)
        let id = EvidenceID(String(repeating: "a", count: 64))
        mock.on(.get, "/v1/evidence/*") { _ in
            withUnsafeCurrentTask { $0?.cancel() }
            return HTTPResponse(status: 404)
        }
        let waiting = Task {
            await failure { () throws(CyclesError) in try await client.getEvidence(id, waitingUpTo: .seconds(60)) }
        }
        #expect(await waiting.value == .cancelled)
    }

    @Test func everyOperationReturnsItsValue() async throws {
        let client = try client()
        mock.enqueue(HTTPResponse(json: #"{"decision":"ALLOW"}"#))
        #expect(try await client.decide(DecisionRequest(action: action, estimate: .tokens(1))).decision == .allow)
        mock.enqueue(HTTPResponse(json: #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":3}}"#))
        #expect(try await client.commitReservation("r", CommitRequest(actual: .tokens(3))).charged == .tokens(3))
        mock.enqueue(HTTPResponse(json: #"{"status":"RELEASED","released":{"unit":"TOKENS","amount":3}}"#))
        #expect(try await client.releaseReservation("r").released == .tokens(3))
        mock.enqueue(HTTPResponse(json: #"{"status":"ACTIVE","expires_at_ms":3}"#))
        #expect(try await client.extendReservation("r", ExtendRequest(by: .seconds(1))).expiresAtMilliseconds == 3)
        mock.enqueue(HTTPResponse(status: 201, json: #"{"status":"APPLIED","event_id":"e"}"#))
        #expect(try await client.createEvent(EventCreateRequest(action: action, actual: .tokens(1))).eventID == "e")
        mock.enqueue(HTTPResponse(json: #"{"reservations":[]}"#))
        #expect(try await client.listReservations().reservations.isEmpty)
    }

    @Test func shutdownLeavesATransportOpenThatTheClientWasGiven() async throws {
        let client = try client()
        await client.shutdown()
        mock.enqueue(HTTPResponse(json: #"{"balances":[]}"#))
        #expect(try await mock.send(HTTPRequest(method: .get, url: "http://host:7878/v1/balances")).status == 200)
    }

    @Test func shutdownClosesATransportThatTheClientMade() async throws {
        let isClosed = Lock(false)
        let transport = TaskCallbackTransport(mock)
        let own = ClientTransport(calls: transport, background: transport, blocksCallers: false) { done in
            isClosed.withLock { $0 = true }
            done()
        }
        let client = try CyclesClient(
            configuration: client().configuration,
            environment: ClientEnvironment(transport: own)
        )
        await client.shutdown()
        #expect(isClosed.withLock { $0 })
    }
}
