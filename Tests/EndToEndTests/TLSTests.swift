import Cycles
import CyclesTesting
import Testing

/// TLS, HTTP/2 and Unix sockets, with nginx in front of a loopback server.
@Suite struct TLSTests {
    private let mock: MockTransport
    private let server: LoopbackServer
    private let terminator: TLSTerminator

    init() throws {
        mock = MockTransport()
        mock.on(.get, "/v1/balances") { _ in HTTPResponse(json: #"{"balances":[]}"#) }
        server = LoopbackServer(mock)
        try server.start()
        terminator = try TLSTerminator(upstream: "127.0.0.1:\(server.port)")
    }

    private func client(
        port: Int? = nil,
        host: String = "localhost",
        _ change: (inout CyclesConfiguration) -> Void = { _ in }
    ) throws -> CyclesClient {
        var configuration = CyclesConfiguration(
            baseURL: "https://\(host):\(port ?? terminator.port)",
            apiKey: "key-of-the-test"
        )
        configuration.tenant = "acme"
        configuration.tls.caBundlePath = terminator.authorityPath
        change(&configuration)
        return try CyclesClient(configuration: configuration)
    }

    private func failure(_ client: CyclesClient) async -> HTTPTransportError? {
        defer { Task { await client.shutdown() } }
        do throws(CyclesError) {
            _ = try await client.getBalances()
            return nil
        } catch {
            if case .transport(let error) = error { return error }
            return HTTPTransportError(kind: .other, message: "not a transport error: \(error)")
        }
    }

    @Test func http2IsSpokenAndConnectionsAreShared() async throws {
        let client = try client()
        var connections: Set<String> = []
        for _ in 0..<3 {
            let response = try await client.getBalances()
            #expect(response.http.headers["X-Protocol"] == "HTTP/2.0")
            connections.insert(response.http.headers["X-Connection"] ?? "")
        }
        let shared = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 {
                group.addTask { try await client.getBalances().http.headers["X-Connection"] ?? "" }
            }
            return try await group.reduce(into: connections) { $0.insert($1) }
        }
        #expect(shared.count == 1)
        #expect(mock.requests.allSatisfy { $0.headers["X-Cycles-API-Key"] == "key-of-the-test" })
        await client.shutdown()
    }

    @Test func http1IsSpokenWhereTheServerOffersNoMore() async throws {
        let client = try client(port: terminator.plainPort)
        let response = try await client.getBalances()
        #expect(response.http.headers["X-Protocol"] == "HTTP/1.1")
        await client.shutdown()
    }

    @Test func certificatesAreChecked() async throws {
        let unknown = await failure(try client { $0.tls.caBundlePath = nil })
        #expect(unknown?.kind == .tls && unknown?.wasRequestSent == false, "\(unknown as Any)")
        #expect(unknown?.message.contains("localhost:\(terminator.port)") == true)
        #expect(unknown?.message.contains("; if the authority is your own") == true, "\(unknown as Any)")
        let missing = await failure(try client { $0.tls.caBundlePath = "/no/such/file.pem" })
        #expect(missing?.kind == .tls && missing?.message.contains("/no/such/file.pem") == true, "\(missing as Any)")
        #expect(missing?.message.contains("; check that the file") == true)
        let plain = await failure(try client(port: Int(server.port)))
        #expect(plain?.kind == .tls && plain?.wasRequestSent == false, "\(plain as Any)")
        #expect(plain?.message.contains("; the server answered without TLS") == true)
        #expect(mock.requests.isEmpty)
    }

    @Test func theNameInTheCertificateHasToMatch() async throws {
        #expect(await failure(try client(host: "localhost")) == nil)
        let wrong = await failure(try client(host: "127.0.0.1"))
        #expect(wrong?.kind == .tls && wrong?.wasRequestSent == false, "\(wrong as Any)")
        #expect(wrong?.message.contains("authority is your own") == false)
        #expect(mock.requests.count == 1)
    }

    @Test func keysCanBePinned() async throws {
        let pin = try terminator.publicKeyPin()
        #expect(await failure(try client { $0.tls.pinnedPublicKey = pin }) == nil)
        let other = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
        let wrong = await failure(try client { $0.tls.pinnedPublicKey = other })
        #expect(wrong?.kind == .tls && wrong?.wasRequestSent == false, "\(wrong as Any)")
        #expect(mock.requests.count == 1)
    }

    @Test func clientsCanShowACertificate() async throws {
        let client = try client(port: terminator.strictPort) {
            $0.tls.clientCertificatePath = terminator.clientCertificatePath
            $0.tls.clientKeyPath = terminator.clientKeyPath
        }
        #expect(try await client.getBalances().http.headers["X-Client"] == "CN=client")
        await client.shutdown()
        let without = try self.client(port: terminator.strictPort)
        await #expect(throws: CyclesError.self) { try await without.getBalances() }
        await without.shutdown()
        #expect(mock.requests.count == 1)
    }

    @Test func unixSocketsAreReached() async throws {
        var configuration = CyclesConfiguration(baseURL: "http://budget.internal/prefix", apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.unixSocketPath = terminator.socketPath
        mock.on(.get, "/prefix/v1/balances") { _ in HTTPResponse(json: #"{"balances":[]}"#) }
        let client = try CyclesClient(configuration: configuration)
        #expect(try await client.getBalances().balances.isEmpty)
        await client.shutdown()
    }

    @Test func blockingRequestsUseTLSToo() throws {
        var configuration = CyclesConfiguration(
            baseURL: "https://localhost:\(terminator.port)",
            apiKey: "key-of-the-test"
        )
        configuration.tls.caBundlePath = terminator.authorityPath
        let transport = CurlTransport(configuration: configuration)
        for _ in 0..<3 {
            let response: HTTPResponse = try transport.send(
                HTTPRequest(method: .get, url: "https://localhost:\(terminator.port)/v1/balances?tenant=acme")
            )
            #expect(response.status == 200)
            #expect(response.headers["x-protocol"] == "HTTP/2.0")
        }
    }

    #if os(Linux)
        @Test(arguments: [false, true])
        func anAnswerThatWasThereBeforeTheRequestIsNotItsAnswer(isBlocking: Bool) async throws {
            let server = try RawTLSServer(folder: terminator.folder)
            var configuration = CyclesConfiguration(baseURL: "https://localhost:\(server.port)", apiKey: "key")
            configuration.tls.caBundlePath = terminator.authorityPath
            let transport = CurlTransport(configuration: configuration)
            func send(_ path: String) async throws -> HTTPResponse {
                let request = HTTPRequest(
                    method: .get,
                    url: "https://localhost:\(server.port)\(path)",
                    connectTimeout: .seconds(600),
                    timeout: .seconds(600)
                )
                func block() throws(HTTPTransportError) -> HTTPResponse { try transport.send(request) }
                return isBlocking ? try block() : try await transport.send(request)
            }
            #expect(try await send("/1").status == 200)
            let connection = server.clientPorts
            #expect(connection.count == 1)
            #expect(try await send("/2").status == 200)
            #expect(server.clientPorts == connection)
            server.say("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await until { server.hasClientInput }
            #expect(try await send("/3").status == 200)
            #expect(server.clientPorts.isDisjoint(with: connection))
            await transport.shutdown()
        }
    #endif
}
