@testable import Cycles
@testable import CyclesCLI

/// The server of `cycles mcp`: lines of JSON-RPC.
///
/// The first byte of an input chooses the limit of a line, the second is the number of sizes that follow, and the rest
/// is the stream, delivered in pieces of these sizes.
enum MCPTarget {
    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        let limit = input.byte() & 1 == 1 ? 60 : 100_000
        let sizes = input.bytes(input.byte() % 16)
        let stream = Array(input.rest)
        let lines = split([stream], limit)
        try require(split(stream.pieces(sizes), limit) == lines, "the lines depend on the split")
        var permissions = Permissions()
        permissions.largest = [.tokens(1_000)]
        var session = MCPSession(permissions)
        // The ids of the calls in progress, by number.
        var calls: [Int: JSONValue] = [:]
        for line in lines { try receive(line, &session, &calls) }
        let ends = session.endInput()
        try require(ends == (calls.isEmpty ? [.end] : []), "the session ends too early or too late")
        for (number, id) in calls.sorted(by: { $0.key < $1.key }) {
            let (actions, isAnswered) = session.finish(number, .success(""))
            try require(isAnswered, "a call has no answer")
            calls[number] = nil
            try require(actions.count == (calls.isEmpty ? 2 : 1), "a call does not have one answer")
            for case .send(let line) in actions { try checkAnswer(line, id) }
        }
    }

    private static func split(_ pieces: [[UInt8]], _ limit: Int) -> [LineSplitter.Line] {
        var splitter = LineSplitter(limit: limit)
        var lines: [LineSplitter.Line] = []
        for piece in pieces { lines += piece.withUnsafeBytes { splitter.add($0) } }
        return lines + splitter.finish()
    }

    /// A request has one answer or starts one call, and other messages start none.
    private static func receive(
        _ line: LineSplitter.Line,
        _ session: inout MCPSession,
        _ calls: inout [Int: JSONValue]
    ) throws(Finding) {
        let actions = session.receive(line)
        let message: JSONRPC.Message? = if case .line(let bytes) = line { JSONRPC.message(bytes) } else { nil }
        try require(actions.count <= 1, "a message has several effects")
        switch (message, actions.first) {
        case (.request(let id, _, _), .start(let number, let call)):
            try require(calls.updateValue(id, forKey: number) == nil, "a number is used twice")
            try check(call)
        case (.request(let id, _, _), .send(let line)): try checkAnswer(line, id)
        case (.notification, .cancel(let number)):
            try require(calls.removeValue(forKey: number) != nil, "a call is cancelled that is not in progress")
        case (.invalid(let id, _), .send(let line)): try checkAnswer(line, id)
        case (nil, .send(let line)): try checkAnswer(line, .null)
        case (.notification, nil), (.answer, nil): break
        case (.invalid, nil):
            guard case .line(let bytes) = line else { throw Finding("a long line has no answer") }
            try require(bytes.allSatisfy { [0x20, 0x09, 0x0d].contains($0) }, "a message has no answer")
        default: throw Finding("a message has another effect than its kind: \(actions)")
        }
    }

    /// An answer is one line of JSON, with the id of its request, and either a result or an error.
    private static func checkAnswer(_ line: [UInt8], _ id: JSONValue) throws(Finding) {
        try require(line.last == 0x0a && !line.dropLast().contains(0x0a), "an answer is not one line")
        let answer = try require(try? JSONValue(parsing: line), "an answer is no JSON")
        try require(answer["jsonrpc"] == "2.0" && answer["id"]?.encoded == id.encoded, "an answer has another id")
        try require((answer["result"] != nil) != (answer["error"] != nil), "an answer is no result and no error")
    }

    /// Checked arguments make a request within the limits of the schema.
    private static func check(_ call: MCPSession.Call) throws(Finding) {
        guard case .tool(let tool, let arguments) = call else { return }
        switch tool {
        case .reserve:
            let request = ReservationCreateRequest(arguments)
            try require((0...1_000).contains(request.estimate.amount), "the limit is exceeded")
            try require(
                (.seconds(1) ... .seconds(86_400)).contains(request.timeToLive),
                "a hold of \(request.timeToLive)"
            )
        case .decide: try require(DecisionRequest(arguments).estimate.amount >= 0, "an estimate is less than zero")
        case .commit:
            try require(CommitRequest(arguments).actual.amount >= 0, "less than zero is charged")
            try require(!arguments.reservationID.rawValue.isEmpty, "a commit has no reservation")
        case .createEvent:
            try require((0...1_000).contains(EventCreateRequest(arguments).actual.amount), "the limit is exceeded")
        case .release: _ = ReleaseRequest(arguments)
        case .extend: try require(ExtendRequest(arguments).extendBy > .zero, "a lease is extended by nothing")
        case .checkBalance: _ = BalanceQuery(arguments)
        case .listReservations: _ = ReservationQuery(arguments)
        case .getReservation: try require(!arguments.reservationID.rawValue.isEmpty, "there is no reservation")
        }
    }
}
