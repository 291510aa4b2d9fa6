import Cycles
import CyclesTesting
import Testing

@testable import CyclesCLI

/// A client of an authority with 1000 tokens for the tenant acme, and the calls of a session, in virtual time.
struct CallBench {
    let clock = ManualClock()
    let authority: LocalAuthority
    let performer: CallPerformer

    init(
        _ transport: (any HTTPTransport)? = nil,
        caps: Caps? = nil,
        observer: any CyclesObserver = RecordingObserver()
    ) throws {
        authority = LocalAuthority(clock: clock)
        authority.addAPIKey("secret-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        authority.setBudget(scope: "tenant:acme/agent:writer", allocated: .tokens(200), caps: caps)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "secret-key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = observer
        let client = try CyclesClient.testing(
            configuration: configuration,
            transport: transport ?? authority,
            clock: clock
        )
        performer = CallPerformer(client: client)
    }

    /// Performs a call. Every result without an error conforms to the schema of its tool, and the text repeats it.
    func call(_ tool: BudgetTool, _ arguments: JSONValue) async throws -> ToolResult {
        let arguments = try SchemaCheck.arguments(arguments, tool.schema(BudgetSchemas.input))
        let result = await performer.perform(tool, arguments).result
        if !result.isError {
            #expect(result.value["hint"]?.string == result.hint)
            #expect(throws: Never.self) { try SchemaCheck.arguments(result.value, tool.schema(BudgetSchemas.output)) }
        }
        let members = try JSONValue(parsing: Array("{\(result.members)}".utf8))
        #expect(members["content"]?[0]?["text"]?.string == result.value.text)
        #expect(members["content"]?[1]?["text"]?.string == result.hint)
        #expect(members["structuredContent"] == (result.isError ? .none : .some(result.value)))
        #expect(!members.text.contains("secret-key"))
        return result
    }

    func reserve(
        _ amount: Int64,
        key: String = "reserve",
        agent: String? = nil,
        extra: [String: JSONValue] = [:]
    ) async throws -> ToolResult {
        var arguments: [String: JSONValue] = [
            "idempotencyKey": .string(key), "action": ["kind": "llm.completion", "name": "model"],
            "estimate": ["unit": "TOKENS", "amount": .whole(amount)],
        ]
        arguments["subject"] = agent.map { ["agent": .string($0)] }
        return try await call(.reserve, .object(arguments.merging(extra) { $1 }))
    }

    func commit(_ id: JSONValue?, _ amount: Int64, key: String = "commit", unit: String = "TOKENS") async throws
        -> ToolResult
    {
        let actual: JSONValue = ["unit": .string(unit), "amount": .whole(amount)]
        return try await call(
            .commit,
            ["reservationId": id ?? .null, "idempotencyKey": .string(key), "actual": actual]
        )
    }

    func release(_ id: JSONValue?, key: String = "release") async throws -> ToolResult {
        try await call(.release, ["reservationId": id ?? .null, "idempotencyKey": .string(key)])
    }

    /// The balance of the tenant.
    var balance: Balance? { authority.balances().first { $0.scopePath == "tenant:acme" } }
    var held: Int64? { balance?.reserved?.amount }
    var spent: Int64? { balance?.spent?.amount }
}

@Suite struct CallPerformerTests {
    // MARK: Reservations

    @Test func aReservationIsHeldUntilItIsCommitted() async throws {
        let bench = try CallBench()
        let reserved = try await bench.reserve(100)
        #expect(reserved.value["decision"] == "ALLOW" && reserved.value["reserved"]?["amount"] == 100)
        #expect(try #require(reserved.hint).contains("cycles_commit"))
        #expect(bench.held == 100)
        let committed = try await bench.commit(reserved.value["reservationId"], 60)
        #expect(committed.value["status"] == "COMMITTED" && committed.value["charged"]?["amount"] == 60)
        #expect(committed.value["released"]?["amount"] == 40)
        #expect(bench.held == 0 && bench.spent == 60)
    }

    @Test func aReservationIsExtendedAutomatically() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100, extra: ["ttlMs": 2_000]).value["reservationId"]
        for _ in 0..<20 { bench.clock.advance(by: .seconds(1)) }
        #expect(bench.held == 100)
        let extended = try await bench.call(.getReservation, ["reservationId": id ?? .null]).value
        // The hold lives as long as the call asked for, and was extended.
        let (made, expires) = (
            try #require(extended["createdAtMs"]?.int64), try #require(extended["expiresAtMs"]?.int64)
        )
        #expect((made + 20_000...made + 24_000).contains(expires), "\(extended)")
        #expect(try await bench.commit(id, 1).value["status"] == "COMMITTED")
    }

    @Test func aReleaseFreesTheHold() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100).value["reservationId"]
        let released = try await bench.release(id)
        #expect(released.value["status"] == "RELEASED" && released.value["released"]?["amount"] == 100)
        #expect(bench.held == 0 && bench.spent == 0)
    }

    @Test func aRepeatedCallTakesEffectOnce() async throws {
        let bench = try CallBench()
        let first = try await bench.reserve(100)
        let again = try await bench.reserve(100)
        #expect(!again.isError && again.value["reservationId"] == first.value["reservationId"] && bench.held == 100)
        let id = first.value["reservationId"]
        #expect(try await bench.commit(id, 60) == bench.commit(id, 60))
        #expect(bench.spent == 60)
        let other = try await bench.reserve(10, key: "other").value["reservationId"]
        #expect(try await bench.release(other) == bench.release(other))
    }

    @Test func aKeyWhoseReservationHasEndedIsNotUsedAgain() async throws {
        let bench = try CallBench()
        _ = try await bench.release(try await bench.reserve(100).value["reservationId"])
        let again = try await bench.reserve(100)
        #expect(again.isError && again.value["error"] == "IDEMPOTENCY_KEY_USED" && bench.held == 0)
    }

    @Test func aCommitInAnotherUnitKeepsTheReservation() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100).value["reservationId"]
        let refused = try await bench.commit(id, 5, unit: "CREDITS")
        #expect(refused.isError && refused.value["error"] == "INVALID_ARGUMENTS" && bench.held == 100)
        #expect(try await bench.commit(id, 5).value["status"] == "COMMITTED")
    }

    @Test func reservationsOfOthersAreSettledDirectly() async throws {
        let (bench, other) = (
            try CallBench(), ReservationCreateRequest(action: Action(kind: "k", name: "n"), estimate: .tokens(10))
        )
        let first = try #require(try await bench.performer.client.createReservation(other).reservationID)
        let second = try #require(try await bench.performer.client.createReservation(other).reservationID)
        let extended = try await bench.call(
            .extend,
            ["reservationId": .string(first.rawValue), "idempotencyKey": "e", "extendByMs": 1_000]
        )
        #expect(extended.value["status"] == "ACTIVE" && extended.value["expiresAtMs"]?.int64 != nil)
        #expect(try await bench.commit(.string(first.rawValue), 4).value["charged"]?["amount"] == 4)
        #expect(try await bench.release(.string(second.rawValue)).value["released"]?["amount"] == 10)
        #expect(bench.held == 0 && bench.spent == 4)
    }

    /// Reservations of other programs, so that the server finds out what has become of them.
    @Test func whatIsSettledIsNotSettledAgain() async throws {
        let bench = try CallBench()
        let other = ReservationCreateRequest(
            action: Action(kind: "k", name: "n"),
            estimate: .tokens(10),
            timeToLive: .seconds(60),
            gracePeriod: .zero
        )
        let committed = JSONValue.string(
            try #require(try await bench.performer.client.createReservation(other).reservationID).rawValue
        )
        _ = try await bench.commit(committed, 4)
        for result in [try await bench.release(committed), try await bench.commit(committed, 4, key: "again")] {
            #expect(result.isError && result.value["error"] == "RESERVATION_FINALIZED")
            #expect(try #require(result.hint).contains("do not settle it again"))
        }
        let expired = JSONValue.string(
            try #require(try await bench.performer.client.createReservation(other).reservationID).rawValue
        )
        bench.clock.advance(by: .seconds(120))
        let late = try await bench.commit(expired, 4, key: "late")
        #expect(late.isError && late.value["error"] == "RESERVATION_EXPIRED")
        #expect(try #require(late.hint).contains("cycles_create_event") && bench.spent == 4)
    }

    @Test func aCommitAfterTheExpiryIsRecordedAsAnEvent() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100, extra: ["ttlMs": 1_000, "gracePeriodMs": 0]).value["reservationId"]
        bench.authority.isReachable = false
        bench.clock.advance(by: .seconds(120))
        bench.authority.isReachable = true
        let committed = try await bench.commit(id, 60)
        #expect(committed.value["eventId"]?.string != nil && committed.value["charged"]?["amount"] == 60)
        #expect(try #require(committed.hint).contains("recorded as an event") && bench.spent == 60)
    }

    @Test func aChargeThatTheBudgetDidNotCoverIsNamed() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100, extra: ["overagePolicy": "ALLOW_IF_AVAILABLE"]).value["reservationId"]
        let committed = try await bench.commit(id, 1_500)
        #expect(committed.value["charged"]?["amount"] == 1_000)
        #expect(try #require(committed.hint).contains("1000 TOKENS of 1500 TOKENS are charged"))
        bench.authority.fund(scope: "tenant:acme", .tokens(10))
        let arguments = Conversation.reserve.with("estimate", nil).with("overagePolicy", "ALLOW_IF_AVAILABLE")
            .with("actual", ["unit": "TOKENS", "amount": 25])
        let recorded = try await bench.call(.createEvent, arguments)
        #expect(try #require(recorded.hint).contains("10 TOKENS of 25 TOKENS are charged"))
    }

    @Test func aDryRunHoldsNothing() async throws {
        let bench = try CallBench()
        let result = try await bench.reserve(100, extra: ["dryRun": true])
        #expect(result.value["decision"] == "ALLOW" && result.value["reservationId"] == nil && bench.held == 0)
        let denied = try await bench.reserve(5_000, key: "other", extra: ["dryRun": true])
        #expect(!denied.isError && denied.value["decision"] == "DENY" && denied.value["remaining"]?["amount"] == 1_000)
    }

    @Test func anObservedDecisionNeedsNoCommit() async throws {
        let transport = MockTransport()
        transport.on(.post, "/v1/reservations") { _ in
            HTTPResponse(json: #"{"decision":"ALLOW","affected_scopes":["tenant:acme"],"caps":null,"future_member":1}"#)
        }
        let result = try await CallBench(transport).reserve(100)
        #expect(!result.isError && result.value["decision"] == "ALLOW" && result.value["reservationId"] == nil)
        #expect(try #require(result.hint).contains("observed"))
    }

    // MARK: Hints

    @Test func aDenialTellsWhatRemainsAndWhatWouldFit() async throws {
        let bench = try CallBench()
        let denied = try await bench.reserve(5_000)
        #expect(
            !denied.isError && denied.value["decision"] == "DENY" && denied.value["reasonCode"] == "BUDGET_EXCEEDED"
        )
        let hint = try #require(denied.hint)
        for part in ["1000 TOKENS remain on tenant:acme.", "At most 1000 TOKENS would fit.", "funded"] {
            #expect(hint.contains(part), "\(hint)")
        }
        #expect(denied.value["remaining"] == ["unit": "TOKENS", "amount": 1_000])
        #expect(denied.value["message"]?.string != nil)
    }

    @Test func nothingFitsIntoABudgetThatIsUsedUp() async throws {
        let bench = try CallBench()
        _ = try await bench.commit(try await bench.reserve(1_000).value["reservationId"], 1_000)
        let hint = try #require(try await bench.reserve(1, key: "other").hint)
        #expect(hint.contains("0 TOKENS remain on tenant:acme.") && !hint.contains("would fit"), "\(hint)")
    }

    @Test func aBudgetInAnotherUnitDoesNotDecide() async throws {
        let bench = try CallBench()
        bench.authority.setBudget(scope: "tenant:acme", allocated: .credits(1))
        #expect(try await bench.reserve(5_000).value["remaining"] == ["unit": "TOKENS", "amount": 1_000])
    }

    @Test func theDetailsOfADenialTakeThePlaceOfBalances() async throws {
        let transport = MockTransport()
        transport.on(.post, "/v1/decide") { _ in
            HTTPResponse(
                json: """
                    {"decision":"DENY","affected_scopes":["tenant:acme"],"reason_code":"BUDGET_EXCEEDED",
                    "deny_detail":{"blocked_by_scope":"tenant:acme/agent:writer","budget_remaining":500}}
                    """
            )
        }
        let denied = try await CallBench(transport).call(.decide, Conversation.reserve)
        let hint = try #require(denied.hint)
        #expect(hint.contains("500 TOKENS remain on tenant:acme/agent:writer."), "\(hint)")
        // The amount of the call is smaller.
        #expect(!hint.contains("would fit") && transport.requests.count == 1, "\(hint)")
    }

    @Test func theScopeWithTheLeastBudgetDecides() async throws {
        let bench = try CallBench()
        _ = try await bench.reserve(150, agent: "writer")
        let hint = try #require(try await bench.reserve(100, key: "other", agent: "writer").hint)
        for part in ["50 TOKENS remain on tenant:acme/agent:writer.", "when some of the 150 TOKENS"] {
            #expect(hint.contains(part), "\(hint)")
        }
        // Another agent is not limited by that scope.
        #expect(try await bench.reserve(100, key: "third", agent: "reader").value["decision"] == "ALLOW")
    }

    @Test func aDecisionIsExplainedAsAReservationIs() async throws {
        let bench = try CallBench()
        let arguments = Conversation.reserve.with("estimate", ["unit": "TOKENS", "amount": 5_000])
        let denied = try await bench.call(.decide, arguments)
        #expect(denied.value["decision"] == "DENY" && denied.value["remaining"]?["amount"] == 1_000)
        let allowed = try await bench.call(.decide, Conversation.reserve.with("idempotencyKey", "other"))
        #expect(allowed.value["decision"] == "ALLOW" && bench.held == 0)
        #expect(try #require(allowed.hint).contains("Nothing is held"))
    }

    @Test func aDenialTellsWhenToAskAgain() async throws {
        let transport = MockTransport()
        transport.enqueue(
            HTTPResponse(
                json:
                    #"{"decision":"DENY","affected_scopes":["tenant:acme"],"reason_code":"ACTION_QUOTA_EXCEEDED","retry_after_ms":2500}"#
            )
        )
        let denied = try await CallBench(transport).reserve(100)
        #expect(denied.value["retryAfterMs"] == 2_500 && denied.value["affectedScopes"] == ["tenant:acme"])
        #expect(try #require(denied.hint).contains("Ask again in 2500 ms."))
    }

    @Test func capsAreNamed() async throws {
        let caps = Caps(
            maxTokens: 256,
            maxStepsRemaining: 3,
            toolAllowlist: ["web.fetch"],
            toolDenylist: ["web.search"],
            cooldown: .milliseconds(1_500)
        )
        let result = try await CallBench(caps: caps).reserve(10, agent: "writer")
        #expect(result.value["decision"] == "ALLOW_WITH_CAPS" && result.value["caps"]?["maxTokens"] == 256)
        let hint = try #require(result.hint)
        for part in [
            "at most 256 tokens", "at most 3 more steps", "only the tools web.fetch", "do not use the tools web.search",
            "1500 ms",
        ] { #expect(hint.contains(part), "\(hint)") }
    }

    @Test(arguments: [(850, false), (851, true)]) func littleBudgetIsNamed(amount: Int64, isLow: Bool) async throws {
        let hint = try #require(try await CallBench().reserve(amount).hint)
        #expect(hint.contains("Little budget is left") == isLow, "\(hint)")
        #expect(hint.contains("14 % (149 TOKENS) of tenant:acme") == isLow, "\(hint)")
    }

    // MARK: Events and look-ups

    @Test func spendWithoutAReservationIsRecorded() async throws {
        let bench = try CallBench()
        let arguments = Conversation.reserve.with("estimate", nil).with("actual", ["unit": "TOKENS", "amount": 7])
        let recorded = try await bench.call(.createEvent, arguments)
        #expect(recorded.value["status"] == "APPLIED" && recorded.value["charged"]?["amount"] == 7)
        #expect(try await bench.call(.createEvent, arguments) == recorded && bench.spent == 7)
    }

    @Test func spendThatIsStillBeingRecordedIsRecordedOnce() async throws {
        let bench = try CallBench()
        let arguments = Conversation.reserve.with("estimate", nil).with("actual", ["unit": "TOKENS", "amount": 7])
        bench.authority.isReachable = false
        #expect(try await bench.call(.createEvent, arguments).value["status"] == "QUEUED")
        bench.authority.isReachable = true
        #expect(try await bench.call(.createEvent, arguments).value["status"] == "APPLIED")
        bench.clock.advance(by: .seconds(60))
        #expect(bench.spent == 7)
    }

    @Test func debtIsShown() async throws {
        let bench = try CallBench()
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), overdraftLimit: 500)
        let id = try await bench.reserve(100, extra: ["overagePolicy": "ALLOW_WITH_OVERDRAFT"]).value["reservationId"]
        let balance = try await bench.commit(id, 1_200).value["balances"]?[0]
        #expect(balance?["debt"]?["amount"] == 200 && balance?["overdraftLimit"]?["amount"] == 500)
        #expect(balance?["isOverLimit"] == false && balance?["scopePath"] == "tenant:acme")
    }

    @Test func membersOfAnotherFormThanTheSchemasAreLeftOut() async throws {
        let transport = MockTransport()
        transport.enqueue(
            HTTPResponse(json: #"{"decision":"ALLOW","affected_scopes":["tenant:acme"],"deny_detail":5}"#)
        )
        let result = try await CallBench(transport).call(.decide, Conversation.reserve)
        #expect(result.value["decision"] == "ALLOW" && result.value["denyDetail"] == nil)
    }

    @Test func spendThatIsDeniedIsNotInTheLedger() async throws {
        let bench = try CallBench()
        let arguments = Conversation.reserve.with("estimate", nil).with("overagePolicy", "REJECT")
            .with("actual", ["unit": "TOKENS", "amount": 5_000])
        let denied = try await bench.call(.createEvent, arguments)
        #expect(
            !denied.isError && denied.value["status"] == "DENIED" && denied.value["reasonCode"] == "BUDGET_EXCEEDED"
        )
        #expect(try #require(denied.hint).contains("not in the ledger") && bench.spent == 0)
    }

    @Test func reservationsAndBalancesAreShown() async throws {
        let bench = try CallBench()
        let metadata: JSONValue = ["some_name": ["inner_name": 1]]
        let id = try await bench.reserve(100, extra: ["metadata": metadata]).value["reservationId"]
        let one = try await bench.call(.getReservation, ["reservationId": id ?? .null])
        #expect(one.value["status"] == "ACTIVE" && one.value["reserved"]?["amount"] == 100)
        #expect(one.value["metadata"] == metadata)
        let list = try await bench.call(.listReservations, ["status": "ACTIVE", "limit": 1])
        #expect(list.value["reservations"]?.array?.count == 1 && list.value["reservations"]?[0]?["reservationId"] == id)
        #expect(try await bench.call(.listReservations, ["status": "COMMITTED"]).value["reservations"] == [])
        let balances = try await bench.call(.checkBalance, [:])
        #expect(balances.value["balances"]?[0]?["reserved"]?["amount"] == 100)
    }

    @Test(arguments: [
        ("cycles://balances/acme", "\\\"remaining\\\""),
        ("cycles://reservations/rsv_000001", "\\\"status\\\":\\\"ACTIVE\\\""),
    ])
    func resourcesShowTheSame(uri: String, part: String) async throws {
        let bench = try CallBench()
        _ = try await bench.reserve(100)
        let members = try await bench.performer.perform(.resource(#require(BudgetResource(uri)))).result.get()
        let content = try JSONValue(parsing: Array("{\(members)}".utf8))["contents"]?[0]
        #expect(content?["uri"]?.string == uri && content?["mimeType"] == "application/json" && members.contains(part))
    }

    @Test func aReservationThatDoesNotExistIsAnUnknownResource() async throws {
        let resource = try #require(BudgetResource("cycles://reservations/nope"))
        let result = try await CallBench().performer.perform(.resource(resource)).result
        #expect(result == .failure(BudgetResource.unknown(resource.uri)))
    }

    @Test func aResourceThatCannotBeReadIsAnError() async throws {
        let bench = try CallBench()
        bench.authority.isReachable = false
        let resource = try #require(BudgetResource("cycles://balances/acme"))
        guard case .failure(let failure) = await bench.performer.perform(.resource(resource)).result else {
            Issue.record("the resource is read")
            return
        }
        #expect(failure.code == .internalError && failure.data?["error"] == "TRANSPORT")
    }

    // MARK: Failures

    @Test func anErrorNamesItsCodeAndItsRequest() async throws {
        let bench = try CallBench()
        let missing = try await bench.call(.getReservation, ["reservationId": "nope"])
        #expect(missing.isError && missing.value["error"] == "NOT_FOUND" && missing.value["status"] == 404)
        #expect(missing.value["requestId"]?.string != nil && missing.value["retryable"] == false)
        #expect(try #require(missing.value.object).allSatisfy { $0.value != .null })
        #expect(try #require(missing.hint).contains("cycles_list_reservations"))
        bench.authority.failNext(.limitExceeded, retryAfter: .seconds(3))
        let busy = try await bench.call(.checkBalance, [:])
        #expect(busy.value["error"] == "LIMIT_EXCEEDED" && busy.value["retryAfterMs"] == 3_000 && busy.hint != nil)
    }

    @Test func aServerThatCannotBeReachedIsAnError() async throws {
        let bench = try CallBench()
        bench.authority.isReachable = false
        let result = try await bench.reserve(100)
        #expect(result.isError && result.value["error"] == "TRANSPORT" && result.value["retryable"] == true)
    }

    @Test func aCommitThatTheServerDoesNotConfirmIsSentAgain() async throws {
        let bench = try CallBench()
        let id = try await bench.reserve(100).value["reservationId"]
        bench.authority.isReachable = false
        let queued = try await bench.commit(id, 60)
        #expect(!queued.isError && queued.value["status"] == "QUEUED" && queued.value["isDurable"] == false)
        #expect(try #require(queued.hint).contains("do not repeat the call"))
        bench.authority.isReachable = true
        bench.clock.advance(by: .seconds(10))
        #expect(bench.spent == 60 && bench.held == 0)
    }

    @Test func aKeyInTheAnswerOfAServerIsNotShown() async throws {
        let transport = MockTransport()
        transport.on(.get, "/v1/balances") { _ in
            HTTPResponse(
                status: 403,
                json: #"{"error":"FORBIDDEN","message":"secret-key is wrong","request_id":"r"}"#
            )
        }
        #expect(try await CallBench(transport).call(.checkBalance, [:]).isError)
    }

    // MARK: The end

    @Test func theEndOfTheSessionReleasesEveryHold() async throws {
        let bench = try CallBench()
        for number in 0..<5 { _ = try await bench.reserve(10, key: "key \(number)") }
        #expect(bench.held == 50)
        bench.performer.giveBackAll()
        await bench.performer.client.flush()
        #expect(bench.held == 0 && bench.spent == 0)
    }
}
