import Cycles
import CyclesTesting
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Answers from a closure and remembers what it was asked.
private final class ClosureTransport: BlockingHTTPTransport {
    private let received = Lock<[HTTPRequest]>([])
    private let handler: @Sendable (HTTPRequest) throws(HTTPTransportError) -> HTTPResponse

    init(
        _ handler: @escaping @Sendable (HTTPRequest) throws(HTTPTransportError) -> HTTPResponse = { request in
            HTTPResponse(status: 200, headers: ["X-Path": request.url], body: request.body)
        }
    ) {
        self.handler = handler
    }

    var requests: [HTTPRequest] { received.withLock { $0 } }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        received.withLock { $0.append(request) }
        return try handler(request)
    }
}

@Suite(.timeLimit(.minutes(5))) struct LoopbackServerTests {
    private let get = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

    private func started(
        _ transport: any BlockingHTTPTransport = ClosureTransport(),
        options: LoopbackServer.Options = .init()
    ) throws -> LoopbackServer {
        let server = LoopbackServer(transport, options: options)
        try server.start()
        return server
    }

    // MARK: What the transport gets

    @Test func handsOverTheRequest() throws {
        let transport = ClosureTransport()
        let server = try started(transport)
        let connection = try TestConnection(port: server.port)
        connection.send(
            """
            POST /v1/events?x=1 HTTP/1.1\r
            Host: h\r
            X-Cycles-API-Key: key\r
            Connection: keep-alive, X-Private\r
            X-Private: 1\r
            Keep-Alive: 5\r
            TE: trailers\r
            Transfer-Encoding: chunked\r
            X-Twice: 1\r
            X-Twice: 2\r
            \r
            3\r
            abc\r
            0\r
            \r

            """
        )
        let answer = try #require(try connection.answer())
        #expect(answer.status == 200)
        #expect(answer.text == "abc")
        let request = try #require(transport.requests.first)
        #expect(request.method == .post)
        #expect(request.url == server.baseURL + "/v1/events?x=1")
        #expect(request.headers == ["Host": "h", "X-Cycles-API-Key": "key", "X-Twice": "1", "X-Twice": "2"])
        #expect(request.body == Array("abc".utf8))
    }

    @Test func theServerAsAWholeHasNoPath() throws {
        let transport = ClosureTransport()
        let server = try started(transport)
        let connection = try TestConnection(port: server.port)
        connection.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try connection.answer()?.status == 200)
        #expect(transport.requests.map(\.url) == [server.baseURL])
    }

    @Test func answersTheExpectationAndNeverPassesItOn() throws {
        let transport = ClosureTransport()
        let server = try started(transport)
        let connection = try TestConnection(port: server.port)
        connection.send("PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(try connection.answer()?.status == 100)
        connection.send("ab")
        #expect(try connection.answer()?.text == "ab")
        #expect(transport.requests.first?.headers == ["Host": "h", "Content-Length": "2"])
    }

    // MARK: Connections

    @Test func keepsConnectionsAliveAndCountsThem() throws {
        let server = try started()
        let first = try TestConnection(port: server.port)
        for _ in 0..<5 {
            first.send(get)
            let answer = try #require(try first.answer())
            #expect(answer.status == 200)
            #expect(answer.headers["Connection"] == nil)
        }
        #expect(server.connectionCount == 1)
        let second = try TestConnection(port: server.port)
        second.send(get)
        #expect(try second.answer()?.status == 200)
        #expect(server.connectionCount == 2)
        #expect(server.openConnections == 2)
    }

    @Test func answersPipelinedRequestsInOrder() throws {
        let server = try started()
        let connection = try TestConnection(port: server.port)
        connection.send((0..<50).map { "POST /\($0) HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx" }.joined())
        for index in 0..<50 {
            #expect(try connection.answer()?.headers["X-Path"] == "\(server.baseURL)/\(index)")
        }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"])
    func closesAfterTheAnswerWhenToldTo(request: String) throws {
        let server = try started()
        let connection = try TestConnection(port: server.port)
        connection.send(request + String(repeating: get, count: 20_000))
        let answer = try #require(try connection.answer())
        #expect(answer.status == 200)
        #expect(answer.headers["Connection"] == "close")
        #expect(try connection.rest().isEmpty)
        // A reset could overtake the answer.
        #expect(!connection.wasReset)
    }

    @Test func aClosedConnectionIsNoLongerOpen() throws {
        let server = try started()
        do {
            let connection = try TestConnection(port: server.port)
            connection.send(get)
            #expect(try connection.answer()?.status == 200)
            #expect(server.openConnections == 1)
        }
        #expect(eventually { server.openConnections == 0 })
        #expect(server.connectionCount == 1)
    }

    @Test func connectionsBeyondTheLimitWaitForTheirTurn() throws {
        let server = try started(options: .init(maxConnections: 2))
        var held: [TestConnection] = []
        for _ in 0..<2 {
            let connection = try TestConnection(port: server.port)
            connection.send(get)
            #expect(try connection.answer()?.status == 200)
            held.append(connection)
        }
        let third = try TestConnection(port: server.port)
        third.send(get)
        held[0].send(get)
        #expect(try held[0].answer()?.status == 200)
        #expect(server.connectionCount == 2)
        held.removeFirst()
        #expect(try third.answer()?.status == 200)
        #expect(server.connectionCount == 3)
    }

    @Test func servesManyClientsAtOnce() throws {
        let transport = ClosureTransport()
        let server = try started(transport)
        let port = server.port
        let good = Atomic(0)
        let threads = (0..<64).compactMap { number in
            SystemThread.start(stackSize: 512 * 1_024) {
                guard let connection = try? TestConnection(port: port, patience: .seconds(30)) else { return }
                for round in 0..<20 {
                    let body = "\(number)/\(round)"
                    let length = body.utf8.count
                    connection.send("POST /\(body) HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n\(body)")
                    guard let answer = try? connection.answer(), answer.text == body else { return }
                    good.wrappingAdd(1, ordering: .relaxed)
                }
            }
        }
        #expect(threads.count == 64)
        for thread in threads { thread.join() }
        #expect(good.load(ordering: .relaxed) == 64 * 20)
        #expect(transport.requests.count == 64 * 20)
        #expect(server.connectionCount == 64)
    }

    @Test func survivesClientsThatMisbehave() throws {
        let server = try started(
            ClosureTransport { _ in HTTPResponse(status: 200, body: Array(repeating: 1, count: 4 << 20)) }
        )
        for index in 0..<40 {
            let connection = try TestConnection(port: server.port)
            switch index % 5 {
            case 0: connection.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])
            case 1: connection.send("GET / HT")
            case 2:
                // The answer does not fit the socket: the server writes to a connection that is gone.
                connection.send(get)
                connection.reset()
            case 3: connection.reset()
            default: connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
            }
        }
        let connection = try TestConnection(port: server.port)
        connection.send(get)
        #expect(try connection.answer()?.body.count == 4 << 20)
        #expect(eventually { server.openConnections == 1 })
        #expect(server.connectionCount == 41)
    }

    #if os(Linux)
        /// Pages of address space; each thread that ended and was not joined keeps its stack there.
        private func addressSpacePages() throws -> Int {
            let file = try #require(fopen("/proc/self/statm", "r"))
            defer { fclose(file) }
            var line = [UInt8](repeating: 0, count: 128)
            let count = fread(&line, 1, line.count, file)
            return try #require(Int(String(decoding: line[..<count].prefix { $0 != 0x20 }, as: UTF8.self)))
        }

        @Test func connectionsThatEndedLeaveNoThreadsBehind() throws {
            let server = try started()
            let before = try addressSpacePages()
            for _ in 0..<5_000 {
                let connection = try TestConnection(port: server.port)
                connection.send("GET / HTTP/1.0\r\n\r\n")
                #expect(try connection.answer()?.status == 200)
            }
            // Stacks of 512 KiB for all would be 2 500 MiB. The allocator reserves address space for threads, too, but less.
            #expect((try addressSpacePages() - before) / 256 < 1_700)
            #expect(server.connectionCount == 5_000)
        }
    #endif

    // MARK: Time

    @Test func closesIdleConnectionsWithoutAWord() throws {
        let server = try started(options: .init(idleTimeout: .milliseconds(100)))
        let fresh = try TestConnection(port: server.port)
        #expect(try fresh.rest().isEmpty)
        let used = try TestConnection(port: server.port)
        used.send(get)
        #expect(try used.answer()?.status == 200)
        #expect(try used.rest().isEmpty)
    }

    @Test(arguments: ["G", "GET / HTTP/1.1\r\nHost: h\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1"])
    func answersSlowRequests408(part: String) throws {
        let server = try started(options: .init(idleTimeout: .seconds(60), requestTimeout: .milliseconds(100)))
        let connection = try TestConnection(port: server.port)
        connection.send(get)
        #expect(try connection.answer()?.status == 200)
        connection.send(part)
        let answer = try #require(try connection.answer())
        #expect(answer.status == 408)
        #expect(answer.headers["Connection"] == "close")
        #expect(try connection.rest().isEmpty)
    }

    @Test func bytesDoNotProlongARequest() throws {
        let server = try started(options: .init(requestTimeout: .milliseconds(200), maxBodyBytes: .max))
        let connection = try TestConnection(port: server.port)
        connection.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n")
        let start = ContinuousClock.now
        while !connection.hasInput, ContinuousClock.now - start < .seconds(10) { connection.send("x") }
        #expect(try connection.answer()?.status == 408)
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    // MARK: Refusals

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a b/c\r\n\r\n", 400),
        ("GET / HTTP/3.0\r\n\r\n", 505), ("CONNECT a:1 HTTP/1.1\r\n\r\n", 501),
        ("GET /\(String(repeating: "a", count: 200)) HTTP/1.1\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 200))\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\n\r\n", 431),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n\(String(repeating: "a", count: 900_000))", 413),
        ("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ])
    func refusesAndCloses(request: String, status: Int) throws {
        let transport = ClosureTransport()
        let server = try started(
            transport,
            options: .init(maxRequestLineBytes: 100, maxHeaderBytes: 100, maxHeaderCount: 3, maxBodyBytes: 100)
        )
        let connection = try TestConnection(port: server.port)
        connection.send(request)
        let answer = try #require(try connection.answer())
        #expect(answer.status == status)
        #expect(answer.headers["Content-Type"] == "application/json")
        #expect(answer.headers["Connection"] == "close")
        #expect(
            answer.text.hasPrefix(status < 500 ? "{\"error\":\"INVALID_REQUEST\"" : "{\"error\":\"INTERNAL_ERROR\"")
        )
        // As every error of the protocol it can be found again.
        let body = try JSONValue(parsing: Array(answer.text.utf8))
        #expect(body["request_id"]?.string == answer.headers["X-Request-Id"] && body["request_id"] != nil)
        #expect(body["trace_id"]?.string == answer.headers["X-Cycles-Trace-Id"])
        #expect(body["trace_id"]?.string?.utf8.count == 32)
        #expect(try connection.rest().isEmpty)
        #expect(!connection.wasReset)
        #expect(transport.requests.isEmpty)
    }

    // MARK: Answers

    @Test func framesAnswersItself() throws {
        let server = try started(
            ClosureTransport { _ in
                HTTPResponse(
                    status: 418,
                    headers: [
                        "Content-Length": "99", "Transfer-Encoding": "chunked", "Connection": "close, X-Gone",
                        "X-Gone": "1", "Set-Cookie": "a", "Set-Cookie": "b", "Retry-After": "1",
                    ],
                    body: Array("tea".utf8)
                )
            }
        )
        let connection = try TestConnection(port: server.port)
        for _ in 0..<2 {
            connection.send(get)
            let answer = try #require(try connection.answer())
            #expect(answer.status == 418)
            #expect(
                answer.headers
                    == ["Set-Cookie": "a", "Set-Cookie": "b", "Retry-After": "1", "Content-Length": "3"]
            )
            #expect(answer.text == "tea")
        }
    }

    @Test(arguments: [("GET", 204, nil), ("GET", 304, nil), ("GET", 205, "0"), ("HEAD", 200, "3")])
    func sendsNoBodyWhereNoneMayBe(method: String, status: Int, length: String?) throws {
        let server = try started(ClosureTransport { _ in HTTPResponse(status: status, body: Array("abc".utf8)) })
        let connection = try TestConnection(port: server.port)
        connection.send("\(method) / HTTP/1.1\r\nHost: h\r\n\r\n")
        let answer = try #require(try connection.answer(withoutBody: true))
        #expect(answer.status == status)
        #expect(answer.headers["Content-Length"] == length)
        connection.send("HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(try connection.answer(withoutBody: true)?.status == status)
        #expect(try connection.rest().isEmpty)
    }

    @Test func tellsNoLengthOfABodyItDoesNotKnow() throws {
        let server = try started(ClosureTransport { _ in HTTPResponse(status: 200) })
        let connection = try TestConnection(port: server.port)
        connection.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try connection.answer()?.headers["Content-Length"] == nil)
        connection.send(get)
        #expect(try connection.answer()?.headers["Content-Length"] == "0")
    }

    @Test(arguments: [
        HTTPResponse(status: 100), HTTPResponse(status: 0), HTTPResponse(status: 1_000),
        HTTPResponse(status: 200, headers: ["X": "a\r\nY: b"]), HTTPResponse(status: 200, headers: ["X Y": "a"]),
    ])
    func answersThatWouldBreakTheMessageBecome502(response: HTTPResponse) throws {
        let server = try started(ClosureTransport { _ in response })
        let connection = try TestConnection(port: server.port)
        for _ in 0..<2 {
            connection.send(get)
            #expect(try connection.answer()?.status == 502)
        }
    }

    @Test(arguments: [HTTPTransportError.Kind.tls, .responseTooLarge, .cancelled, .other])
    func aTransportThatFailsBecomes502(kind: HTTPTransportError.Kind) throws {
        let server = try started(
            ClosureTransport { (_) throws(HTTPTransportError) in
                throw HTTPTransportError(kind: kind, message: "the \"reason\"")
            }
        )
        let connection = try TestConnection(port: server.port)
        for _ in 0..<2 {
            connection.send(get)
            let answer = try #require(try connection.answer())
            #expect(answer.status == 502)
            let body = try JSONValue(parsing: Array(answer.text.utf8))
            #expect(body["error"] == "INTERNAL_ERROR" && body["request_id"]?.string != nil)
            #expect(body["message"] == "The transport behind the loopback server failed: the \"reason\"")
        }
    }

    @Test(arguments: [HTTPTransportError.Kind.connectionFailed, .timedOut])
    func aLostAnswerIsLostOnTheWire(kind: HTTPTransportError.Kind) throws {
        let transport = ClosureTransport { (_) throws(HTTPTransportError) in
            throw HTTPTransportError(kind: kind, message: "lost")
        }
        let server = try started(transport)
        let connection = try TestConnection(port: server.port)
        connection.send(get)
        #expect(try connection.rest().isEmpty)
        #expect(transport.requests.count == 1)
    }

    // MARK: Starting and stopping

    @Test func stopBreaksConnectionsAtOnceAndMayBeRepeated() throws {
        let server = try started()
        let idle = try TestConnection(port: server.port)
        let busy = try TestConnection(port: server.port)
        busy.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n1")
        #expect(eventually { server.openConnections == 2 })
        let start = ContinuousClock.now
        server.stop()
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(try idle.rest().isEmpty)
        #expect(try busy.rest().isEmpty)
        #expect(server.openConnections == 0)
        #expect(server.connectionCount == 2)
        #expect(throws: SocketError.self) { try TestConnection(port: server.port) }
        server.stop()
    }

    @Test func startsAgainOnItsPort() throws {
        let server = try started()
        let baseURL = server.baseURL
        try server.start()
        #expect(server.baseURL == baseURL)
        let before = try TestConnection(port: server.port)
        before.send(get)
        #expect(try before.answer()?.status == 200)
        server.stop()
        try server.start()
        #expect(server.baseURL == baseURL)
        let after = try TestConnection(port: server.port)
        after.send(get)
        #expect(try after.answer()?.status == 200)
        #expect(server.connectionCount == 2)
    }

    @Test func saysWhyItCannotStart() throws {
        let server = try started()
        let second = LoopbackServer(ClosureTransport(), port: server.port)
        let error = #expect(throws: LoopbackServerError.self) { try second.start() }
        #expect(error?.message.contains("127.0.0.1:\(server.port)") == true)
        #expect(second.openConnections == 0)
        second.stop()
    }

    @Test func endsWithItsLastReference() throws {
        var server: LoopbackServer? = try started()
        let port = try #require(server?.port)
        let connection = try TestConnection(port: port)
        connection.send(get)
        #expect(try connection.answer()?.status == 200)
        server = nil
        #expect(try connection.rest().isEmpty)
        #expect(throws: SocketError.self) { try TestConnection(port: port) }
    }

    @Test func mayBeStoppedByWhatItServes() throws {
        let held = Lock<LoopbackServer?>(nil)
        let server = LoopbackServer(
            ClosureTransport { _ in
                held.withLock { $0 }?.stop()
                return HTTPResponse(status: 200)
            }
        )
        held.withLock { $0 = server }
        defer { held.withLock { $0 = nil } }
        try server.start()
        let connection = try TestConnection(port: server.port)
        connection.send(get)
        #expect(try connection.rest().isEmpty)
        // The client may notice before the listener is closed.
        #expect(eventually { (try? TestConnection(port: server.port)) == nil })
    }

    @Test func startsAndStopsManyTimesUnderLoad() throws {
        let server = LoopbackServer(ClosureTransport())
        let isDone = Atomic(false)
        try server.start()
        let port = server.port
        let get = get
        let threads = (0..<4).compactMap { _ in
            SystemThread.start(stackSize: 512 * 1_024) {
                while !isDone.load(ordering: .relaxed) {
                    guard let connection = try? TestConnection(port: port) else { continue }
                    connection.send(get)
                    _ = try? connection.answer()
                }
            }
        }
        for _ in 0..<30 {
            let before = server.connectionCount
            #expect(eventually { server.connectionCount > before })
            server.stop()
            #expect(server.openConnections == 0)
            try server.start()
        }
        isDone.store(true, ordering: .relaxed)
        for thread in threads { thread.join() }
    }
}
