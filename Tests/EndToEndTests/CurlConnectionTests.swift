import Cycles
import CyclesTesting
import Testing

/// The connections of the transport: which are used again, which are given up, and what waits for which.
@Suite struct CurlConnectionTests {
    enum Form: CaseIterable { case async, blocking }

    private static let okay = answer("200 OK", "ok")

    private static func answer(_ status: String, _ body: String = "", _ more: String = "") -> [UInt8] {
        Array("HTTP/1.1 \(status)\r\n\(more)Content-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }

    private func transport(_ change: (inout CyclesConfiguration) -> Void = { _ in }) -> CurlTransport {
        var configuration = CyclesConfiguration(baseURL: "http://127.0.0.1", apiKey: "key-of-the-test")
        change(&configuration)
        return CurlTransport(configuration: configuration)
    }

    private func started(_ server: MisbehavingServer) throws -> MisbehavingServer {
        try server.start()
        return server
    }

    private func request(
        _ url: String,
        connectTimeout: Duration = .seconds(600),
        timeout: Duration = .seconds(600)
    ) -> HTTPRequest {
        HTTPRequest(
            method: .post,
            url: url,
            headers: ["X-Cycles-API-Key": "key-of-the-test", "X-Idempotency-Key": "one"],
            body: Array("{}".utf8),
            connectTimeout: connectTimeout,
            timeout: timeout
        )
    }

    private func send(
        _ request: HTTPRequest,
        _ form: Form,
        over transport: CurlTransport
    ) async -> Result<HTTPResponse, HTTPTransportError> {
        func block() throws(HTTPTransportError) -> HTTPResponse { try transport.send(request) }
        do throws(HTTPTransportError) {
            switch form {
            case .async: return .success(try await transport.send(request))
            case .blocking: return .success(try block())
            }
        } catch {
            return .failure(error)
        }
    }

    private func occurrences(_ text: String, in bytes: [UInt8]) -> Int {
        let part = Array(text.utf8)
        guard bytes.count >= part.count else { return 0 }
        return (0...(bytes.count - part.count)).count { bytes[$0..<($0 + part.count)].elementsEqual(part) }
    }

    // MARK: The end

    /// The transport is kept, as by a program that keeps its client.
    @Test(arguments: Form.allCases) func theShutdownClosesTheConnections(form: Form) async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay])))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        #expect(server.openConnections == 1)
        await transport.shutdown()
        await until { server.openConnections == 0 }
        #expect(server.openConnections == 0)
        withExtendedLifetime(transport) {}
    }

    @Test func aClientThatWasShutDownLeavesNoTransport() async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay])))
        defer { server.stop() }
        weak var released: CurlTransport?
        do {
            var configuration = CyclesConfiguration(baseURL: server.baseURL, apiKey: "key-of-the-test")
            configuration.tenant = "acme"
            configuration.journal = .disabled
            let transport = CurlTransport(configuration: configuration)
            released = transport
            let client = try CyclesClient(
                configuration: configuration,
                environment: ClientEnvironment(transport: transport.forTasks(isOwned: true))
            )
            // The answer is none of the protocol's.
            _ = try? await client.getBalances()
            await client.shutdown()
        }
        await until { released == nil }
        #expect(released == nil)
    }

    // MARK: Answers that nobody asked for

    @Test(
        arguments: [
            "408 Request Timeout", "400 Bad request", "503 Service Unavailable", "200 OK", "429 Too Many Requests",
            "410 Gone",
        ],
        Form.allCases
    )
    func anAnswerThatWasThereBeforeTheRequestIsNotItsAnswer(status: String, form: Form) async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay])))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL + "/1"), form, over: transport).get().status == 200)
        server.interject(Self.answer(status, "unasked", "Connection: close\r\n"), isLast: true)
        let response = try await send(request(server.baseURL + "/2"), form, over: transport).get()
        #expect(response.status == 200 && response.body == Array("ok".utf8))
        #expect(server.acceptedConnections == 2)
        #expect(occurrences("POST /2 ", in: server.receivedBytes) == 1)
        await transport.shutdown()
    }

    @Test(arguments: ["H", "HTTP/1.1 408", "\r\n", "\u{15}\u{3}\u{3}"], Form.allCases)
    func partsOfAnAnswerThatNobodyAskedForEndTheConnectionToo(part: String, form: Form) async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay])))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        server.interject(Array(part.utf8), isLast: false)
        #expect(try await send(request(server.baseURL), form, over: transport).get().body == Array("ok".utf8))
        #expect(server.acceptedConnections == 2)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func a408OnAReusedConnectionIsALostConnection(form: Form) async throws {
        let server = try started(
            MisbehavingServer(.answers([Self.okay, Self.answer("408 Request Timeout")]), .answers([Self.okay]))
        )
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL + "/1"), form, over: transport).get().status == 200)
        #expect(try await send(request(server.baseURL + "/2"), form, over: transport).get().status == 200)
        #expect(server.acceptedConnections == 2)
        #expect(occurrences("POST /2 ", in: server.receivedBytes) == 2)
        #expect(occurrences("X-Idempotency-Key: one\r\n", in: server.receivedBytes) == 3)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func a408ThatBreaksOffOnAReusedConnectionIsALostConnection(form: Form) async throws {
        let cut = Array("HTTP/1.1 408 Request Timeout\r\nContent-Length: 100\r\n\r\nless".utf8)
        let server = try started(MisbehavingServer(.answers([Self.okay]), .answers([Self.okay])))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        server.interject(cut, isLast: true)
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func a408OnAFreshConnectionIsHandedOn(form: Form) async throws {
        let timeout = Self.answer("408 Request Timeout", "slow", "Connection: close\r\n")
        let server = try started(MisbehavingServer(.answer(timeout)))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 408)
        #expect(server.acceptedConnections == 1)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func a408OnAReusedConnectionIsHandedOnIfAFreshOneGivesItToo(form: Form) async throws {
        let timeout = Self.answer("408 Request Timeout")
        let server = try started(MisbehavingServer(.answers([Self.okay, timeout]), .answers([timeout])))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 408)
        #expect(server.acceptedConnections == 2)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func aServerThatAlwaysSpeaksFirstIsListenedTo(form: Form) async throws {
        let busy = Self.answer("503 Service Unavailable", "busy", "Connection: close\r\n")
        let server = try started(MisbehavingServer(.greeting(busy)))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 503)
        #expect(server.acceptedConnections <= 2)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func aConnectionThatIsLostAndNotToBeHadAgainFails(form: Form) async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay]), .silent))
        defer { server.stop() }
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        server.interject(Self.answer("408 Request Timeout"), isLast: true)
        let limited = request(server.baseURL, timeout: .milliseconds(500))
        guard case .failure(let error) = await send(limited, form, over: transport) else {
            Issue.record("answered")
            return
        }
        #expect(error.kind == .timedOut && error.wasRequestSent == true)
        await transport.shutdown()
    }

    @Test(arguments: Form.allCases)
    func aConnectionThatIsClosedAndCannotBeMadeAgainSentNothing(form: Form) async throws {
        let server = try started(MisbehavingServer(.answers([Self.okay])))
        let transport = transport()
        #expect(try await send(request(server.baseURL), form, over: transport).get().status == 200)
        server.stop()
        guard case .failure(let error) = await send(request(server.baseURL), form, over: transport) else {
            Issue.record("answered")
            return
        }
        #expect(error.kind == .connectionFailed && error.wasRequestSent == false)
        await transport.shutdown()
    }

    // MARK: Proxies

    @Test(
        arguments: [
            (
                MisbehavingServer.Behavior.answer(answer("407 Proxy Authentication Required")),
                HTTPTransportError.Kind.connectionFailed
            ), (.answer(answer("503 Service Unavailable", "", "Connection: close\r\n")), .connectionFailed),
            (.answer(answer("408 Request Timeout")), .connectionFailed), (.closeBeforeAnswer, .connectionFailed),
            (.reset, .connectionFailed), (.silent, .timedOut),
            (.trickle(intervalMilliseconds: 200, payload: answer("200 OK")), .timedOut),
            (.answers([Array("HTTP/1.1 200 Connection established\r\n\r\n".utf8)]), .tls),
        ],
        Form.allCases
    )
    func aTunnelThatIsNotMadeSendsNothing(
        proxy: (behavior: MisbehavingServer.Behavior, kind: HTTPTransportError.Kind),
        form: Form
    ) async throws {
        let server = try started(MisbehavingServer(proxy.behavior))
        defer { server.stop() }
        let transport = transport { $0.proxy = "http://user:secret@127.0.0.1:\(server.port)" }
        let request = request("https://host.invalid/v1/x", connectTimeout: isSlowed ? .seconds(4) : .milliseconds(800))
        guard case .failure(let error) = await send(request, form, over: transport) else {
            Issue.record("answered")
            return
        }
        #expect(error.wasRequestSent == false, "\(error)")
        #expect(error.kind == proxy.kind, "\(error)")
        #expect(!error.message.contains("secret"))
        #expect(occurrences("CONNECT host.invalid:443 HTTP/1.1\r\n", in: server.receivedBytes) > 0)
        #expect(occurrences("key-of-the-test", in: server.receivedBytes) == 0)
        await transport.shutdown()
    }

    @Test(arguments: ["nonsense://user:secret@127.0.0.1", "http://user:secret@127.0.0.1:x", "http://us er:secret@h"])
    func errorsAboutAProxyDoNotShowItsPassword(proxy: String) async throws {
        let transport = transport { $0.proxy = proxy }
        for form in Form.allCases {
            guard case .failure(let error) = await send(request("http://host.invalid/v1/x"), form, over: transport)
            else {
                Issue.record("answered")
                continue
            }
            #expect(!error.message.contains("secret"), "\(error)")
            #expect(error.wasRequestSent == false)
        }
        await transport.shutdown()
    }

    @Test func aUnixSocketNeedsNoProxy() async throws {
        let transport = transport {
            $0.unixSocketPath = "/no/such/socket"
            $0.proxy = "http://127.0.0.1:1"
        }
        guard case .failure(let error) = await send(request("http://host.invalid/v1/x"), .async, over: transport) else {
            Issue.record("answered")
            return
        }
        #expect(error.message.contains("/no/such/socket: No such file or directory"), "\(error)")
        await transport.shutdown()
    }

    // MARK: Handshakes that hang

    @Test func aHandshakeThatHangsHoldsUpNobodyElse() async throws {
        let server = try started(MisbehavingServer(.silent, .closeBeforeAnswer))
        defer { server.stop() }
        let transport = transport()
        let url = "https://127.0.0.1:\(server.port)/v1/x"
        let hanging = NotedExchange()
        transport.start(request(url), hanging.finish)
        await until { server.acceptedConnections == 1 }
        let others = (0..<8).map { _ in NotedExchange() }
        for exchange in others { transport.start(request(url), exchange.finish) }
        await until { others.allSatisfy { $0.outcome != nil } }
        #expect(hanging.outcome == nil)
        await transport.shutdown()
    }

    @Test(arguments: [(connect: 1_000, total: 20_000), (connect: 20_000, total: 1_000), (connect: 150, total: 20_000)])
    func handshakesThatHangEndWithinTheLimitsOfEach(limits: (connect: Int, total: Int)) async throws {
        let server = try started(MisbehavingServer(.silent))
        defer { server.stop() }
        let transport = transport()
        let exchanges = (0..<24).map { _ in NotedExchange() }
        let request = request(
            "https://127.0.0.1:\(server.port)/v1/x",
            connectTimeout: .milliseconds(limits.connect),
            timeout: .milliseconds(limits.total)
        )
        for exchange in exchanges { transport.start(request, exchange.finish) }
        await until { exchanges.allSatisfy { $0.outcome != nil } }
        for exchange in exchanges {
            let (outcome, duration) = try #require(exchange.outcome)
            guard case .failure(let error) = outcome else {
                Issue.record("answered")
                continue
            }
            #expect(error.kind == .timedOut && error.wasRequestSent == false, "\(error)")
            // Each would take as long again if it waited for the one before: 3.6 s for the last, at least. The rest is for
            // an I/O thread that shares the processors with a thousand tests.
            #expect(duration < .milliseconds(min(limits.connect, limits.total) + (isSlowed ? 10_000 : 2_000)))
        }
        await transport.shutdown()
    }
}

/// An exchange that notes how it ended, and how long after its start.
private final class NotedExchange: Sendable {
    typealias Outcome = (result: Result<HTTPResponse, HTTPTransportError>, duration: Duration)

    private let began = ContinuousClock.now
    private let end = Lock<Outcome?>(nil)

    var outcome: Outcome? { end.withLock { $0 } }

    func finish(_ transferred: Transferred) {
        end.withLock { $0 = (transferred.outcome, began.duration(to: .now) - transferred.waited) }
    }
}
