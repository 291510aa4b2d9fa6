import Cycles
import Testing

@testable import CyclesCLI

/// A session without input and output, and the answers that it sends at once.
struct Conversation {
    var session: MCPSession

    init(_ permissions: Permissions = Permissions()) { session = MCPSession(permissions) }

    mutating func receive(_ text: String) -> [MCPSession.Action] { session.receive(.line(Array(text.utf8))) }

    /// The answer to a line; nil unless exactly one line is sent.
    mutating func answer(_ text: String) throws -> JSONValue? { try receive(text).answer }

    /// The answer to a request of a revision: 2026-07-28, or an earlier one if `isModern` is false.
    mutating func answer(_ method: String, _ parameters: [String: JSONValue] = [:], isModern: Bool) throws -> JSONValue
    {
        try #require(try answer(Conversation.request(1, method, parameters, isModern: isModern)))
    }

    static func request(
        _ id: JSONValue,
        _ method: String,
        _ parameters: [String: JSONValue] = [:],
        isModern: Bool = false
    ) -> String {
        var parameters = parameters
        if isModern { parameters["_meta"] = ["io.modelcontextprotocol/protocolVersion": "2026-07-28"] }
        return JSONValue.object([
            "jsonrpc": "2.0", "id": id, "method": .string(method), "params": .object(parameters),
        ]).text
    }

    static func call(_ id: JSONValue, _ tool: BudgetTool, _ arguments: JSONValue) -> String {
        request(id, "tools/call", ["name": .string(tool.rawValue), "arguments": arguments])
    }

    /// Cancels the call with the id "a".
    static let cancel = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}"#

    static let reserve: JSONValue = [
        "idempotencyKey": "key", "action": ["kind": "llm.completion", "name": "model"],
        "estimate": ["unit": "TOKENS", "amount": 100],
    ]
}

extension [MCPSession.Action] {
    /// The answer, if it is the only action.
    var answer: JSONValue? {
        get throws {
            guard count == 1, case .send(let line) = self[0] else { return nil }
            #expect(line.last == UInt8(ascii: "\n") && line.count { $0 == UInt8(ascii: "\n") } == 1)
            return try JSONValue(parsing: line)
        }
    }

    /// The numbers of the calls that are started.
    var started: [Int] { compactMap { if case .start(let number, _) = $0 { number } else { nil } } }
}

extension JSONValue {
    var errorCode: Int64? { self["error"]?["code"]?.int64 }

    func with(_ name: String, _ value: JSONValue?) -> JSONValue {
        var members = object ?? [:]
        members[name] = value
        return .object(members)
    }
}
