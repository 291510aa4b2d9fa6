import Testing

@testable import Cycles

@Suite struct ResponseCollectorTests {
    private var collector = ResponseCollector(maxBytes: 1_000)

    /// Hands lines over until one is refused.
    private mutating func receive(lines: [String]) -> Bool {
        lines.allSatisfy { line in
            Array("\(line)\r\n".utf8).withUnsafeBytes { collector.receiveHeaderLine($0) }
        }
    }

    private mutating func receive(body: String) -> Bool {
        Array(body.utf8).withUnsafeBytes { collector.receiveBody($0) }
    }

    @Test mutating func anAnswerHasItsStatusFieldsAndBody() {
        #expect(receive(lines: ["HTTP/1.1 201 Created", "X-One: 1", "x-empty:", "X-One: 2", ""]))
        #expect(collector.isHeadComplete)
        #expect(receive(body: "o") && receive(body: "k"))
        let headers: HTTPHeaders = ["X-One": "1", "x-empty": "", "X-One": "2"]
        #expect(collector.takeResponse() == HTTPResponse(status: 201, headers: headers, body: Array("ok".utf8)))
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK", 200), ("HTTP/2 404 ", 404), ("HTTP/1.0  503", 503), ("HTTP/1.1 4085 Odd", 408),
        ("HTTP/1.1", 0), ("HTTP/1.1 OK", 0),
    ])
    mutating func theStatusIsTheNumberAfterTheVersion(line: String, status: Int) {
        #expect(receive(lines: [line]))
        #expect(collector.status == status)
    }

    @Test(arguments: [
        ("X-Spaces:  padded \t", "X-Spaces", "padded"), ("X-Colons: a:b", "X-Colons", "a:b"),
        ("X-Tight:x", "X-Tight", "x"),
    ])
    mutating func aValueIsTrimmed(line: String, name: String, value: String) {
        #expect(receive(lines: ["HTTP/1.1 200 OK", line, ""]))
        #expect(collector.takeResponse().headers.fields.map(\.name) == [name])
        #expect(collector.takeResponse().headers[name] == value)
    }

    @Test(arguments: ["no colon", ": no name"])
    mutating func aLineThatIsNoFieldIsPassedOver(line: String) {
        #expect(receive(lines: ["HTTP/1.1 200 OK", line, ""]))
        #expect(collector.takeResponse().headers.isEmpty)
    }

    @Test mutating func aFoldedLineContinuesTheValueBefore() {
        #expect(receive(lines: ["HTTP/1.1 200 OK", "X-Folded: one", "\t two", ""]))
        #expect(collector.takeResponse().headers["X-Folded"] == "one two")
    }

    @Test mutating func trailersAreNotFieldsOfTheHead() {
        #expect(receive(lines: ["HTTP/1.1 200 OK", ""]))
        #expect(receive(body: "ok"))
        #expect(receive(lines: ["X-Trailer: 1", ""]))
        #expect(collector.takeResponse().headers.isEmpty)
    }

    @Test mutating func anInterimAnswerLeavesNoFields() {
        #expect(receive(lines: ["HTTP/1.1 103 Early Hints", "X-Early: 1", ""]))
        #expect(collector.isInterim && !collector.isHeadComplete && collector.interimAnswers == 1)
        #expect(receive(lines: ["HTTP/1.1 200 OK", "X-Late: 1", ""]))
        #expect(!collector.isInterim && collector.isHeadComplete)
        #expect(collector.takeResponse() == HTTPResponse(status: 200, headers: ["X-Late": "1"]))
    }

    @Test mutating func aHundredInterimAnswersAreTheMost() {
        for _ in 0..<100 { #expect(receive(lines: ["HTTP/1.1 100 Continue", ""])) }
        #expect(!receive(lines: ["HTTP/1.1 100 Continue"]))
        #expect(collector.refusal == .interimAnswers(101))
    }

    @Test mutating func theBodyMayBeAsLargeAsTheLimitAndNoLarger() {
        #expect(receive(lines: ["HTTP/1.1 200 OK", ""]))
        #expect(receive(body: String(repeating: "x", count: 1_000)))
        #expect(!receive(body: "x"))
        #expect(collector.refusal == .bodyTooLarge)
    }

    @Test mutating func aHeadLargerThanTheLimitIsRefused() {
        #expect(receive(lines: ["HTTP/1.1 200 OK"]))
        #expect(!receive(lines: ["X-Long: " + String(repeating: "x", count: 1_000)]))
        #expect(collector.refusal == .headTooLarge(limit: 1_000))
    }

    @Test mutating func aHeadHasALimitOfItsOwn() {
        collector = ResponseCollector(maxBytes: 1_000_000)
        #expect(receive(lines: ["HTTP/1.1 200 OK"]))
        let line = "X: " + String(repeating: "x", count: 65_531)
        #expect(receive(lines: [line, line, line]))
        #expect(!receive(lines: [line]))
        #expect(collector.refusal == .headTooLarge(limit: 262_144))
    }

    @Test mutating func eachHeadIsMeasuredByItself() {
        for _ in 0..<3 {
            #expect(receive(lines: ["HTTP/1.1 100 Continue", "X: " + String(repeating: "x", count: 900), ""]))
        }
    }

    @Test mutating func anAnswerWithoutAHeadIsRefusedWithItsFirstBytes() {
        #expect(!receive(body: "SSH-2.0-OpenSSH_9.2p1 and forty bytes of it are shown"))
        #expect(!collector.hasStatusLine)
        #expect(collector.refusal == .notHTTP(start: Array("SSH-2.0-OpenSSH_9.2p1 and forty bytes of".utf8)))
    }

    @Test mutating func theFirstRefusalStays() {
        #expect(!receive(body: "nonsense"))
        #expect(!receive(lines: [String(repeating: "x", count: 2_000)]))
        #expect(collector.refusal == .notHTTP(start: Array("nonsense".utf8)))
    }

    @Test mutating func resettingForgetsTheAnswer() {
        #expect(receive(lines: ["HTTP/1.1 200 OK", "X-One: 1", ""]))
        #expect(receive(body: String(repeating: "x", count: 900)))
        #expect(!receive(body: String(repeating: "x", count: 900)))
        collector.reset()
        #expect(
            collector.refusal == nil && collector.status == 0 && !collector.hasStatusLine && !collector.isHeadComplete
        )
        #expect(receive(lines: ["HTTP/1.1 204 No Content", "X-Two: 2", ""]))
        #expect(collector.takeResponse() == HTTPResponse(status: 204, headers: ["X-Two": "2"]))
    }
}
