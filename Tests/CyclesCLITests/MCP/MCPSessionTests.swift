import Cycles
import Testing

@testable import CyclesCLI

@Suite struct MCPSessionTests {
    var conversation = Conversation()

    // MARK: Revisions

    @Test(arguments: [
        ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25"),
        ("2026-07-28", "2025-11-25"), (nil, "2025-11-25"),
    ])
    mutating func initializeSelectsAnEarlierRevision(requested: String?, selected: String) throws {
        let parameters = requested.map { ["protocolVersion": JSONValue.string($0)] } ?? [:]
        let result = try conversation.answer("initialize", parameters, isModern: false)["result"]
        #expect(result?["protocolVersion"]?.string == selected)
        #expect(result?["serverInfo"]?["name"]?.string == "cycles")
        #expect(result?["capabilities"] == ["tools": [:], "resources": [:], "prompts": [:]])
        #expect(result?["instructions"]?.string?.contains("cycles_reserve") == true)
        #expect(result?["resultType"] == nil)
    }

    @Test mutating func initializeBelongsToTheEarlierRevisionsWhateverItsMetadata() throws {
        let result = try conversation.answer("initialize", isModern: true)["result"]
        #expect(result?["protocolVersion"]?.string == "2025-11-25" && result?["resultType"] == nil)
    }

    @Test mutating func discoverNamesTheRevisions() throws {
        let result = try conversation.answer("server/discover", isModern: true)["result"]
        #expect(result?["supportedVersions"] == ["2026-07-28", "2025-11-25", "2025-06-18"])
        #expect(result?["_meta"]?["io.modelcontextprotocol/serverInfo"]?["name"]?.string == "cycles")
        #expect(try conversation.answer("server/discover", isModern: false).errorCode == -32_601)
    }

    @Test(arguments: [
        "server/discover", "tools/list", "resources/list", "resources/templates/list", "prompts/list",
    ])
    mutating func listsMayBeKeptForATime(method: String) throws {
        let result = try conversation.answer(method, isModern: true)["result"]
        #expect(result?["resultType"] == "complete" && result?["cacheScope"] == "private")
        #expect(try #require(result?["ttlMs"]?.int64) >= 0)
    }

    @Test(arguments: ["tools/list", "resources/list", "resources/templates/list", "prompts/list"])
    mutating func resultsOfEarlierRevisionsHaveNoMembersOfTheLatest(method: String) throws {
        let result = try #require(try conversation.answer(method, isModern: false)["result"]?.object)
        #expect(result.count == 1)
    }

    @Test mutating func onlyTheEarlierRevisionsHaveAPing() throws {
        #expect(try conversation.answer("ping", isModern: false)["result"] == [:])
        #expect(try conversation.answer("ping", isModern: true).errorCode == -32_601)
    }

    @Test mutating func anUnknownRevisionIsRefusedWithTheKnownOnes() throws {
        let meta: JSONValue = ["io.modelcontextprotocol/protocolVersion": "2027-01-01"]
        let answer = try conversation.answer(Conversation.request(7, "tools/list", ["_meta": meta]))
        #expect(answer?.errorCode == -32_022 && answer?["id"] == 7)
        #expect(answer?["error"]?["data"]?["requested"] == "2027-01-01")
        #expect(answer?["error"]?["data"]?["supported"]?.array?.contains("2026-07-28") == true)
    }

    @Test(
        arguments: [
            ["_meta": 1], ["_meta": ["io.modelcontextprotocol/protocolVersion": 1]],
        ] as [[String: JSONValue]]
    )
    mutating func metadataOfAnotherFormAreRefused(parameters: [String: JSONValue]) throws {
        #expect(try conversation.answer(Conversation.request(1, "tools/list", parameters))?.errorCode == -32_602)
    }

    @Test mutating func otherMetadataHaveNoEffect() throws {
        let parameters: [String: JSONValue] = ["_meta": ["progressToken": 3]]
        #expect(try conversation.answer(Conversation.request(1, "ping", parameters))?["result"] == [:])
    }

    // MARK: Messages

    @Test(arguments: [
        #"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        #"{"jsonrpc":"2.0","method":"notifications/unknown","params":{"a":1}}"#,
        #"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"no such tool"}}"#,
        #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        #"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
        #"{"jsonrpc":"2.0","id":5,"result":{}}"#, #"{"jsonrpc":"2.0","id":5,"error":{"code":1,"message":""}}"#,
        " \t\r",
    ])
    mutating func notificationsAndAnswersAreNotAnswered(line: String) { #expect(conversation.receive(line).isEmpty) }

    @Test(
        arguments: [
            ("{", -32_700), ("nonsense", -32_700), (#"{"jsonrpc":"2.0","id":1,"method":"ping"} x"#, -32_700),
            (#"{"jsonrpc":"2.0","id":1,"method":"\ud800"}"#, -32_700),
            (String(repeating: "[", count: 1_000), -32_700), ("[]", -32_600), ("1", -32_600),
            (#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, -32_600),
            (#"{"id":1,"method":"ping"}"#, -32_600), (#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1}"#, -32_600), (#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"a"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1e5,"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32_600),
            (#"{"jsonrpc":"2.0","id":1,"method":"nope"}"#, -32_601),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, -32_602),
            (#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"cycles_fund"}}"#, -32_602),
            (#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"nope"}}"#, -32_602),
            (#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"design_budget_strategy"}}"#, -32_602),
            (#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#, -32_602),
        ] as [(String, Int64)]
    )
    mutating func messagesThatCannotBeServedAreAnsweredWithACode(line: String, code: Int64) throws {
        let answer = try #require(try conversation.answer(line))
        #expect(answer.errorCode == code, "\(answer)")
        #expect(
            answer["id"] == (JSONRPC.identifier((try? JSONValue(parsing: Array(line.utf8)))?["id"] ?? .null) ?? .null)
        )
        // The session goes on.
        #expect(try conversation.answer("ping", isModern: false)["result"] == [:])
    }

    @Test mutating func bytesThatAreNotTextAreNotJSON() throws {
        let actions = conversation.session.receive(.line([UInt8(ascii: "\""), 0xff, UInt8(ascii: "\"")]))
        #expect(try actions.answer?.errorCode == -32_700)
    }

    @Test mutating func aLineThatIsTooLongIsAnsweredAndTheSessionGoesOn() throws {
        let answer = try conversation.session.receive(.oversized).answer
        #expect(answer?.errorCode == -32_600 && answer?["id"] == .null)
        #expect(try conversation.answer("ping", isModern: false)["result"] == [:])
    }

    @Test(arguments: ["0", "-1", "12345678901234567890123", #""""#, #""1""#, #""a\"\\\u0001é""#])
    mutating func idsAreRepeatedExactly(id: String) throws {
        let actions = conversation.receive(#"{"jsonrpc":"2.0","method":"ping","id":\#(id)}"#)
        guard case .send(let line) = actions.first else { Issue.record(); return }
        #expect(String(decoding: line, as: UTF8.self) == "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{}}\n")
    }

    // MARK: Calls

    @Test(arguments: [false, true])
    mutating func aCallIsAnsweredOnceItHasAResult(isModern: Bool) throws {
        let parameters: [String: JSONValue] = ["name": "cycles_check_balance"]
        let line = Conversation.request("a", "tools/call", parameters, isModern: isModern)
        #expect(conversation.receive(line) == [.start(1, .tool(.checkBalance, [:]))])
        let (actions, isAnswered) = conversation.session.finish(1, .success("\"content\":[]"))
        let answer = try actions.answer
        #expect(isAnswered && answer?["id"] == "a" && answer?["result"]?["content"] == [])
        #expect(answer?["result"]?["resultType"] == (isModern ? "complete" : nil))
        #expect(answer?["result"]?["ttlMs"] == nil)
    }

    @Test mutating func aCancelledCallIsNotAnswered() throws {
        #expect(conversation.receive(Conversation.call("a", .reserve, Conversation.reserve)).started == [1])
        #expect(conversation.receive(Conversation.cancel) == [.cancel(1)])
        #expect(conversation.receive(Conversation.cancel).isEmpty)
        let (actions, isAnswered) = conversation.session.finish(1, .success(""))
        #expect(actions.isEmpty && !isAnswered)
    }

    @Test(arguments: [(false, -32_002), (true, -32_602)])
    mutating func aCallThatFailsIsAnsweredWithTheCodeOfItsRevision(isModern: Bool, code: Int64) throws {
        let uri = "cycles://reservations/rsv_1"
        let line = Conversation.request(1, "resources/read", ["uri": .string(uri)], isModern: isModern)
        #expect(conversation.receive(line).started == [1])
        let answer = try conversation.session.finish(1, .failure(BudgetResource.unknown(uri))).actions.answer
        #expect(answer?.errorCode == code && answer?["id"] == 1)
    }

    @Test mutating func aRefusedCallHasTheMembersOfItsRevision() throws {
        let parameters: [String: JSONValue] = ["name": "cycles_reserve", "arguments": [:]]
        let result = try conversation.answer("tools/call", parameters, isModern: true)["result"]
        #expect(result?["isError"] == true && result?["resultType"] == "complete" && result?["ttlMs"] == nil)
        #expect(try conversation.answer("tools/call", parameters, isModern: false)["result"]?["resultType"] == nil)
    }

    @Test mutating func aTextIsNotTheIDOfACallWithANumber() throws {
        #expect(conversation.receive(Conversation.call(1, .reserve, Conversation.reserve)).started == [1])
        let cancel = #"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"1"}}"#
        #expect(conversation.receive(cancel).isEmpty)
    }

    @Test mutating func anIDBelongsToOneCallAtATime() throws {
        let call = Conversation.call(1, .reserve, Conversation.reserve)
        #expect(conversation.receive(call).started == [1])
        #expect(try conversation.answer(call)?.errorCode == -32_600)
        _ = conversation.session.finish(1, .success(""))
        #expect(conversation.receive(call).started == [2])
    }

    @Test mutating func theNumberOfCallsInProgressIsLimited() throws {
        for id in 1...MCPSession.maximumCalls {
            #expect(!conversation.receive(Conversation.call(.whole(Int64(id)), .checkBalance, [:])).started.isEmpty)
        }
        #expect(try conversation.answer(Conversation.call(0, .checkBalance, [:]))?.errorCode == -32_603)
        _ = conversation.session.finish(1, .success(""))
        #expect(!conversation.receive(Conversation.call(0, .checkBalance, [:])).started.isEmpty)
    }

    @Test mutating func theEndOfTheInputWaitsForCalls() throws {
        #expect(conversation.receive(Conversation.call(1, .reserve, Conversation.reserve)).started == [1])
        #expect(conversation.session.endInput().isEmpty)
        let actions = conversation.session.finish(1, .success("")).actions
        #expect(actions.count == 2 && actions.last == .end)
    }

    @Test mutating func theCancellationOfTheLastCallEndsASessionWithoutInput() {
        #expect(conversation.receive(Conversation.call("a", .reserve, Conversation.reserve)).started == [1])
        #expect(conversation.session.endInput().isEmpty)
        #expect(conversation.receive(Conversation.cancel) == [.cancel(1), .end])
    }

    @Test mutating func theEndOfTheInputEndsASessionWithoutCalls() {
        #expect(conversation.session.endInput() == [.end])
    }

    @Test mutating func anInterruptionCancelsCallsAndEnds() throws {
        for id in 1...2 { _ = conversation.receive(Conversation.call(.whole(Int64(id)), .checkBalance, [:])) }
        #expect(conversation.session.interrupt() == [.cancel(1), .cancel(2), .end])
        #expect(conversation.session.finish(1, .success("")).actions.isEmpty)
    }

    @Test mutating func listsDoNotDependOnEarlierRequests() throws {
        let line = Conversation.request(1, "tools/list")
        let first = conversation.receive(line)
        _ = conversation.receive(Conversation.request(2, "initialize", ["protocolVersion": "2025-06-18"]))
        _ = conversation.receive(Conversation.call(3, .reserve, Conversation.reserve))
        _ = conversation.session.finish(1, .success(""))
        #expect(conversation.receive(line) == first)
    }

    // MARK: Arguments

    @Test(arguments: [
        (BudgetTool.reserve, "{}", "action is missing"),
        (
            .reserve,
            #"{"action":{"kind":"k","name":"n"},"estimate":{"unit":"TOKENS","amount":-1},"idempotencyKey":"k"}"#,
            "estimate.amount has to be a whole number of 0 or more"
        ),
        (
            .reserve, #"{"action":{"kind":"k","name":"n"},"estimate":{"unit":"EUR","amount":1},"idempotencyKey":"k"}"#,
            "estimate.unit has to be one of USD_MICROCENTS"
        ),
        (
            .reserve,
            #"{"action":{"kind":"k","name":"n"},"estimate":{"unit":"TOKENS","amount":1},"idempotencyKey":"k","dry_run":true}"#,
            "there is no dry_run; did you mean dryRun?"
        ),
        (
            .commit, #"{"reservationId":"","idempotencyKey":"k","actual":{"unit":"TOKENS","amount":1}}"#,
            "reservationId has to be a string of 1 to 128 characters"
        ),
        (.commit, #"{"reservationId":"r","actual":{"unit":"TOKENS","amount":1}}"#, "idempotencyKey is missing"),
        (.release, #"[]"#, "the value has to be an object"),
        (
            .extend, #"{"reservationId":"r","idempotencyKey":"k","extendByMs":0}"#,
            "extendByMs has to be a whole number from 1 to 86400000"
        ),
        (
            .extend, #"{"reservationId":"r","idempotencyKey":"k","extendByMs":86400001}"#,
            "extendByMs has to be a whole number from 1 to 86400000"
        ),
        (.getReservation, "{}", "reservationId is missing"),
        (.listReservations, #"{"status":"DONE"}"#, "status has to be one of ACTIVE"),
    ])
    mutating func invalidArgumentsAreAResultForTheModel(tool: BudgetTool, arguments: String, message: String) throws {
        let call = Conversation.call(1, tool, try JSONValue(parsing: Array(arguments.utf8)))
        let result = try conversation.answer(call)?["result"]
        #expect(result?["isError"] == true && result?["structuredContent"] == nil)
        let text = try #require(result?["content"]?[0]?["text"]?.string)
        #expect(text.contains("INVALID_ARGUMENTS") && text.contains(message), "\(text)")
        #expect(text.contains(#""retryable":false"#), "\(text)")
    }

    @Test mutating func optionalArgumentsMayBeNull() throws {
        let arguments = Conversation.reserve.with("ttlMs", .null).with("subject", .null)
        #expect(
            conversation.receive(Conversation.call(1, .reserve, arguments)) == [
                .start(1, .tool(.reserve, Conversation.reserve))
            ]
        )
    }

    @Test(arguments: [#""arguments":null,"#, ""]) mutating func argumentsMayBeAbsent(arguments: String) {
        let parameters = #"{\#(arguments)"name":"cycles_check_balance"}"#
        let line = #"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":\#(parameters)}"#
        #expect(conversation.receive(line) == [.start(1, .tool(.checkBalance, [:]))])
    }

    @Test mutating func parametersMayBeNull() throws {
        let answer = try conversation.answer(#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#)
        #expect(answer?["result"] == [:])
    }

    // MARK: Resources and prompts

    private static let longest = String(repeating: "x", count: 128)

    @Test(arguments: [
        ("cycles://balances/acme", BudgetResource.Kind.balances, "acme"),
        ("cycles://balances/a%20b%C3%A9", .balances, "a bé"), ("cycles://reservations/rsv_1", .reservation, "rsv_1"),
        ("cycles://reservations/\(longest)", .reservation, longest),
    ])
    mutating func aResourceIsReadFromTheAuthority(uri: String, kind: BudgetResource.Kind, name: String) throws {
        let line = Conversation.request(1, "resources/read", ["uri": .string(uri)], isModern: true)
        guard case .start(1, .resource(let resource)) = conversation.receive(line).first else { Issue.record(); return }
        #expect(resource.kind == kind && resource.name == name && resource.uri == uri)
        let result = try conversation.session.finish(1, .success("\"contents\":[]")).actions.answer?["result"]
        #expect(result?["ttlMs"] == 0 && result?["cacheScope"] == "private")
    }

    @Test(arguments: [
        "cycles://balances/", "cycles://balances/a/b", "cycles://balances/%", "cycles://balances/%zz",
        "cycles://balances/%+1", "cycles://balances/%ff", "cycles://reservations/a?b", "cycles://docs/other",
        "http://x", "cycles://reservations/a#b",
        "cycles://reservations/" + String(repeating: "x", count: 129),
    ])
    mutating func otherResourcesAreUnknown(uri: String) throws {
        let parameters = ["uri": JSONValue.string(uri)]
        let earlier = try conversation.answer("resources/read", parameters, isModern: false)
        #expect(earlier.errorCode == -32_002 && earlier["error"]?["data"]?["uri"]?.string == uri)
        #expect(try conversation.answer("resources/read", parameters, isModern: true).errorCode == -32_602)
    }

    @Test mutating func theQuickStartNeedsNoAuthority() throws {
        let result = try conversation.answer("resources/read", ["uri": "cycles://docs/quickstart"], isModern: true)[
            "result"
        ]
        #expect(result?["contents"]?[0]?["text"]?.string?.hasPrefix("# ") == true)
        #expect(result?["ttlMs"] != nil)
        let content = result?["contents"]?[0]
        #expect(content?["mimeType"] == "text/markdown")
        // The entry in the list leads to the same.
        let entry = try conversation.answer("resources/list", isModern: true)["result"]?["resources"]?[0]
        #expect(entry?["uri"] == content?["uri"] && entry?["mimeType"] == content?["mimeType"] && entry != nil)
    }

    @Test(arguments: BudgetPrompt.allCases)
    mutating func aPromptContainsItsArguments(prompt: BudgetPrompt) throws {
        let list = try #require(try conversation.answer("prompts/list", isModern: false)["result"]?["prompts"]?.array)
        let entry = try #require(list.first { $0["name"]?.string == prompt.rawValue })
        let names = try #require(entry["arguments"]?.array).compactMap { $0["name"]?.string }
        let arguments = Dictionary(uniqueKeysWithValues: names.map { ($0, JSONValue.string("the \"\($0)\"")) })
        let parameters: [String: JSONValue] = ["name": .string(prompt.rawValue), "arguments": .object(arguments)]
        let result = try conversation.answer("prompts/get", parameters, isModern: false)["result"]
        #expect(result?["messages"]?[0]?["role"] == "user")
        let text = try #require(result?["messages"]?[0]?["content"]?["text"]?.string)
        for name in names { #expect(text.contains("the \"\(name)\""), "\(name)") }
    }

    @Test mutating func theAnswerToAPromptIsNotKept() throws {
        let result = try conversation.answer("prompts/get", ["name": "diagnose_overrun"], isModern: true)["result"]
        #expect(result?["resultType"] == "complete" && result?["ttlMs"] == nil && result?["cacheScope"] == nil)
    }

    // MARK: Permissions

    private func names(_ conversation: inout Conversation, _ list: String, _ member: String) throws -> [String] {
        let result = try conversation.answer(list, isModern: false)["result"]
        return (result?[member]?.array ?? []).compactMap { $0["name"]?.string }
    }

    @Test func toolsThatAreNotAllowedAreUnknown() throws {
        var conversation = Conversation(Permissions(tools: [.reserve, .getReservation]))
        #expect(try names(&conversation, "tools/list", "tools") == ["cycles_reserve", "cycles_get_reservation"])
        #expect(try conversation.answer(Conversation.call(1, .createEvent, [:]))?.errorCode == -32_602)
        // A resource shows the same as a tool.
        #expect(try names(&conversation, "resources/templates/list", "resourceTemplates") == ["reservation"])
        let balances = ["uri": JSONValue.string("cycles://balances/acme")]
        #expect(try conversation.answer("resources/read", balances, isModern: false).errorCode == -32_002)
    }

    @Test(
        arguments: [
            (BudgetTool.reserve, "estimate", 101, "TOKENS"), (.decide, "estimate", 101, "TOKENS"),
            (.createEvent, "actual", 101, "TOKENS"), (.reserve, "estimate", 1, "CREDITS"),
        ] as [(BudgetTool, String, Int64, String)]
    )
    func amountsAboveTheLimitAreNotSent(tool: BudgetTool, member: String, amount: Int64, unit: String) throws {
        var conversation = Conversation(Permissions(largest: [.tokens(100), .usdMicrocents(5)]))
        func arguments(_ amount: Int64, _ unit: String) -> JSONValue {
            let value: JSONValue = ["unit": .string(unit), "amount": .whole(amount)]
            return Conversation.reserve.with("estimate", nil).with(member, value)
        }
        let result = try conversation.answer(Conversation.call(1, tool, arguments(amount, unit)))?["result"]
        #expect(result?["isError"] == true)
        let text = try #require(result?["content"]?[0]?["text"]?.string)
        #expect(text.contains("--max-estimate") && text.contains("ESTIMATE_TOO_LARGE"), "\(text)")
        #expect(conversation.receive(Conversation.call(1, tool, arguments(100, "TOKENS"))).started == [1])
    }

    @Test func aCommitHasNoLimit() throws {
        var conversation = Conversation(Permissions(largest: [.tokens(100)]))
        let commit: JSONValue = [
            "reservationId": "r", "idempotencyKey": "k", "actual": ["unit": "TOKENS", "amount": 101],
        ]
        #expect(conversation.receive(Conversation.call(1, .commit, commit)).started == [1])
    }
}
