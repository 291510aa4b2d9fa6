import Cycles
import CyclesTesting
import Testing

/// The texts and kinds of what goes wrong between a client and a server.
@Suite struct TransportErrorTests {
    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let wrongServer = "check that the base URL names a Cycles server"

    private func error(
        _ url: String,
        unixSocket: String? = nil,
        proxy: String? = nil
    ) async throws -> HTTPTransportError {
        var configuration = CyclesConfiguration(baseURL: url, apiKey: "key-of-the-test")
        configuration.unixSocketPath = unixSocket
        configuration.proxy = proxy
        let transport = CurlTransport(configuration: configuration)
        var found: HTTPTransportError?
        do throws(HTTPTransportError) {
            _ = try await transport.send(HTTPRequest(method: .get, url: url + "/v1/x", timeout: .seconds(30)))
        } catch {
            found = error
        }
        await transport.shutdown()
        return try #require(found)
    }

    private func error(answering behavior: MisbehavingServer.Behavior, scheme: String = "http") async throws
        -> HTTPTransportError
    {
        let server = MisbehavingServer(behavior)
        try server.start()
        defer { server.stop() }
        let found = try await error("\(scheme)://127.0.0.1:\(server.port)")
        #expect(found.message.contains(" 127.0.0.1:\(server.port): "), "\(found)")
        return found
    }

    @Test(arguments: [
        (ok + "X: " + String(repeating: "a", count: 300_000) + "\r\n\r\n", "its head has a line longer"),
        ("HTTP/1.1 200 " + String(repeating: "a", count: 300_000) + "\r\n\r\n", "its head has a line longer"),
        (ok + String(repeating: "X: " + String(repeating: "a", count: 997), count: 300), "its head"),
        (
            ok + String(repeating: "X: \(String(repeating: "a", count: 995))\r\n", count: 300),
            "larger than 262144 bytes"
        ),
        (String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 5_000), "interim answers (1xx) came"),
        ("HTTP/1.1 103 Early Hints\r\n\r\n" + ok + "Content-Length: x\r\n\r\n", "Content-Length"),
        (ok + "Content-Length: -1\r\n\r\n", "Content-Length"), (ok + "no colon\r\n\r\n", "colon"),
        (ok + "X: a\0b\r\n\r\n", "Nul"), ("HTTP/9.9 200 OK\r\n\r\n", "9.9"), ("HTTP/1.1 99999 OK\r\n\r\n", "code"),
        ("HTTP/1.1\r\n\r\n", "version"), (ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "chunk"),
        ("hello\r\n\r\n", "it is not HTTP: it begins with \"hello\""),
        ("SSH-2.0-OpenSSH_9.2\r\n", "begins with \"SSH-2.0-OpenSSH_9.2\""), ("\u{1}\u{2}\r\n", "the bytes 01 02 0d 0a"),
    ])
    func answersThatAreNotValidHTTPAreToldApart(answer: String, reason: String) async throws {
        let found = try await error(answering: .answer(Array(answer.utf8)))
        #expect(found.kind == .invalidAnswer, "\(found)")
        #expect(found.message.contains(reason), "\(found)")
        #expect(found.message.contains(Self.wrongServer), "\(found)")
        #expect(found.message.count < 400 && !found.message.contains("emory"), "\(found)")
        #expect(found.wasRequestSent == true)
    }

    @Test func aHundredInterimAnswersAreTooMany() async throws {
        let interim = String(repeating: "HTTP/1.1 102 Processing\r\nX: y\r\n\r\n", count: 100)
        let answer = Array((interim + Self.ok + "Content-Length: 2\r\n\r\nok").utf8)
        let server = MisbehavingServer(.answer(answer))
        try server.start()
        defer { server.stop() }
        let transport = CurlTransport(configuration: CyclesConfiguration(baseURL: server.baseURL, apiKey: "k"))
        #expect(try await transport.send(HTTPRequest(method: .get, url: server.baseURL)).status == 200)
        await transport.shutdown()
        let more = try await error(answering: .answer(Array("HTTP/1.1 102 Processing\r\n\r\n".utf8) + answer))
        #expect(more.kind == .invalidAnswer && !more.message.contains("maxResponseBytes"), "\(more)")
    }

    @Test(arguments: [
        MisbehavingServer.Behavior.answer([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46]), .closeBeforeAnswer, .reset,
    ])
    func httpToAPortThatSpeaksTLSIsNamed(behavior: MisbehavingServer.Behavior) async throws {
        let found = try await error(answering: behavior)
        #expect(found.message.hasSuffix("its URL has to begin with https"), "\(found)")
    }

    @Test func anAnswerThatBreaksOffIsNoSignOfTLS() async throws {
        let found = try await error(answering: .closeAfterHeaders)
        #expect(!found.message.contains("https"), "\(found)")
    }

    @Test(arguments: [
        (
            MisbehavingServer.Behavior.answer(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)),
            "check whether its URL begins with http"
        ),
        (.answer(Array("SSH-2.0-OpenSSH_9.2\r\n".utf8)), "check whether its URL begins with http"),
        (.closeBeforeAnswer, "check that it speaks TLS on that port"),
        (.reset, "check that it speaks TLS on that port"),
    ])
    func httpsToAPortWithoutTLSIsNamed(behavior: MisbehavingServer.Behavior, advice: String) async throws {
        let found = try await error(answering: behavior, scheme: "https")
        #expect(found.kind == .tls && found.wasRequestSent == false, "\(found)")
        #expect(found.message.hasPrefix("Failed in the TLS handshake with 127.0.0.1:"), "\(found)")
        #expect(found.message.hasSuffix(advice), "\(found)")
    }

    @Test func aSocketThatIsNotThereIsNamed() async throws {
        let found = try await error("http://cycles", unixSocket: "/nonexistent/cycles.sock")
        #expect(
            found.message.hasPrefix(
                "Failed connecting to cycles over the Unix socket /nonexistent/cycles.sock: No such file or directory"
            ),
            "\(found)"
        )
        #expect(found.message.hasSuffix("; check the path of the socket, and that the server runs"), "\(found)")
    }

    @Test func aProxyThatIsNotThereIsNamedWithoutItsPassword() async throws {
        let port = try freePort()
        let found = try await error("http://cycles.test", proxy: "http://user:secret@127.0.0.1:\(port)")
        #expect(found.kind == .connectionFailed)
        #expect(
            found.message.contains("cycles.test through the proxy 127.0.0.1:\(port): Connection refused"),
            "\(found)"
        )
        #expect(!found.message.contains("secret"))
    }
}
