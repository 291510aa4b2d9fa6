import Cycles
import CyclesTesting
import Testing

@Suite(.timeLimit(.minutes(5))) struct MisbehavingServerTests {
    private let request = "POST / HTTP/1.1\r\nHost: h\r\nX: y\r\nContent-Length: 2\r\n\r\n{}"
    private let okay = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".utf8)

    /// Sends a request to a server that misbehaves so.
    private func exchange(_ behavior: MisbehavingServer.Behavior) throws -> (MisbehavingServer, TestConnection) {
        let server = MisbehavingServer(behavior)
        try server.start()
        let connection = try TestConnection(port: server.port)
        connection.send(request)
        return (server, connection)
    }

    @Test func staysSilentAndShowsWhatItGot() throws {
        let (server, connection) = try exchange(.silent)
        let expected = Array(request.utf8)
        #expect(eventually { server.receivedBytes == expected })
        #expect(!connection.hasInput)
        #expect(server.acceptedConnections == 1)
        connection.send("more")
        #expect(eventually { server.receivedBytes == expected + Array("more".utf8) })
        let start = ContinuousClock.now
        server.stop()
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(try connection.rest().isEmpty)
    }

    @Test func tricklesByteByByte() throws {
        let (server, connection) = try exchange(.trickle(intervalMilliseconds: 20, payload: okay))
        let start = ContinuousClock.now
        #expect(try connection.rest() == okay)
        #expect(ContinuousClock.now - start > .milliseconds(20 * (okay.count - 2)))
        #expect(server.acceptedConnections == 1)
    }

    @Test func aTrickleEndsWithItsClient() throws {
        let server = MisbehavingServer(.trickle(intervalMilliseconds: 60_000, payload: okay))
        try server.start()
        do {
            let connection = try TestConnection(port: server.port)
            connection.send(request)
            #expect(eventually { server.receivedBytes.count == request.utf8.count })
        }
        let start = ContinuousClock.now
        server.stop()
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test func closesAfterTheHeaders() throws {
        let (server, connection) = try exchange(.closeAfterHeaders)
        let answer = try #require(try connection.answer())
        #expect(answer.status == 200)
        #expect(answer.headers["Content-Length"] == "100")
        #expect(answer.body.isEmpty)
        server.stop()
    }

    @Test func closesBeforeTheAnswer() throws {
        let (server, connection) = try exchange(.closeBeforeAnswer)
        #expect(try connection.rest().isEmpty)
        #expect(!connection.wasReset)
        #expect(server.receivedBytes == Array(request.utf8))
    }

    @Test func resets() throws {
        let (server, connection) = try exchange(.reset)
        #expect(try connection.rest().isEmpty)
        #expect(connection.wasReset)
        #expect(server.receivedBytes == Array(request.utf8))
    }

    @Test func answersGarbage() throws {
        let (server, connection) = try exchange(.garbage)
        #expect(try connection.rest().first == 0x16)
        server.stop()
    }

    @Test func redirects() throws {
        let (server, connection) = try exchange(.redirect(to: "http://127.0.0.1:1/"))
        let answer = try #require(try connection.answer())
        #expect(answer.status == 307)
        #expect(answer.headers["Location"] == "http://127.0.0.1:1/")
        #expect(try connection.rest().isEmpty)
        server.stop()
    }

    @Test func diesBetweenTwoRequests() throws {
        let (server, connection) = try exchange(.answerOnlyFirst(okay))
        #expect(try connection.answer()?.text == "ok")
        #expect(!connection.hasInput)
        connection.send(request)
        #expect(try connection.rest().isEmpty)
        #expect(server.receivedBytes == Array((request + request).utf8))
    }

    @Test func takesWhatIsNoHTTPForARequest() throws {
        let server = MisbehavingServer(.answer(okay))
        try server.start()
        let connection = try TestConnection(port: server.port)
        connection.send([0x16, 0x03, 0x01])
        #expect(try connection.answer()?.text == "ok")
    }

    @Test func goesThroughItsBehaviors() throws {
        let server = MisbehavingServer(.closeBeforeAnswer, .reset, .answer(okay))
        try server.start()
        let port = server.port
        var answers: [[UInt8]] = []
        for _ in 0..<4 {
            let connection = try TestConnection(port: port)
            connection.send(request)
            answers.append(try connection.rest())
        }
        #expect(answers == [[], [], okay, okay])
        #expect(server.acceptedConnections == 4)
    }
}
