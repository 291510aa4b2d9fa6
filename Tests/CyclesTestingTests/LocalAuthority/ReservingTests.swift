import Cycles
import CyclesTesting
import Testing

@Suite struct ScopeTests {
    private static let everything: JSONValue = [
        "toolset": "t", "agent": "a", "workflow": "f", "app": "p", "workspace": "w", "tenant": "acme",
    ]

    @Test func scopesAreDerivedInCanonicalOrder() throws {
        let reply = try Bench().reserve("r", 1, subject: ScopeTests.everything)
        #expect(
            reply.json["affected_scopes"] == [
                "tenant:acme", "tenant:acme/workspace:w", "tenant:acme/workspace:w/app:p",
                "tenant:acme/workspace:w/app:p/workflow:f", "tenant:acme/workspace:w/app:p/workflow:f/agent:a",
                "tenant:acme/workspace:w/app:p/workflow:f/agent:a/toolset:t",
            ]
        )
        #expect(reply.json["scope_path"] == "tenant:acme/workspace:w/app:p/workflow:f/agent:a/toolset:t")
    }

    @Test func gapsAreSkipped() throws {
        let reply = try Bench().reserve("r", 1, subject: ["tenant": "acme", "agent": "bot"])
        #expect(reply.json["affected_scopes"] == ["tenant:acme", "tenant:acme/agent:bot"])
    }

    @Test func aSubjectWithoutTenantDerivesScopesWithoutOne() throws {
        let bench = Bench()
        #expect(try bench.reserve("r", 1, subject: ["agent": "bot"]).status == 404)
        bench.authority.setBudget(scope: "agent:bot", allocated: .tokens(10))
        let reply = try bench.reserve("r", 1, subject: ["agent": "bot"])
        #expect(reply.json["affected_scopes"] == ["agent:bot"])
        #expect(try bench.figures("agent:bot") == [9, 1, 0, 0])
        // It belongs to no tenant, so that no tenant sees it.
        #expect(try bench.get("/v1/balances?agent=bot").scopes == [])
    }

    @Test func theHoldIsOnEveryScopeThatHasABudget() throws {
        let bench = Bench()
        bench.authority.setBudget(scope: "tenant:acme/workspace:w/app:p", allocated: .tokens(50))
        let reply = try bench.reserve("r", 20, subject: ScopeTests.everything)
        #expect(reply.scopes == ["tenant:acme", "tenant:acme/workspace:w/app:p"])
        #expect(try bench.figures() == [980, 20, 0, 0])
        #expect(try bench.figures("tenant:acme/workspace:w/app:p") == [30, 20, 0, 0])
    }

    @Test func aReservationIsAtomicOverItsScopes() throws {
        let bench = Bench()
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(10))
        let reply = try bench.reserve("r", 11, subject: ["tenant": "acme", "agent": "bot"])
        #expect(reply.status == 409)
        #expect(reply.error == "BUDGET_EXCEEDED")
        #expect(reply.json["message"]?.string?.contains("tenant:acme/agent:bot") == true)
        #expect(try bench.figures() == [1_000, 0, 0, 0])
        #expect(try bench.figures("tenant:acme/agent:bot") == [10, 0, 0, 0])
    }

    @Test func aBudgetMadeLaterTakesNoPartInAnOlderReservation() throws {
        let bench = Bench()
        let id = try bench.hold("r", 20, subject: ["tenant": "acme", "agent": "bot"])
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(10))
        #expect(try bench.commit(id, "c", 20).status == 200)
        #expect(try bench.figures("tenant:acme/agent:bot") == [10, 0, 0, 0])
    }

    @Test func onlyCanonicalScopesAreValid() {
        for scope in ["tenant:acme", "agent:bot", "tenant:a/toolset:z", "workspace:w.1/app:A-b_c"] {
            #expect(LocalAuthority.isValidScope(scope), "\(scope)")
        }
        for scope in ["", "acme", "tenant:", "tenant:a/", "agent:b/tenant:a", "tenant:a/tenant:b", "x:y", "tenant:é"] {
            #expect(!LocalAuthority.isValidScope(scope), "\(scope)")
        }
    }
}

@Suite struct UnitTests {
    @Test(arguments: Behavior.allCases)
    func anotherUnitThanTheBudgetsIsAMismatch(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .usdMicrocents(5))
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .riskPoints(5))
        let body = Bench.reserveBody(key: "k", 1, unit: "CREDITS", subject: ["tenant": "acme", "agent": "bot"])
        for path in ["/v1/reservations", "/v1/decide"] {
            let reply = try bench.post(path, body)
            #expect(reply.status == 400)
            #expect(reply.error == "UNIT_MISMATCH")
            #expect(
                reply.json["details"] == [
                    "scope": "tenant:acme", "requested_unit": "CREDITS",
                    "expected_units": ["USD_MICROCENTS", "TOKENS"],
                ]
            )
        }
        #expect(try bench.post("/v1/reservations", body.adding("dry_run", true)).error == "UNIT_MISMATCH")
        #expect(try bench.event("e", 1, unit: "CREDITS").error == "UNIT_MISMATCH")
    }

    @Test(arguments: Behavior.allCases)
    func theMismatchIsFoundOnAnyScope(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .riskPoints(5))
        let reply = try bench.reserve("r", 1, subject: ["tenant": "acme", "agent": "bot", "toolset": "t"])
        #expect(reply.error == "UNIT_MISMATCH")
        #expect(reply.json["details"]?["scope"] == "tenant:acme/agent:bot")
    }

    @Test(arguments: Behavior.allCases)
    func aScopeKeptInAnotherUnitIsSkippedWhereOneFits(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .riskPoints(5))
        let reply = try bench.reserve("r", 1, subject: ["tenant": "acme", "agent": "bot"])
        #expect(reply.status == 200)
        #expect(reply.scopes == ["tenant:acme"])
    }

    @Test(arguments: Behavior.allCases)
    func noBudgetInAnyUnitIsNotFound(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        let subject: JSONValue = ["tenant": "acme", "agent": "bot"]
        let reserved = try bench.reserve("r", 1, subject: subject)
        #expect(reserved.status == 404)
        #expect(reserved.error == "NOT_FOUND")
        let message = try #require(reserved.json["message"]?.string)
        #expect(message.hasPrefix("Budget not found for provided scope: tenant:acme/agent:bot"))
        #expect(try bench.event("e", 1, subject: subject).status == 404)

        for reply in [
            try bench.decide("d", 1, subject: subject),
            try bench.reserve("y", 1, subject: subject, extra: ["dry_run": true]),
        ] {
            #expect(reply.status == 200)
            #expect(reply.json["decision"] == "DENY")
            #expect(reply.json["reason_code"] == "BUDGET_NOT_FOUND")
            #expect(reply.json["affected_scopes"] == ["tenant:acme", "tenant:acme/agent:bot"])
        }
    }
}

@Suite struct DenialTests {
    private static let subject: JSONValue = ["tenant": "acme", "agent": "bot"]
    private static let leaf = "tenant:acme/agent:bot"

    /// Checks that a live reservation, a dry run and a preflight are denied with the same code.
    private func expectDenial(_ bench: Bench, _ code: String, _ amount: Int64 = 1) throws {
        let live = try bench.reserve("live", amount, subject: DenialTests.subject)
        #expect(live.status == 409)
        #expect(live.error == code)
        for (number, reply) in [
            try bench.decide("decide \(code) \(bench.clock.now)", amount, subject: DenialTests.subject),
            try bench.reserve(
                "dry \(code) \(bench.clock.now)",
                amount,
                subject: DenialTests.subject,
                extra: ["dry_run": true]
            ),
        ].enumerated() {
            #expect(reply.status == 200, "\(number)")
            #expect(reply.json["decision"] == "DENY", "\(number)")
            #expect(reply.json["reason_code"] == .string(code), "\(number)")
            #expect(reply.json["affected_scopes"] == ["tenant:acme", .string(DenialTests.leaf)], "\(number)")
            #expect(reply.json["caps"] == nil)
            #expect(reply.json["reservation_id"] == nil)
            #expect(reply.json["expires_at_ms"] == nil)
            #expect(reply.json["remaining_ttl_ms"] == nil)
        }
        bench.clock.advance(by: .milliseconds(1))
    }

    @Test func tooLittleRemains() throws {
        let bench = Bench()
        try expectDenial(bench, "BUDGET_EXCEEDED", 1_001)
        #expect(try bench.reserve("r", 1_000).status == 200)
        try expectDenial(bench, "BUDGET_EXCEEDED", 1)
        #expect(try bench.reserve("zero", 0).status == 200)
    }

    @Test func frozenAndClosedBudgetsGiveNothing() throws {
        let bench = Bench()
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), status: .frozen)
        try expectDenial(bench, "BUDGET_FROZEN")
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        bench.authority.setBudget(scope: DenialTests.leaf, allocated: .tokens(1_000), status: .closed)
        try expectDenial(bench, "BUDGET_CLOSED")
    }

    @Test func theStatusComesBeforeEverythingElse() throws {
        let bench = try overLimit()
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), status: .frozen)
        try expectDenial(bench, "BUDGET_FROZEN", 5_000)
    }

    @Test func aScopeOverItsLimitBlocks() throws {
        try expectDenial(try overLimit(), "OVERDRAFT_LIMIT_EXCEEDED", 0)
    }

    @Test(arguments: Behavior.allCases)
    func theRootIsCheckedFirst(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: 5)
        bench.authority.setBudget(scope: DenialTests.leaf, allocated: .tokens(1), status: .frozen)
        try expectDenial(bench, "BUDGET_EXCEEDED", 6)
        try expectDenial(bench, "BUDGET_FROZEN", 5)
    }

    @Test(arguments: Behavior.allCases)
    func debtWithoutALimitBlocks(_ behavior: Behavior) throws {
        let bench = try indebted(30, behavior)
        // Within the limit, debt alone is no reason.
        bench.authority.fund(scope: "tenant:acme", .tokens(0))
        try expectDenial(bench, "BUDGET_EXCEEDED", 1)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), overdraftLimit: 50)
        #expect(try bench.hold("r", 1, subject: DenialTests.subject).isEmpty == false)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        try expectDenial(bench, "DEBT_OUTSTANDING")
        try expectDenial(bench, "DEBT_OUTSTANDING", 5_000)
        bench.authority.repayDebt(scope: "tenant:acme", .tokens(30))
        #expect(try bench.reserve("s", 1, subject: DenialTests.subject).status == 200)
    }

    @Test func beingOverTheLimitComesBeforeDebt() throws {
        let bench = try indebted(30)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), overdraftLimit: 29)
        try expectDenial(bench, "OVERDRAFT_LIMIT_EXCEEDED")
    }

    /// The specification names that code for any affected scope over its limit, whatever its ancestors look like.
    @Test func beingOverTheLimitComesBeforeWhatAncestorsLack() throws {
        let bench = Bench(.specification)
        bench.authority.setBudget(scope: DenialTests.leaf, allocated: .tokens(10))
        let id = try bench.hold("h", 10, subject: DenialTests.subject)
        #expect(try bench.commit(id, "c", 20).status == 200)
        #expect(try bench.balance(DenialTests.leaf).isOverLimit)
        try expectDenial(bench, "OVERDRAFT_LIMIT_EXCEEDED", 5_000)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), status: .closed)
        try expectDenial(bench, "BUDGET_CLOSED", 5_000)
    }

    @Test func capsComeFromTheDeepestScopeThatHasAny() throws {
        let bench = Bench(.specification, budget: nil)
        let caps = Caps(
            maxTokens: 5,
            maxStepsRemaining: 2,
            toolAllowlist: ["a"],
            toolDenylist: ["b"],
            cooldown: .seconds(1)
        )
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), caps: Caps(maxTokens: 9))
        bench.authority.setBudget(scope: DenialTests.leaf, allocated: .tokens(100), caps: caps)
        bench.authority.setBudget(scope: DenialTests.leaf + "/toolset:t", allocated: .tokens(100))
        let subject: JSONValue = ["tenant": "acme", "agent": "bot", "toolset": "t"]
        for reply in [
            try bench.decide("d", 1, subject: subject), try bench.reserve("r", 1, subject: subject),
            try bench.reserve("y", 1, subject: subject, extra: ["dry_run": true]),
        ] {
            #expect(reply.json["decision"] == "ALLOW_WITH_CAPS")
            #expect(
                reply.json["caps"] == [
                    "max_tokens": 5, "max_steps_remaining": 2, "tool_allowlist": ["a"], "tool_denylist": ["b"],
                    "cooldown_ms": 1_000,
                ]
            )
        }
        #expect(try bench.decide("e", 1).json["caps"] == ["max_tokens": 9])
        #expect(try bench.decide("f", 101).json["caps"] == nil)
    }

    @Test(arguments: Behavior.allCases)
    func aDryRunChangesNothing(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let before = bench.authority.balances()
        let reply = try bench.reserve("r", 10, extra: ["dry_run": true])
        #expect(reply.json["decision"] == "ALLOW")
        #expect(reply.json["reserved"] == ["unit": "TOKENS", "amount": 10])
        #expect(reply.json["reservation_id"] == nil)
        #expect(reply.json["expires_at_ms"] == nil)
        #expect(reply.json["remaining_ttl_ms"] == nil)
        #expect(reply.json["balances"]?[0]?["remaining"]?.amount == 1_000)
        #expect(bench.authority.balances() == before)
        #expect(bench.authority.activeReservations.isEmpty)
    }

    /// A bench whose tenant was charged more than there was.
    private func overLimit() throws -> Bench {
        let bench = Bench(budget: 100)
        let id = try bench.hold("h", 100)
        let reply = try bench.commit(id, "c", 150)
        #expect(reply.json["charged"]?.amount == 100)
        #expect(try bench.balance().isOverLimit)
        return bench
    }

    /// A bench whose tenant has debt within its overdraft limit.
    private func indebted(_ debt: Int64, _ behavior: Behavior = .deployed) throws -> Bench {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), overdraftLimit: 50)
        let id = try bench.hold("h", 100, extra: ["overage_policy": "ALLOW_WITH_OVERDRAFT"])
        #expect(try bench.commit(id, "c", 100 + debt).status == 200)
        #expect(try bench.figures() == [-debt, 0, 100, debt])
        return bench
    }
}

extension JSONValue {
    func adding(_ name: String, _ value: JSONValue) -> JSONValue {
        .object((object ?? [:]).merging([name: value]) { $1 })
    }
}
