import Cycles
import CyclesTesting
import Testing

/// The differences between deployed servers and the specification in what is decided.
@Suite struct DecisionBehaviorTests {
    private static let leaf = "tenant:acme/agent:bot"
    private static let subject: JSONValue = ["tenant": "acme", "agent": "bot"]

    /// An agent over its limit below a tenant that has 1000 left.
    private func overLimit(_ behavior: Behavior) throws -> Bench {
        let bench = Bench(behavior, budget: 1_010)
        bench.authority.setBudget(scope: DecisionBehaviorTests.leaf, allocated: .tokens(10))
        _ = try bench.event("over", 20, subject: DecisionBehaviorTests.subject)
        try #require(bench.balance(DecisionBehaviorTests.leaf).isOverLimit)
        return bench
    }

    private func expectDenial(_ bench: Bench, _ amount: Int64, _ code: String) throws {
        let subject = DecisionBehaviorTests.subject
        #expect(try bench.reserve("r", amount, subject: subject).error == code)
        #expect(try bench.decide("d \(amount)", amount, subject: subject).json["reason_code"] == .string(code))
        let dryRun = try bench.reserve("y \(amount)", amount, subject: subject, extra: ["dry_run": true])
        #expect(dryRun.json["reason_code"] == .string(code))
    }

    /// The specification names a scope over its limit before what its ancestors lack.
    @Test(
        arguments: [
            (.deployed, "BUDGET_EXCEEDED"), (.specification, "OVERDRAFT_LIMIT_EXCEEDED"),
        ] as [(Behavior, String)]
    )
    func scopesAreCheckedInOrder(_ behavior: Behavior, _ code: String) throws {
        let bench = try overLimit(behavior)
        try expectDenial(bench, 1_001, code)
        try expectDenial(bench, 0, "OVERDRAFT_LIMIT_EXCEEDED")
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_010), status: .frozen)
        try expectDenial(bench, 1_000, "BUDGET_FROZEN")
    }

    @Test(arguments: Behavior.allCases)
    func anEventIsCheckedScopeByScope(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: 5)
        bench.authority.setBudget(scope: DecisionBehaviorTests.leaf, allocated: .tokens(1), status: .frozen)
        let subject = DecisionBehaviorTests.subject
        #expect(try bench.event("e", 6, subject: subject, policy: "REJECT").error == "BUDGET_EXCEEDED")
        #expect(try bench.event("e", 5, subject: subject, policy: "REJECT").error == "BUDGET_FROZEN")
        #expect(try bench.event("e", 6, subject: subject).error == "BUDGET_FROZEN")
    }

    /// Neither debt nor a scope over its limit keeps an event out.
    @Test(arguments: Behavior.allCases)
    func anEventPassesWhereReservationsAreBlocked(_ behavior: Behavior) throws {
        let bench = try overLimit(behavior)
        #expect(try bench.event("e", 0, subject: DecisionBehaviorTests.subject, policy: "REJECT").status == 201)
        #expect(try bench.event("f", 5, subject: DecisionBehaviorTests.subject).json["charged"]?.amount == 0)
    }

    @Test(arguments: Behavior.allCases)
    func anEventOfNothingIsRejectedBelowZero(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50)
        #expect(try bench.event("v", 10, policy: "ALLOW_WITH_OVERDRAFT").status == 201)
        let rejected = try bench.event("e", 0, policy: "REJECT")
        #expect(rejected.status == 409)
        #expect(rejected.error == "BUDGET_EXCEEDED")
        for policy in ["ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"] {
            let reply = try bench.event("e" + policy, 0, policy: policy)
            #expect(reply.status == 201)
            #expect(reply.json["charged"] == nil)
        }
        #expect(try bench.figures() == [-10, 0, 0, 10])
        #expect(try !bench.balance().isOverLimit)
    }

    @Test func capsOfAncestorsAreIgnored() throws {
        let bench = Bench(budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), caps: Caps(maxTokens: 9))
        bench.authority.setBudget(scope: DecisionBehaviorTests.leaf, allocated: .tokens(100))
        bench.authority.setBudget(
            scope: DecisionBehaviorTests.leaf + "/toolset:t",
            allocated: .credits(100),
            caps: Caps(maxTokens: 5)
        )
        // The others have a budget without caps, a budget in another unit, and no budget at all.
        for (subject, isCapped): (JSONValue, Bool) in [
            (["tenant": "acme"], true), (DecisionBehaviorTests.subject, false),
            (["tenant": "acme", "agent": "bot", "toolset": "t"], false),
            (["tenant": "acme", "workspace": "w"], false),
        ] {
            for reply in [
                try bench.decide("d \(subject)", 1, subject: subject),
                try bench.reserve("r \(subject)", 1, subject: subject),
                try bench.reserve("y \(subject)", 1, subject: subject, extra: ["dry_run": true]),
            ] {
                #expect(reply.json["decision"] == (isCapped ? "ALLOW_WITH_CAPS" : "ALLOW"))
                #expect(reply.json["caps"]?["max_tokens"]?.int64 == (isCapped ? 9 : nil))
            }
        }
    }

    /// A chain of three scopes, of which the middle one has an overdraft limit.
    private func chain(_ behavior: Behavior, root: Int64, middle: Int64, leaf: Int64, limit: Int64) -> Bench {
        let bench = Bench(behavior, budget: root)
        let middleScope = "tenant:acme/workspace:w"
        bench.authority.setBudget(scope: middleScope, allocated: .tokens(middle), overdraftLimit: limit)
        bench.authority.setBudget(scope: middleScope + "/agent:bot", allocated: .tokens(leaf))
        return bench
    }

    private static let chain = ["tenant:acme", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:bot"]

    /// Scopes without a limit cap the charge, and only those that fell short are over their limit.
    @Test(arguments: Behavior.allCases, ["event", "commit"])
    func shortScopesWithoutALimitCapAnOverdraft(_ behavior: Behavior, _ operation: String) throws {
        let bench = chain(behavior, root: 70, middle: 5, leaf: 40, limit: 100)
        let subject: JSONValue = ["tenant": "acme", "workspace": "w", "agent": "bot"]
        let policy = "ALLOW_WITH_OVERDRAFT"
        let reply: Reply
        if operation == "event" {
            reply = try bench.event("e", 60, subject: subject, policy: policy)
        } else {
            let id = try bench.hold("h", 0, subject: subject, extra: ["overage_policy": .string(policy)])
            reply = try bench.commit(id, "c", 60)
        }
        #expect(reply.json["charged"]?.amount == 40)
        let figures = try DecisionBehaviorTests.chain.map { try bench.figures($0) }
        let middle: [Int64] = behavior == .deployed ? [-35, 0, 5, 35] : [-35, 0, 0, 40]
        #expect(figures == [[30, 0, 40, 0], middle, [0, 0, 40, 0]])
        #expect(try DecisionBehaviorTests.chain.map { try bench.balance($0).isOverLimit } == [false, false, true])
    }

    /// The limit is tried with what the capped charge leaves.
    @Test(arguments: [(.deployed, 35), (.specification, 40)] as [(Behavior, Int64)])
    func anOverdraftLimitIsTriedAfterTheCap(_ behavior: Behavior, _ limit: Int64) throws {
        let subject: JSONValue = ["tenant": "acme", "workspace": "w", "agent": "bot"]
        for (limit, status) in [(limit, 201), (limit - 1, 409)] {
            let bench = chain(behavior, root: 70, middle: 5, leaf: 40, limit: limit)
            let reply = try bench.event("e", 60, subject: subject, policy: "ALLOW_WITH_OVERDRAFT")
            #expect(reply.status == status)
            if status == 409 {
                #expect(reply.error == "OVERDRAFT_LIMIT_EXCEEDED")
                #expect(try bench.figures() == [70, 0, 0, 0])
                #expect(try !bench.balance(DecisionBehaviorTests.chain[2]).isOverLimit)
            }
        }
    }

    /// Only the part that nothing remains for, once the budget is overdrawn.
    @Test(arguments: Behavior.allCases)
    func anOverdrawnBudgetTakesOnTheWholeAmount(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50)
        #expect(try bench.event("a", 20, policy: "ALLOW_WITH_OVERDRAFT").status == 201)
        #expect(try bench.event("b", 30, policy: "ALLOW_WITH_OVERDRAFT").status == 201)
        #expect(try bench.figures() == [-50, 0, 0, 50])
        #expect(try bench.event("c", 1, policy: "ALLOW_WITH_OVERDRAFT").error == "OVERDRAFT_LIMIT_EXCEEDED")
    }
}
