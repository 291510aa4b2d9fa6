import Cycles
import CyclesTesting
import Testing

@testable import CyclesCLI

/// What the calls of the tools send to the authority.
@Suite struct ToolArgumentsTests {
    private static let everyLevel: JSONValue = [
        "tenant": "acme", "workspace": "w", "app": "a", "workflow": "f", "agent": "writer", "toolset": "t",
        "dimensions": ["run": "7"],
    ]
    private static let metrics: (argument: JSONValue, sent: JSONValue) = (
        [
            "tokensInput": 1, "tokensOutput": 2, "latencyMs": 30, "modelVersion": "v", "custom": ["some_name": 4],
        ],
        [
            "tokens_input": 1, "tokens_output": 2, "latency_ms": 30, "model_version": "v", "custom": ["some_name": 4],
        ]
    )

    @Test(
        arguments: [
            (
                .reserve,
                Conversation.reserve.with("subject", everyLevel).with("ttlMs", 5_000).with("gracePeriodMs", 70)
                    .with("overagePolicy", "REJECT").with("metadata", ["a": 1])
                    .with("action", ["kind": "k", "name": "n", "tags": ["x"]]),
                [
                    "idempotency_key": "key", "subject": everyLevel,
                    "action": ["kind": "k", "name": "n", "tags": ["x"]],
                    "estimate": ["unit": "TOKENS", "amount": 100], "ttl_ms": 5_000, "grace_period_ms": 70,
                    "overage_policy": "REJECT", "metadata": ["a": 1],
                ]
            ),
            (
                .decide, Conversation.reserve.with("subject", everyLevel).with("metadata", ["a": 1]),
                [
                    "idempotency_key": "key", "subject": everyLevel,
                    "action": ["kind": "llm.completion", "name": "model"],
                    "estimate": ["unit": "TOKENS", "amount": 100], "metadata": ["a": 1],
                ]
            ),
            (
                .commit,
                [
                    "reservationId": "r", "idempotencyKey": "key", "actual": ["unit": "TOKENS", "amount": 5],
                    "metrics": metrics.argument, "metadata": ["a": 1],
                ],
                [
                    "idempotency_key": "key", "actual": ["unit": "TOKENS", "amount": 5], "metrics": metrics.sent,
                    "metadata": ["a": 1],
                ]
            ),
            (
                .release, ["reservationId": "r", "idempotencyKey": "key", "reason": "why"],
                ["idempotency_key": "key", "reason": "why"]
            ),
            (
                .extend,
                ["reservationId": "r", "idempotencyKey": "key", "extendByMs": 9, "metadata": ["a": 1]],
                ["idempotency_key": "key", "extend_by_ms": 9, "metadata": ["a": 1]]
            ),
            (
                .createEvent,
                Conversation.reserve.with("estimate", nil).with("actual", ["unit": "TOKENS", "amount": 5])
                    .with("subject", everyLevel).with("overagePolicy", "REJECT").with("metrics", metrics.argument)
                    .with("clientTimeMs", 77).with("metadata", ["a": 1]),
                [
                    "idempotency_key": "key", "subject": everyLevel,
                    "action": ["kind": "llm.completion", "name": "model"],
                    "actual": ["unit": "TOKENS", "amount": 5], "overage_policy": "REJECT", "metrics": metrics.sent,
                    "client_time_ms": 77, "metadata": ["a": 1],
                ]
            ),
        ] as [(BudgetTool, JSONValue, JSONValue)]
    )
    func everyArgumentIsSent(tool: BudgetTool, arguments: JSONValue, body: JSONValue) async throws {
        let transport = MockTransport()
        transport.on(.post, "/v1/*") { _ in
            HTTPResponse(status: 400, json: #"{"error":"INVALID_REQUEST","message":"no","request_id":"r"}"#)
        }
        #expect(try await CallBench(transport).call(tool, arguments).isError)
        #expect(try JSONValue(parsing: #require(transport.requests.first).body) == body)
    }

    @Test(arguments: [
        (
            BudgetTool.listReservations, ["status": "ACTIVE", "idempotencyKey": "key"] as [String: JSONValue],
            ["status=ACTIVE", "idempotency_key=key"]
        ), (.checkBalance, ["includeChildren": true], ["include_children=true"]),
    ])
    func everyFilterIsSent(tool: BudgetTool, filter: [String: JSONValue], parameters: [String]) async throws {
        let transport = MockTransport()
        transport.on(.get, "/v1/*") { _ in
            HTTPResponse(status: 400, json: #"{"error":"INVALID_REQUEST","message":"no","request_id":"r"}"#)
        }
        let levels = (ToolArgumentsTests.everyLevel.object ?? [:]).filter { $0.key != "dimensions" }
        let arguments = levels.merging(filter) { $1 }.merging(["limit": 7, "cursor": "next"]) { $1 }
        #expect(try await CallBench(transport).call(tool, .object(arguments)).isError)
        let query = try #require(transport.requests.first?.url.split(separator: "?").last).split(separator: "&")
        let sent = levels.map { "\($0.key)=\($0.value.string ?? "")" } + parameters + ["limit=7", "cursor=next"]
        #expect(query.map(String.init).sorted() == sent.sorted())
    }

    @Test func theReasonOfAReleaseIsSent() async throws {
        let transport = MockTransport()
        let bench = try CallBench(transport)
        let authority = bench.authority
        transport.on(.post, "/v1/*") { try authority.send($0) }
        let id = try await bench.reserve(100).value["reservationId"]
        _ = try await bench.call(
            .release,
            ["reservationId": id ?? .null, "idempotencyKey": "release", "reason": "not needed"]
        )
        let release = try #require(transport.requests.last)
        #expect(try JSONValue(parsing: release.body)["reason"] == "not needed")
    }
}
