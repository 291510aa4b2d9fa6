import Cycles
import CyclesTesting
import Testing

/// Answers with what it was asked, and can be told to take its time.
private final class EchoTransport: BlockingHTTPTransport {
    private let wait: Duration
    private let state = Lock((running: 0, peak: 0, requests: [HTTPRequest]()))

    init(wait: Duration = .zero) { self.wait = wait }

    var peak: Int { state.withLock { $0.peak } }
    var requests: [HTTPRequest] { state.withLock { $0.requests } }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        state.withLock {
            $0.running += 1
            $0.peak = max($0.peak, $0.running)
            $0.requests.append(request)
        }
        defer { state.withLock { $0.running -= 1 } }
        if wait > .zero { pause(wait) }
        return HTTPResponse(
            status: 200,
            headers: ["X-Url": request.url, "X-Method": "\(request.method)"],
            body: request.body
        )
    }
}

/// An exchange that notes how long it took, on the transport's own thread: tasks may have to wait for their turn.
private final class TimedExchange: Sendable {
    private typealias End = (outcome: Result<HTTPResponse, HTTPTransportError>, duration: Duration)

    private let began = ContinuousClock.now
    private let end = Lock<End?>(nil)

    var ended: (outcome: Result<HTTPResponse, HTTPTransportError>, duration: Duration)? { end.withLock { $0 } }

    func finish(_ transferred: Transferred) {
        end.withLock { $0 = (transferred.outcome, began.duration(to: .now) - transferred.waited) }
    }
}

@Suite struct CurlTransportTests {
    private func configuration(_ change: (inout CyclesConfiguration) -> Void = { _ in }) -> CyclesConfiguration {
        var configuration = CyclesConfiguration(baseURL: "http://127.0.0.1", apiKey: "key-of-the-test")
        change(&configuration)
        return configuration
    }

    private func started(_ transport: any BlockingHTTPTransport) throws -> LoopbackServer {
        // However long a busy machine keeps a test waiting: connections are closed by nobody but who is to close them.
        let server = LoopbackServer(transport, options: .init(idleTimeout: .seconds(600)))
        try server.start()
        return server
    }

    private func started(_ behaviors: MisbehavingServer.Behavior) throws -> MisbehavingServer {
        let server = MisbehavingServer(behaviors)
        try server.start()
        return server
    }

    private func request(
        _ url: String,
        method: HTTPMethod = .post,
        body: [UInt8] = Array("hello".utf8),
        timeout: Duration = .seconds(10)
    ) -> HTTPRequest {
        HTTPRequest(
            method: method,
            url: url,
            headers: ["X-Cycles-API-Key": "key-of-the-test", "X-Empty": ""],
            body: method == .get ? [] : body,
            connectTimeout: .seconds(5),
            timeout: timeout
        )
    }

    private func failure(_ body: () async throws(HTTPTransportError) -> HTTPResponse) async -> HTTPTransportError? {
        do throws(HTTPTransportError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }

    @Test func requestsAndAnswersArriveWhole() async throws {
        let echo = EchoTransport()
        let server = try started(echo)
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let response = try await transport.send(request(server.baseURL + "/v1/a%2Fb/%2e?x=1&y=%20", body: body))
        #expect(response.status == 200)
        #expect(response.body == body)
        #expect(response.headers["x-url"] == server.baseURL + "/v1/a%2Fb/%2e?x=1&y=%20")
        let received = try #require(echo.requests.first)
        #expect(received.headers["X-Cycles-API-Key"] == "key-of-the-test")
        #expect(received.headers["X-Empty"] == "")
        #expect(received.headers["Expect"] == nil)
        await transport.shutdown()
    }

    @Test func oneHandleServesAllKindsOfRequests() async throws {
        let echo = EchoTransport()
        let server = try started(echo)
        let other = try started(echo)
        defer {
            server.stop()
            other.stop()
        }
        let transport = CurlTransport(configuration: configuration())
        let plan: [(HTTPMethod, String, String)] = [
            (.post, server.baseURL + "/p?q=1", "a"), (.get, server.baseURL + "/g", ""),
            ("PUT", server.baseURL + "/put", "b"), ("PUT", server.baseURL + "/empty", ""),
            ("DELETE", server.baseURL + "/d", ""),
            (.post, other.baseURL, "c"), (.get, other.baseURL + "?x=1", ""), (.post, server.baseURL + "/", ""),
            (.post, server.baseURL + "/../x/./y", "d"),
        ]
        for (method, url, body) in plan {
            let response = try await transport.send(request(url, method: method, body: Array(body.utf8)))
            let seen = try #require(response.headers["X-Url"])
            #expect(response.headers["X-Method"] == method.rawValue)
            #expect(seen == url || seen == url.replacingFirst("?", by: "/?") || seen == url + "/", "\(seen)")
            #expect(response.body == Array(body.utf8))
        }
        #expect(server.connectionCount == 1 && other.connectionCount == 1)
        await transport.shutdown()
    }

    @Test func connectionsAreKept() async throws {
        let server = try started(EchoTransport())
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        for number in 0..<50 { _ = try await transport.send(request(server.baseURL + "/\(number)")) }
        #expect(server.connectionCount == 1)
        func blocking() throws(HTTPTransportError) {
            for number in 0..<50 { let _: HTTPResponse = try transport.send(request(server.baseURL + "/\(number)")) }
        }
        try blocking()
        #expect(server.connectionCount == 2)
        await transport.shutdown()
    }

    @Test func aThousandRequestsWaitInLineWithoutLosingTime() async throws {
        let echo = EchoTransport(wait: .milliseconds(10))
        let server = try started(echo)
        defer { server.stop() }
        var configuration = configuration { $0.maxConnections = 4 }
        configuration.baseURL = server.baseURL
        configuration.tenant = "acme"
        let transport = CurlTransport(configuration: configuration)
        let url = server.baseURL + "/v1/x"
        // The line takes at least 2.5 seconds: longer than any one request may.
        let completed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<1_000 {
                group.addTask {
                    let request = HTTPRequest(
                        method: .post,
                        url: url,
                        connectTimeout: .seconds(1),
                        timeout: .milliseconds(2_000)
                    )
                    return (try? await transport.send(request))?.status == 200
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(completed == 1_000)
        #expect(server.connectionCount <= 4)
        #expect(echo.peak <= 4)
        await transport.shutdown()
    }

    @Test func sixtyFourThreadsInsideSixtyFourTasksGetThrough() async throws {
        let server = try started(EchoTransport(wait: .milliseconds(5)))
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = 8 })
        let url = server.baseURL + "/v1/x"
        let completed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<64 {
                group.addTask {
                    func perform() -> Bool {
                        let response: HTTPResponse? = try? transport.send(
                            HTTPRequest(method: .post, url: url, timeout: .seconds(2))
                        )
                        return response?.status == 200
                    }
                    return perform()
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(completed == 64)
        #expect(server.connectionCount <= 8)
        await transport.shutdown()
    }

    // MARK: Connections that only leases and settlements have

    private func request(_ url: String, _ priority: RequestPriority) -> HTTPRequest {
        var request = request(url, timeout: .seconds(600))
        request.priority = priority
        return request
    }

    @Test(arguments: [
        (RequestPriority.normal, RequestPriority.lease, 1), (.normal, .settlement, 1), (.settlement, .lease, 1),
        (.lease, .settlement, 1), (.normal, .lease, 64),
    ])
    func requestsThatHangDoNotStarveLeasesOrSettlements(
        hanging: RequestPriority,
        other: RequestPriority,
        maxConnections: Int
    ) async throws {
        let bad = try started(.silent)
        let good = try started(EchoTransport())
        defer {
            bad.stop()
            good.stop()
        }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = maxConnections })
        let hung = (0..<maxConnections + 16).map { _ in TimedExchange() }
        for exchange in hung { transport.start(request(bad.baseURL + "/v1/x", hanging), exchange.finish) }
        for _ in 0..<3 {
            let exchange = TimedExchange()
            transport.start(request(good.baseURL + "/v1/x", other), exchange.finish)
            await until { exchange.ended != nil }
            #expect(try exchange.ended?.outcome.get().status == 200)
        }
        #expect(hung.allSatisfy { $0.ended == nil })
        await transport.shutdown()
    }

    @Test func blockingRequestsThatHangDoNotStarveSettlements() async throws {
        let bad = try started(.silent)
        let good = try started(EchoTransport())
        defer { good.stop() }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = 2 })
        let url = bad.baseURL + "/v1/x"
        let threads = (0..<4).map { _ in
            SystemThread.start { _ = try? transport.send(request(url, .normal)) as HTTPResponse }
        }
        await until { bad.acceptedConnections == 2 }
        func blocking() throws(HTTPTransportError) -> HTTPResponse {
            try transport.send(request(good.baseURL + "/v1/x", .settlement))
        }
        #expect(try blocking().status == 200)
        #expect(bad.acceptedConnections == 2)
        await transport.shutdown()
        bad.stop()
        for thread in threads { thread?.join() }
    }

    // MARK: Servers that misbehave

    @Test(arguments: [
        (MisbehavingServer.Behavior.silent, HTTPTransportError.Kind.timedOut),
        (
            .trickle(intervalMilliseconds: 100, payload: Array("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n".utf8)),
            .timedOut
        ),
        (.closeAfterHeaders, .connectionFailed), (.closeBeforeAnswer, .connectionFailed), (.reset, .connectionFailed),
    ])
    func misbehavingServersEndInTime(behavior: MisbehavingServer.Behavior, kind: HTTPTransportError.Kind) async throws {
        let bad = try started(behavior)
        let good = try started(EchoTransport())
        defer {
            bad.stop()
            good.stop()
        }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = 2 })
        let url = bad.baseURL
        let exchanges = (0..<4).map { _ in TimedExchange() }
        for exchange in exchanges {
            transport.start(request(url + "/v1/x", timeout: .milliseconds(400)), exchange.finish)
        }
        await until { exchanges.allSatisfy { $0.ended != nil } }
        for exchange in exchanges {
            let (outcome, duration) = try #require(exchange.ended)
            guard case .failure(let error) = outcome else {
                Issue.record("answered")
                continue
            }
            #expect(error.kind == kind, "\(error)")
            #expect(error.wasRequestSent == true, "\(error)")
            #expect(error.message.contains("127.0.0.1:\(bad.port)"))
            #expect(!error.message.contains("key-of-the-test"))
            #expect(duration < .seconds(5))
        }
        // The connections of the pool are free for others.
        for _ in 0..<4 { #expect(try await transport.send(request(good.baseURL + "/v1/x")).status == 200) }
        func blocking() throws(HTTPTransportError) -> HTTPResponse {
            try transport.send(request(url + "/v1/x", timeout: .milliseconds(400)))
        }
        do throws(HTTPTransportError) {
            _ = try blocking()
            Issue.record("answered")
        } catch {
            #expect(error.kind == kind)
        }
        await transport.shutdown()
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 999999 OK\r\n\r\n", "hello\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
    ])
    func answersThatAreNoHTTPFail(answer: String) async throws {
        let server = try started(.answer(Array(answer.utf8)))
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        let found = await failure { () async throws(HTTPTransportError) in
            try await transport.send(request(server.baseURL + "/v1/x", timeout: .seconds(2)))
        }
        #expect(found != nil && found?.wasRequestSent != false)
        await transport.shutdown()
    }

    @Test func redirectsAreNotFollowed() async throws {
        let thief = try started(.silent)
        let server = try started(.redirect(to: thief.baseURL + "/steal"))
        defer {
            server.stop()
            thief.stop()
        }
        let client = try CyclesClient(
            configuration: configuration {
                $0.baseURL = server.baseURL
                $0.tenant = "acme"
            }
        )
        await #expect {
            try await client.getBalances()
        } throws: { error in
            guard case .invalidResponse(let invalid) = error as? CyclesError else { return false }
            return invalid.status == 307 && invalid.message.contains("/steal")
        }
        #expect(thief.acceptedConnections == 0)
        await client.shutdown()
    }

    @Test func largeAnswersAreCutOff() async throws {
        let transport = CurlTransport(configuration: configuration { $0.maxResponseBytes = 100_000 })
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
        let large = [UInt8](repeating: 0x20, count: 100_001)
        let announced = Array((head + "Content-Length: 100001\r\n\r\n").utf8) + large
        let unannounced = Array((head + "\r\n").utf8) + large
        let headers =
            Array((head + "X-Long: ").utf8) + [UInt8](repeating: 0x61, count: 99_999) + Array("\r\nX-More: ".utf8)
            + large
        for answer in [announced, unannounced, headers] {
            let server = try started(.answer(answer))
            let found = await failure { () async throws(HTTPTransportError) in
                try await transport.send(request(server.baseURL + "/v1/x"))
            }
            #expect(found?.kind == .responseTooLarge, "\(found as Any)")
            #expect(found?.message.contains("100000 bytes") == true)
            server.stop()
        }
        let server = try started(.answer(Array((head + "\r\n").utf8) + large.dropLast()))
        #expect(try await transport.send(request(server.baseURL + "/v1/x")).body.count == 100_000)
        server.stop()
        await transport.shutdown()
    }

    @Test func interimAnswersFoldedLinesAndTrailersAreHandled() async throws {
        let answer = """
            HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nX-Folded: one\r\n  two\r\nx-spaces:  padded \t\r\n\
            Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Request-Id: from-a-trailer\r\n\r\n
            """
        let server = try started(.answer(Array(answer.utf8)))
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        let response = try await transport.send(request(server.baseURL + "/v1/x"))
        #expect(response.status == 200)
        #expect(response.body == Array("ok".utf8))
        #expect(response.headers["X-Early"] == nil)
        #expect(response.headers["X-Folded"] == "one two")
        #expect(response.headers["X-Spaces"] == "padded")
        #expect(response.headers["X-Request-Id"] == nil)
        await transport.shutdown()
    }

    @Test func failuresBeforeTheRequestSaySo() async throws {
        let transport = CurlTransport(configuration: configuration())
        let closed = try started(.silent)
        let port = closed.port
        closed.stop()
        let refused = await failure { () async throws(HTTPTransportError) in
            try await transport.send(request("http://127.0.0.1:\(port)/v1/x"))
        }
        #expect(refused?.kind == .connectionFailed && refused?.wasRequestSent == false)
        #expect(refused?.message == "Failed connecting to 127.0.0.1:\(port): Connection refused (libcurl 7)")
        let unknown = await failure { () async throws(HTTPTransportError) in
            try await transport.send(request("http://no-such-host.invalid/v1/x"))
        }
        #expect(unknown?.kind == .connectionFailed && unknown?.wasRequestSent == false)
        #expect(unknown?.message.contains("no-such-host.invalid") == true)
        await transport.shutdown()
        // The host of the URL has no part in it.
        let bySocket = CurlTransport(configuration: configuration { $0.unixSocketPath = "/no/such/socket" })
        let absent = await failure { () async throws(HTTPTransportError) in
            try await bySocket.send(request("http://127.0.0.1:\(port)/v1/x"))
        }
        #expect(absent?.kind == .connectionFailed && absent?.wasRequestSent == false)
        #expect(absent?.message.contains("over the Unix socket /no/such/socket: No such file or directory") == true)
        await bySocket.shutdown()
    }

    @Test func aPathThatLibcurlDoesNotTakeIsNotReplacedByAnother() async throws {
        let echo = EchoTransport()
        let server = try started(echo)
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        _ = try await transport.send(request(server.baseURL + "/v1/x"))
        // libcurl refuses texts of more than 8 million bytes.
        let url = server.baseURL + "/" + String(repeating: "y", count: 8_000_001)
        let found = await failure { () async throws(HTTPTransportError) in try await transport.send(request(url)) }
        #expect(found?.wasRequestSent == false)
        #expect(found?.message.contains("libcurl does not accept the path") == true, "\(found as Any)")
        #expect(echo.requests.count == 1)
        await transport.shutdown()
    }

    @Test(arguments: [
        "", "ftp://127.0.0.1/x", "/v1/x", "http://", "http://user:pw@127.0.0.1/x", "http://127.0.0.1/a b",
        "http://127.0.0.1/a\r\nX-Evil: 1", "http://127.0.0.1/a\0b", "http://127.0.0.1/a#b", "http://127.0.0.1/é",
        "http://[::1/x", "http://127.0.0.1:99999/x", "file:///etc/passwd",
    ])
    func urlsThatMakeNoSenseAreRefused(url: String) async throws {
        let transport = CurlTransport(configuration: configuration())
        let found = await failure { () async throws(HTTPTransportError) in try await transport.send(request(url)) }
        #expect(found?.kind == .other && found?.wasRequestSent == false, "\(found as Any)")
        await transport.shutdown()
    }

    @Test func headersThatForgeFieldsAreRefused() async throws {
        let server = try started(.silent)
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        for headers in [["X": "a\r\nX-Evil: 1"], ["X": "a\nb"], ["X": "a\0b"], ["X: y\r\nZ": "1"]] as [HTTPHeaders] {
            var bad = request(server.baseURL + "/v1/x")
            bad.headers = headers
            let found = await failure { () async throws(HTTPTransportError) in try await transport.send(bad) }
            #expect(found?.wasRequestSent == false)
            #expect(found?.message.contains("header field") == true)
        }
        let method = await failure { () async throws(HTTPTransportError) in
            try await transport.send(request(server.baseURL + "/v1/x", method: "GET / HTTP/1.1\r\nX-Evil: 1"))
        }
        #expect(method?.wasRequestSent == false)
        #expect(server.acceptedConnections == 0)
        await transport.shutdown()
    }

    // MARK: Giving up

    @Test func cancellingAbortsTheTransfer() async throws {
        let server = try started(.silent)
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = 1 })
        let url = server.baseURL + "/v1/x"
        let inFlight = Task {
            await failure { () async throws(HTTPTransportError) in
                try await transport.send(request(url, timeout: .seconds(60)))
            }
        }
        await until { !server.receivedBytes.isEmpty }
        let inLine = Task {
            await failure { () async throws(HTTPTransportError) in
                try await transport.send(request(url, timeout: .seconds(60)))
            }
        }
        inLine.cancel()
        let waiting = await inLine.value
        #expect(waiting?.kind == .cancelled && waiting?.wasRequestSent == false)
        inFlight.cancel()
        let aborted = await inFlight.value
        #expect(aborted?.kind == .cancelled && aborted?.wasRequestSent == true)
        #expect(aborted?.message.contains("127.0.0.1:\(server.port)") == true)
        // The aborted transfer's connection is really gone, and its place in the pool is free.
        await until { server.openConnections == 0 }
        let before = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await failure { () async throws(HTTPTransportError) in try await transport.send(request(url)) }
        }
        #expect(await before.value?.kind == .cancelled)
        #expect(server.acceptedConnections == 1)
        await transport.shutdown()
    }

    @Test func shutdownFailsWhatIsInFlightAndInLine() async throws {
        let server = try started(.silent)
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration { $0.maxConnections = 2 })
        let url = server.baseURL + "/v1/x"
        let tasks = (0..<5).map { _ in
            Task {
                await failure { () async throws(HTTPTransportError) in
                    try await transport.send(request(url, timeout: .seconds(60)))
                }
            }
        }
        await until { server.acceptedConnections == 2 && server.receivedBytes.count > 200 }
        let blocked = Lock<HTTPTransportError?>(nil)
        let thread = try #require(
            SystemThread.start {
                do throws(HTTPTransportError) {
                    let _: HTTPResponse = try transport.send(request(url, timeout: .seconds(60)))
                } catch {
                    blocked.withLock { $0 = error }
                }
            }
        )
        await until { server.acceptedConnections == 3 }
        let start = ContinuousClock.now
        await transport.shutdown()
        for task in tasks {
            let error = await task.value
            #expect(error?.kind == .other && error?.message.contains("shut down") == true, "\(error as Any)")
        }
        thread.join()
        #expect(blocked.withLock { $0?.message.contains("shut down") } == true)
        #expect(start.duration(to: .now) < .seconds(30))
        let late = await failure { () async throws(HTTPTransportError) in try await transport.send(request(url)) }
        #expect(late?.wasRequestSent == false && late?.message.contains("shut down") == true)
        func lateBlocking() throws(HTTPTransportError) -> HTTPResponse { try transport.send(request(url)) }
        #expect(throws: HTTPTransportError.self) { try lateBlocking() }
        await transport.shutdown()
        await CurlTransport(configuration: configuration()).shutdown()
    }

    @Test func aTransportThatIsLetGoClosesItsConnections() async throws {
        let server = try started(EchoTransport())
        defer { server.stop() }
        var transport: CurlTransport? = CurlTransport(configuration: configuration())
        _ = try await transport?.send(request(server.baseURL + "/v1/x"))
        #expect(server.openConnections == 1)
        transport = nil
        await until { server.openConnections == 0 }
    }

    @Test func aConnectionThatDiedInBetweenIsReplaced() async throws {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)
        let server = try started(.answerOnlyFirst(answer))
        defer { server.stop() }
        let transport = CurlTransport(configuration: configuration())
        for _ in 0..<3 { #expect(try await transport.send(request(server.baseURL + "/v1/x")).status == 200) }
        await transport.shutdown()
    }

    // MARK: Other ways to the server

    @Test func aProxyIsAsked() async throws {
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok".utf8)
        let proxy = try started(.answer(answer))
        defer { proxy.stop() }
        let transport = CurlTransport(
            configuration: configuration { $0.proxy = "http://user:secret@127.0.0.1:\(proxy.port)" }
        )
        for path in ["/v1/a%2Fb", "/v1/c?d=1"] {
            #expect(try await transport.send(request("http://host.invalid:81\(path)")).status == 200)
            #expect(
                String(decoding: proxy.receivedBytes, as: UTF8.self).contains(
                    "POST http://host.invalid:81\(path) HTTP/1.1\r\n"
                )
            )
        }
        #expect(
            String(decoding: proxy.receivedBytes, as: UTF8.self).contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=")
        )
        await transport.shutdown()
        let refusing = CurlTransport(configuration: configuration { $0.proxy = "http://user:secret@127.0.0.1:1" })
        let found = await failure { () async throws(HTTPTransportError) in
            try await refusing.send(request("http://host.invalid/v1/x"))
        }
        #expect(found?.kind == .connectionFailed && found?.message.contains("secret") == false)
        #expect(found?.message.contains("host.invalid through the proxy 127.0.0.1:1: Connection refused") == true)
        await refusing.shutdown()
    }

    @Test func settingsThatLibcurlRefusesAreNamed() async throws {
        let transport = CurlTransport(configuration: configuration { $0.proxy = "nonsense://x" })
        let found = await failure { () async throws(HTTPTransportError) in
            try await transport.send(request("http://127.0.0.1:1/v1/x"))
        }
        #expect(found != nil && found?.wasRequestSent == false)
        await transport.shutdown()
    }
}

extension String {
    fileprivate func replacingFirst(_ character: Character, by text: String) -> String {
        guard let index = firstIndex(of: character) else { return self }
        return self[..<index] + text + self[self.index(after: index)...]
    }
}
