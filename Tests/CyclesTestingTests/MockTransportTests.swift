import Cycles
import CyclesTesting
import Testing

@Suite(.timeLimit(.minutes(5))) struct MockTransportTests {
    private func request(_ path: String, method: HTTPMethod = .post) -> HTTPRequest {
        HTTPRequest(method: method, url: "http://host:1" + path, headers: ["X": path], body: [1])
    }

    /// Both ways to send have to behave alike.
    private func sendBlocking(_ transport: MockTransport, _ request: HTTPRequest) throws -> HTTPResponse {
        try transport.send(request)
    }

    private func failureOf(_ body: () async throws -> HTTPResponse) async -> HTTPTransportError? {
        do {
            _ = try await body()
            return nil
        } catch { return error as? HTTPTransportError }
    }

    @Test func answersInTheOrderOfTheQueue() async throws {
        let transport = MockTransport()
        let lost = HTTPTransportError(kind: .connectionFailed, message: "lost", wasRequestSent: true)
        transport.enqueue(HTTPResponse(status: 201))
        transport.enqueue(failure: lost)
        transport.enqueue(HTTPResponse(status: 202))
        #expect(transport.remainingAnswers == 3)
        #expect(try await transport.send(request("/a")).status == 201)
        #expect(await failureOf { try await transport.send(request("/b")) } == lost)
        #expect(try sendBlocking(transport, request("/c")).status == 202)
        #expect(transport.requests == [request("/a"), request("/b"), request("/c")])
        #expect(transport.remainingAnswers == 0)
    }

    @Test func saysThatItsScriptRanOut() async throws {
        let transport = MockTransport()
        transport.enqueue(HTTPResponse(status: 200))
        transport.on(.get, "/other") { request in HTTPResponse(status: 200) }
        _ = try await transport.send(request("/a"))
        let failures = [
            await failureOf { try await transport.send(request("/v1/decide?x=1")) },
            await failureOf { try sendBlocking(transport, request("/v1/decide?x=1")) },
        ]
        for failure in failures {
            let failure = try #require(failure)
            #expect(failure.kind == .other)
            #expect(failure.wasRequestSent == false)
            #expect(failure.message.contains("POST http://host:1/v1/decide?x=1"))
            #expect(failure.message.contains("answers enqueued: 1, used: 1"))
        }
        #expect(transport.requests.count == 3)
    }

    @Test func handlersComeBeforeTheQueue() async throws {
        let transport = MockTransport()
        transport.enqueue(HTTPResponse(status: 500))
        transport.on(.get, "/v1/balances") { request in HTTPResponse(status: 200, body: request.body) }
        #expect(try await transport.send(request("/v1/balances?tenant=a", method: .get)).status == 200)
        #expect(try await transport.send(request("/v1/balances#x", method: .get)).body == [1])
        #expect(transport.remainingAnswers == 1)
        #expect(try await transport.send(request("/v1/balances", method: .post)).status == 500)
    }

    @Test(arguments: [
        ("/a", "/a", true), ("/a", "/a/", false), ("/a", "/ab", false), ("/a", "/A", false), ("/a/*", "/a/", true),
        ("/a/*", "/a/b/c?d=*", true), ("/a/*", "/a", false), ("/a*", "/a", true), ("*", "/x", true),
        ("/a/*/b", "/a/x/b", false), ("/", "", true), ("/", "?a=/b", true), ("/b", "/a?/b", false),
        ("/caf\u{e9}", "/cafe\u{301}", false),
    ])
    func matchesPaths(pattern: String, path: String, isMatch: Bool) async throws {
        let transport = MockTransport()
        transport.enqueue(HTTPResponse(status: 500))
        transport.on(.post, pattern) { _ in HTTPResponse(status: 200) }
        #expect(try await transport.send(request(path)).status == (isMatch ? 200 : 500))
    }

    @Test func theHandlerAddedLastAnswers() async throws {
        let transport = MockTransport()
        transport.on(.post, "/a") { _ in HTTPResponse(status: 200) }
        transport.on(.post, "*") { _ in HTTPResponse(status: 201) }
        #expect(try await transport.send(request("/a")).status == 201)
    }

    @Test func handlersMayFailAndMayUseTheTransport() async throws {
        let transport = MockTransport()
        transport.on(.post, "/a") { request in
            transport.on(.post, "/b") { request in throw HTTPTransportError(kind: .tls, message: "b") }
            throw HTTPTransportError(kind: .timedOut, message: "after \(transport.requests.count)")
        }
        #expect(await failureOf { try await transport.send(request("/a")) }?.message == "after 1")
        #expect(await failureOf { try await transport.send(request("/b")) }?.kind == .tls)
        transport.on(.post, "/c") { _ in throw SocketError("connect", code: 1) }
        let other = try #require(await failureOf { try await transport.send(request("/c")) })
        #expect(other.kind == .other)
        #expect(other.message.contains("POST /c failed: SocketError"))
    }

    @Test func obeysCancellation() async throws {
        let transport = MockTransport()
        transport.enqueue(HTTPResponse(status: 200))
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await failureOf { try await transport.send(request("/a")) }
        }
        let failure = try #require(await task.value)
        #expect(failure.kind == .cancelled)
        #expect(failure.wasRequestSent == false)
        #expect(transport.requests.isEmpty)
        #expect(transport.remainingAnswers == 1)
    }

    @Test func refusesAfterShutdown() async throws {
        let transport = MockTransport()
        transport.enqueue(HTTPResponse(status: 200))
        transport.on(.get, "*") { _ in HTTPResponse(status: 200) }
        await transport.shutdown()
        for method in [HTTPMethod.get, .post] {
            let failure = try #require(await failureOf { try await transport.send(request("/a", method: method)) })
            #expect(failure.kind == .other)
            #expect(failure.wasRequestSent == false)
            #expect(failure.message.contains("\(method) http://host:1/a: it was shut down"))
        }
        #expect(transport.requests.isEmpty)
    }

    @Test func usesEachAnswerOnceAcrossTasks() async throws {
        let transport = MockTransport()
        for status in 200..<300 { transport.enqueue(HTTPResponse(status: status)) }
        let statuses = await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<100 { group.addTask { try? await transport.send(request("/a")).status } }
            return await group.reduce(into: Set<Int?>()) { $0.insert($1) }
        }
        #expect(statuses == Set(200..<300))
    }

    @Test func makesJSONAnswers() {
        let plain = HTTPResponse(json: "{}")
        #expect(plain == HTTPResponse(status: 200, headers: ["Content-Type": "application/json"], body: [0x7B, 0x7D]))
        let own = HTTPResponse(status: 404, headers: ["content-type": "text/plain", "X": "y"], json: "{")
        #expect(own.status == 404)
        #expect(own.headers == ["Content-Type": "text/plain", "X": "y"])
    }

    @Test func servesOverSockets() throws {
        let transport = MockTransport()
        transport.on(.get, "/a") { _ in HTTPResponse(json: "{}") }
        let server = LoopbackServer(transport)
        try server.start()
        let connection = try TestConnection(port: server.port)
        connection.send("GET /a?b HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try connection.answer()?.text == "{}")
        let answer = try #require(try connection.answer())
        #expect(answer.status == 502)
        #expect(answer.text.contains("script ran out"))
    }
}
