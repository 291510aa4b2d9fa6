import Cycles
import CyclesTesting
import Testing

/// The differences between deployed servers and the specification that show in answers.
@Suite struct AnswerBehaviorTests {
    private static let leaf = "tenant:acme/agent:bot"
    private static let subject: JSONValue = ["tenant": "acme", "agent": "bot"]

    @Test func theDeployedServerIsTheDefault() {
        #expect(LocalAuthority.Options().behavior == .deployed)
        #expect(LocalAuthority.Options.Behavior(rawValue: "specification") == .specification)
    }

    private static func tokens(_ amount: Int64) -> JSONValue {
        ["unit": "TOKENS", "amount": .number(JSONNumber(amount))]
    }

    /// The row of the agent, whole: 100 allocated, and a limit of 50.
    private static func row(
        _ behavior: Behavior,
        remaining: Int64,
        reserved: Int64 = 0,
        spent: Int64 = 0,
        debt: Int64 = 0,
        limit: Int64 = 0,
        isOverLimit: Bool = false
    ) -> JSONValue {
        var row: [String: JSONValue] = [
            "scope": .string(behavior == .deployed ? "agent:bot" : leaf), "scope_path": .string(leaf),
            "remaining": tokens(remaining), "reserved": tokens(reserved), "spent": tokens(spent),
            "allocated": tokens(100),
        ]
        let isComplete = behavior == .specification
        if isComplete || debt > 0 { row["debt"] = tokens(debt) }
        if isComplete || limit > 0 { row["overdraft_limit"] = tokens(limit) }
        if isComplete || isOverLimit { row["is_over_limit"] = .bool(isOverLimit) }
        return .object(row)
    }

    @Test(arguments: Behavior.allCases)
    func aBalanceHasWhatItsServerShows(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: AnswerBehaviorTests.leaf, allocated: .tokens(100))
        func expect(_ reply: Reply, _ row: JSONValue) {
            #expect(reply.json["balances"] == [row])
        }
        let held = try bench.reserve("r", 40, subject: AnswerBehaviorTests.subject)
        let row = AnswerBehaviorTests.row
        expect(held, row(behavior, 60, 40, 0, 0, 0, false))
        let id = try #require(held.json["reservation_id"]?.string)
        expect(try bench.extend(id, "e", 1_000), row(behavior, 60, 40, 0, 0, 0, false))
        expect(try bench.commit(id, "c", 140), row(behavior, 0, 0, 100, 0, 0, true))
        bench.authority.fund(scope: AnswerBehaviorTests.leaf, .tokens(1))
        bench.authority.setBudget(scope: AnswerBehaviorTests.leaf, allocated: .tokens(100), overdraftLimit: 50)
        let event = try bench.event("v", 10, subject: AnswerBehaviorTests.subject, policy: "ALLOW_WITH_OVERDRAFT")
        expect(event, row(behavior, -10, 0, 100, 10, 50, false))
        expect(try bench.get("/v1/balances?agent=bot"), row(behavior, -10, 0, 100, 10, 50, false))
        let balance = try bench.balance(AnswerBehaviorTests.leaf)
        #expect(balance.scope == (behavior == .deployed ? "agent:bot" : AnswerBehaviorTests.leaf))
    }

    @Test func letterCaseIsFolded() throws {
        let bench = Bench()
        bench.authority.setBudget(scope: "tenant:acme/agent:Bot", allocated: .tokens(100))
        let subject: JSONValue = ["tenant": "acme", "agent": "BOT", "toolset": "Search"]
        let reply = try bench.reserve("r", 10, subject: subject)
        let path = "tenant:acme/agent:bot/toolset:search"
        #expect(reply.json["affected_scopes"] == ["tenant:acme", "tenant:acme/agent:bot", .string(path)])
        #expect(reply.json["scope_path"] == .string(path))
        #expect(reply.scopes == ["tenant:acme", "tenant:acme/agent:bot"])
        let id = try #require(reply.json["reservation_id"]?.string)
        let detail = try bench.get("/v1/reservations/" + id).json
        #expect(detail["subject"] == subject)
        #expect(detail["scope_path"] == .string(path))
        #expect(try bench.get("/v1/reservations?agent=bOT&toolset=SEARCH").ids == [id])
        #expect(try bench.get("/v1/reservations?agent=other").ids == [])
        bench.authority.fund(scope: "tenant:acme/agent:BOT", .tokens(5))
        #expect(try bench.figures("tenant:acme/agent:bot") == [95, 10, 0, 0])
        // The tenant of a request is compared with that of the key, letter by letter.
        #expect(try bench.reserve("s", 1, subject: ["tenant": "Acme"]).status == 403)
        #expect(try bench.get("/v1/balances?tenant=Acme").status == 403)
    }

    @Test func aTenantInCapitalsHasAFoldedScope() throws {
        let bench = Bench(budget: nil)
        bench.authority.addAPIKey("capital", tenant: "ACME")
        bench.authority.setBudget(scope: "tenant:Acme", allocated: .tokens(10))
        let capital = bench.with(key: "capital")
        let reply = try capital.reserve("r", 1, subject: ["tenant": "ACME"])
        #expect(reply.json["affected_scopes"] == ["tenant:acme"])
        #expect(reply.headers["X-Cycles-Tenant"] == "ACME")
        #expect(try capital.get("/v1/balances?tenant=ACME").scopes == ["tenant:acme"])
    }

    @Test func theSpecificationKeepsLetterCase() throws {
        let bench = Bench(.specification)
        bench.authority.setBudget(scope: "tenant:acme/agent:Bot", allocated: .tokens(100))
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(7))
        let reply = try bench.reserve("r", 10, subject: ["tenant": "acme", "agent": "Bot"])
        #expect(reply.scopes == ["tenant:acme", "tenant:acme/agent:Bot"])
        #expect(try bench.get("/v1/reservations?agent=Bot").ids.count == 1)
        #expect(try bench.get("/v1/reservations?agent=bot").ids == [])
        #expect(try bench.get("/v1/balances?agent=bot").scopes == ["tenant:acme/agent:bot"])
    }

    @Test(arguments: Behavior.allCases)
    func aDeniedDryRunHasItsReason(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        bench.authority.setBudget(scope: AnswerBehaviorTests.leaf, allocated: .tokens(100))
        let reply = try bench.reserve("r", 101, subject: AnswerBehaviorTests.subject, extra: ["dry_run": true])
        var expected: JSONValue = [
            "decision": "DENY", "reason_code": "BUDGET_EXCEEDED",
            "affected_scopes": ["tenant:acme", .string(AnswerBehaviorTests.leaf)],
            "scope_path": .string(AnswerBehaviorTests.leaf),
        ]
        if behavior == .specification {
            expected = expected.adding("balances", try #require(reply.json["balances"]))
            #expect(reply.scopes == ["tenant:acme", AnswerBehaviorTests.leaf])
        }
        #expect(reply.json == expected)
    }

    @Test(arguments: Behavior.allCases)
    func anAllowedDryRunHasEverythingButTheReservation(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        let caps = Caps(maxTokens: 9)
        bench.authority.setBudget(scope: AnswerBehaviorTests.leaf, allocated: .tokens(100), caps: caps)
        let reply = try bench.reserve("r", 10, subject: AnswerBehaviorTests.subject, extra: ["dry_run": true])
        #expect(
            reply.json == [
                "decision": "ALLOW_WITH_CAPS", "caps": ["max_tokens": 9], "reserved": AnswerBehaviorTests.tokens(10),
                "affected_scopes": ["tenant:acme", .string(AnswerBehaviorTests.leaf)],
                "scope_path": .string(AnswerBehaviorTests.leaf),
                "balances": [AnswerBehaviorTests.row(behavior, remaining: 100)],
            ]
        )
    }
}
