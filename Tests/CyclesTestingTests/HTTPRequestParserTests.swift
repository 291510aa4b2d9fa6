import Cycles
import CyclesTesting
import Testing

@Suite struct HTTPRequestParserTests {
    private typealias Parser = HTTPRequestParser

    /// Parses pieces of a stream, up to the first failure.
    private func steps(_ pieces: [[UInt8]], limits: Parser.Limits = Parser.Limits()) -> [Parser.Step] {
        var parser = Parser(limits: limits)
        var steps: [Parser.Step] = []
        for piece in pieces {
            parser.append(piece)
            loop: while true {
                let step = parser.next()
                switch step {
                case .needMore: break loop
                case .sendContinue, .request: steps.append(step)
                case .failure: return steps + [step]
                }
            }
        }
        return steps
    }

    private func requests(_ text: String, limits: Parser.Limits = Parser.Limits()) -> [Parser.Request] {
        steps([Array(text.utf8)], limits: limits).compactMap { step in
            if case .request(let request) = step { request } else { nil }
        }
    }

    private func failureStatus(_ text: String, limits: Parser.Limits = Parser.Limits()) -> Int? {
        failureStatus(Array(text.utf8), limits: limits)
    }

    private func failureStatus(_ bytes: [UInt8], limits: Parser.Limits = Parser.Limits()) -> Int? {
        if case .failure(let failure)? = steps([bytes], limits: limits).last { failure.status } else { nil }
    }

    /// A POST with these further lines before the end of the head, and what follows it.
    private func post(_ lines: String, then rest: String = "") -> String {
        "POST /v1/events HTTP/1.1\r\nHost: a\r\n\(lines)\r\n\(rest)"
    }

    // MARK: Framing

    @Test func readsMethodTargetFieldsAndBody() {
        let text = "POST /v1/events?a=b%20c HTTP/1.1\r\nHost: a\r\nX-Key: \t one two \t\r\nContent-Length: 3\r\n\r\nabc"
        let expected = Parser.Request(
            method: "POST",
            target: "/v1/events?a=b%20c",
            headers: ["Host": "a", "X-Key": "one two", "Content-Length": "3"],
            body: Array("abc".utf8),
            keepsAlive: true
        )
        #expect(requests(text) == [expected])
    }

    @Test func readsPipelinedRequestsOfEveryFraming() {
        let text =
            post("Content-Length: 2\r\n", then: "{}") + "GET /v1/balances HTTP/1.1\r\nHost: a\r\n\r\n"
            + post(
                "Transfer-Encoding: Chunked\r\n",
                then: "3;name=\"value\"\r\nabc\r\n00A\r\n0123456789\r\n0\r\nX-Trailer: x\r\n\r\n"
            ) + "\r\n" + post("Content-Length: 0\r\n")
        let all = requests(text)
        #expect(all.map(\.method) == ["POST", "GET", "POST", "POST"])
        #expect(all.map { String(decoding: $0.body, as: UTF8.self) } == ["{}", "", "abc0123456789", ""])
        #expect(all[2].headers["X-Trailer"] == nil)
    }

    @Test func theOutcomeDoesNotDependOnTheSplits() {
        let texts = [
            post("Content-Length: 2\r\nX: y\r\n", then: "{}") + "GET / HTTP/1.0\r\n\r\n",
            post("Transfer-Encoding: chunked\r\n", then: "3;x\r\nabc\r\na\r\n0123456789\r\n0\r\nT: x\r\n\r\n")
                + "\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            post("Transfer-Encoding: chunked\r\n", then: "3\r\nabcd\r\n"),
            post("X : y\r\n"),
            post("X: a\rb\r\n"),
            post("Content-Length: 2\r\nContent-Length: 3\r\n", then: "{}"),
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/2.0\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "GET /" + String(repeating: "a", count: 100) + "\0 HTTP/1.1\r\n\r\n",
        ]
        var limits = Parser.Limits()
        limits.requestLineBytes = 60
        for text in texts {
            let bytes = Array(text.utf8)
            let whole = steps([bytes], limits: limits)
            #expect(!whole.isEmpty, "\(text)")
            for position in 0...bytes.count {
                let halves = [Array(bytes[..<position]), Array(bytes[position...])]
                #expect(steps(halves, limits: limits) == whole, "\(text) split at \(position)")
            }
            #expect(steps(bytes.map { [$0] }, limits: limits) == whole, "\(text) byte by byte")
        }
    }

    @Test func manyRequestsThroughOneParserStayInStep() {
        var parser = Parser()
        var count = 0
        let text = Array(post("Content-Length: 5000\r\n", then: String(repeating: "x", count: 5_000)).utf8)
        let stream = Array(repeatElement(text, count: 40).joined())
        for start in stride(from: 0, to: stream.count, by: 777) {
            parser.append(Array(stream[start..<min(start + 777, stream.count)]))
            while case .request(let request) = parser.next() {
                #expect(request.body.count == 5_000)
                count += 1
            }
        }
        #expect(count == 40)
        #expect(parser.isBetweenRequests)
    }

    @Test func tellsAnIdleConnectionFromAStartedRequest() {
        var parser = Parser()
        #expect(parser.isBetweenRequests)
        parser.append(Array("G".utf8))
        #expect(parser.next() == .needMore)
        #expect(!parser.isBetweenRequests)
        parser.append(Array("ET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(parser.next() != .needMore)
        #expect(parser.isBetweenRequests)
    }

    @Test func aFailureIsFinal() {
        var parser = Parser()
        parser.append(Array("broken\r\n".utf8))
        let first = parser.next()
        parser.append(Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        #expect(parser.next() == first)
    }

    // MARK: Request line

    @Test func keepsAliveByVersionAndConnection() {
        #expect(requests("GET / HTTP/1.1\r\nHost: a\r\n\r\n")[0].keepsAlive)
        #expect(!requests("GET / HTTP/1.1\r\nHost: a\r\nConnection: x , Close\r\n\r\n")[0].keepsAlive)
        #expect(!requests("GET / HTTP/1.0\r\n\r\n")[0].keepsAlive)
        #expect(!requests("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")[0].keepsAlive)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1", nil),
        ("HEAD /a HTTP/1.1", nil),
        ("DELETE /a HTTP/1.1", nil),
        ("OPTIONS * HTTP/1.1", nil),
        ("GET * HTTP/1.1", 400),
        ("get / HTTP/1.1", nil),
        ("GE(T / HTTP/1.1", 400),
        (" / HTTP/1.1", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET /\tHTTP/1.1", 400),
        ("GET /", 400),
        ("GET /a#b HTTP/1.1", 400),
        ("GET /\u{e9} HTTP/1.1", 400),
        ("GET a HTTP/1.1", 400),
        ("GET ftp://a/ HTTP/1.1", 400),
        ("GET http:///a HTTP/1.1", 400),
        ("GET http:// HTTP/1.1", 400),
        ("CONNECT a:80 HTTP/1.1", 501),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1.12", 400),
        ("GET / HTTX/1.1", 400),
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/0.9", 505),
        ("PRI * HTTP/2.0", 505),
    ])
    func judgesTheRequestLine(line: String, status: Int?) {
        #expect(failureStatus("\(line)\r\nHost: a\r\n\r\n") == status, "\(line)")
    }

    @Test(arguments: [
        ("http://a:1/b?c", "/b?c"), ("HTTP://a", "/"), ("https://a?c/d", "/?c/d"), ("//a/b", "//a/b"),
    ])
    func takesTheAbsoluteForm(target: String, path: String) {
        #expect(requests("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").map(\.target) == [path])
    }

    @Test func oneEmptyLineMayStandBeforeARequest() {
        #expect(requests("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").count == 1)
        #expect(failureStatus("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") == 400)
    }

    // MARK: Fields

    @Test(arguments: [
        "X : y\r\n",  // white space before the colon
        " X: y\r\n",  // folding of nothing
        "X: y\r\n z\r\n",  // obs-fold
        "X: y\r\n\tz\r\n",
        ": y\r\n",
        "X\r\n",
        "X\u{e9}: y\r\n",
        "X: a\rb\r\n",  // bare CR
        "X: a\nY: b\r\n",  // bare LF
        "X: a\0b\r\n",
        "X: a\u{1}b\r\n",
        "X: a\u{7f}b\r\n",
        "Host: b\r\n",  // a second one
    ])
    func refusesFieldsThatPeersReadDifferently(lines: String) {
        #expect(failureStatus(post(lines)) == 400)
    }

    @Test func takesWhatAValueMayHold() {
        let values = requests(post("A:\r\nB:x:y\r\nC: \"a\tb\"\r\nD: \u{e9}\r\n"))[0].headers
        #expect(values["A"] == "")
        #expect(values["B"] == "x:y")
        #expect(values["C"] == "\"a\tb\"")
        #expect(values["D"] == "\u{e9}")
    }

    @Test func wantsExactlyOneHost() {
        #expect(failureStatus("GET / HTTP/1.1\r\n\r\n") == 400)
        #expect(failureStatus("GET / HTTP/1.0\r\n\r\n") == nil)
        #expect(failureStatus("GET / HTTP/1.0\r\nHost: a\r\nhost: a\r\n\r\n") == 400)
    }

    @Test(arguments: [
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 400),
        ("Content-Length: 2\r\nContent-Length: 3\r\n", 400),
        ("Content-Length: 2\r\ncontent-length: 2\r\n", 400),
        ("Content-Length: 2, 2\r\n", 400),
        ("Content-Length: +2\r\n", 400),
        ("Content-Length: -2\r\n", 400),
        ("Content-Length: 0x2\r\n", 400),
        ("Content-Length: 2 2\r\n", 400),
        ("Content-Length:\r\n", 400),
        ("Content-Length: \u{664}\r\n", 400),
        ("Content-Length: 99999999999999999999999999\r\n", 413),
        ("Transfer-Encoding: gzip\r\n", 400),
        ("Transfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: xchunked\r\n", 400),
        ("Transfer-Encoding:\r\n", 400),
        ("Transfer-Encoding: chunked, gzip\r\n", 400),
        ("Transfer-Encoding: chunked, chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", 400),
        ("Transfer-Encoding: , chunked\r\n", 400),
        ("Transfer-Encoding: chun\u{212a}ed\r\n", 400),  // a Kelvin sign, which Unicode lowercases to k
        ("Transfer-Encoding: \"chunked\"\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Expect: 200-ok\r\n", 417),
    ])
    func refusesAmbiguousFraming(lines: String, status: Int) {
        #expect(failureStatus(post(lines)) == status, "\(lines)")
    }

    @Test func http10HasNoChunks() {
        #expect(failureStatus("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") == 400)
    }

    @Test(arguments: [
        "\r\n", "x\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n", "1 x\r\na\r\n",
        "1\na\r\n",
        "1;x\na\r\n", "1\r\nab\r\n", "1\r\na\n", "2\r\na\r\n0\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n x\r\n\r\n",
        "1;" + String(repeating: "x", count: 2_000) + "\r\na\r\n",
    ])
    func refusesBadChunks(body: String) {
        #expect(failureStatus(post("Transfer-Encoding: chunked\r\n", then: body)) == 400, "\(body)")
    }

    @Test func anIncompleteRequestIsNoRequest() {
        for text in [post("Content-Length: 3\r\n", then: "ab"), post("Transfer-Encoding: chunked\r\n", then: "0\r\n")] {
            #expect(steps([Array(text.utf8)]) == [])
        }
    }

    // MARK: Limits

    @Test func limitsTheRequestLine() {
        var limits = Parser.Limits()
        limits.requestLineBytes = 20
        let exact = "GET /" + String(repeating: "a", count: 6) + " HTTP/1.1"
        #expect(exact.utf8.count == 20)
        #expect(failureStatus(exact + "\r\nHost: a\r\n\r\n", limits: limits) == nil)
        #expect(failureStatus("x" + exact, limits: limits) == 414)
    }

    @Test func limitsTheFields() {
        var limits = Parser.Limits()
        limits.headerBytes = 40
        limits.headerCount = 3
        let filler = String(repeating: "a", count: 40 - "Host: a\r\n".utf8.count - "X: \r\n".utf8.count)
        #expect(failureStatus("GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)\r\n\r\n", limits: limits) == nil)
        #expect(failureStatus("GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)a\r\n\r\n", limits: limits) == 431)
        #expect(failureStatus("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nX:\r\n\r\n", limits: limits) == nil)
        #expect(failureStatus("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nX:\r\nX:\r\n\r\n", limits: limits) == 431)
        #expect(
            failureStatus(post("Transfer-Encoding: chunked\r\n", then: "0\r\nX:\r\nX:\r\n\r\n"), limits: limits) == 431
        )
    }

    @Test func limitsTheBody() {
        var limits = Parser.Limits()
        limits.bodyBytes = 4
        #expect(failureStatus(post("Content-Length: 4\r\n", then: "abcd"), limits: limits) == nil)
        #expect(failureStatus(post("Content-Length: 5\r\n"), limits: limits) == 413)
        let chunked = "Transfer-Encoding: chunked\r\n"
        #expect(failureStatus(post(chunked, then: "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"), limits: limits) == nil)
        #expect(failureStatus(post(chunked, then: "2\r\nab\r\n3\r\n"), limits: limits) == 413)
        #expect(failureStatus(post(chunked, then: "ffffffffffffffffffff\r\n"), limits: limits) == 413)
    }

    @Test func limitsAsLargeAsTheyGetDoNotOverflow() {
        var limits = Parser.Limits()
        limits.bodyBytes = .max
        limits.headerBytes = .max
        let nines = String(repeating: "9", count: 40)
        #expect(failureStatus(post("Content-Length: \(nines)\r\n"), limits: limits) == 413)
        #expect(failureStatus(post("Transfer-Encoding: chunked\r\n", then: nines + "\r\n"), limits: limits) == 413)
        #expect(failureStatus(post(String(repeating: "a", count: 70_000) + ": x\r\n"), limits: limits) == 431)
    }

    // MARK: Expect

    @Test func asksForTheBodyOnce() {
        let head = Array(post("Content-Length: 2\r\nExpect: 100-Continue\r\n").utf8)
        let apart = steps([head, Array("{".utf8), Array("}".utf8)])
        #expect(apart.count == 2)
        #expect(apart.first == .sendContinue)
        #expect(steps([Array(post("Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n").utf8)]) == [.sendContinue])
    }

    @Test func asksNobodyWhoDoesNotWait() {
        let expectation = "Expect: 100-continue\r\n"
        #expect(steps([Array(post("Content-Length: 2\r\n" + expectation, then: "{}").utf8)]).count == 1)
        #expect(steps([Array(post(expectation).utf8)]).count == 1)
        #expect(steps([Array("POST / HTTP/1.0\r\nContent-Length: 2\r\n\(expectation)\r\n".utf8)]) == [])
    }
}
