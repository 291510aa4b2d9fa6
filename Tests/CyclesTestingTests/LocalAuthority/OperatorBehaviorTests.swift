import Cycles
import CyclesTesting
import Testing

/// The differences between deployed servers and the specification in what operators do.
@Suite struct OperatorBehaviorTests {
    private static let scope = "tenant:acme"

    /// A tenant of 100 that was charged less than asked for; 40 are held.
    private func capped(_ behavior: Behavior) throws -> (bench: Bench, held: String) {
        let bench = Bench(behavior, budget: 100)
        let held = try bench.hold("h", 40)
        _ = try bench.event("e", 70)
        try #require(bench.balance().isOverLimit)
        return (bench, held)
    }

    @Test(arguments: Behavior.allCases)
    func aCappedScopeStaysOverItsLimitWhenMoneyReturns(_ behavior: Behavior) throws {
        let (bench, held) = try capped(behavior)
        _ = try bench.release(held, "x")
        #expect(try bench.figures() == [40, 0, 60, 0])
        #expect(try bench.balance().isOverLimit)
        #expect(try bench.reserve("r", 1).error == "OVERDRAFT_LIMIT_EXCEEDED")
    }

    @Test(arguments: Behavior.allCases, [LocalAuthority.BudgetStatus.frozen, .active])
    func theStatusOfABudgetLeavesTheScopeOverItsLimit(
        _ behavior: Behavior,
        _ status: LocalAuthority.BudgetStatus
    ) throws {
        let (bench, held) = try capped(behavior)
        _ = try bench.release(held, "x")
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), status: status)
        #expect(try bench.balance().isOverLimit)
    }

    /// By the specification the flag follows the debt; a deployed server looks at the debt when it is funded.
    @Test(arguments: Behavior.allCases)
    func aLimitBelowTheDebtIsNoticed(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        func setLimit(_ limit: Int64) {
            bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: limit)
        }
        setLimit(50)
        _ = try bench.event("e", 40, policy: "ALLOW_WITH_OVERDRAFT")
        setLimit(30)
        #expect(try bench.balance().isOverLimit == (behavior == .specification))
        bench.authority.fund(scope: "tenant:acme", .tokens(0))
        #expect(try bench.balance().isOverLimit)
        setLimit(50)
        #expect(try bench.balance().isOverLimit == (behavior == .deployed))
    }

    @Test(arguments: Behavior.allCases)
    func aRepaymentThatReachesTheLimitIsEnough(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50)
        _ = try bench.event("e", 40, policy: "ALLOW_WITH_OVERDRAFT")
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 30)
        bench.authority.repayDebt(scope: "tenant:acme", .tokens(9))
        #expect(try bench.balance().isOverLimit)
        bench.authority.repayDebt(scope: "tenant:acme", .tokens(1))
        #expect(try bench.figures() == [-30, 0, 0, 30])
        #expect(try !bench.balance().isOverLimit)
    }

    @Test(arguments: Behavior.allCases, [LocalAuthority.BudgetStatus.frozen, .closed])
    func deployedServersFundActiveBudgetsOnly(
        _ behavior: Behavior,
        _ status: LocalAuthority.BudgetStatus
    ) throws {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50)
        _ = try bench.event("e", 40, policy: "ALLOW_WITH_OVERDRAFT")
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50, status: status)
        let isFunded = behavior == .specification
        #expect(bench.authority.repayDebt(scope: "tenant:acme", .tokens(10)) == isFunded)
        #expect(try bench.figures() == (isFunded ? [-30, 0, 0, 30] : [-40, 0, 0, 40]))
        #expect(bench.authority.fund(scope: "tenant:acme", .tokens(30)) == isFunded)
        #expect(try bench.figures() == (isFunded ? [0, 0, 0, 0] : [-40, 0, 0, 40]))
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), overdraftLimit: 50)
        #expect(bench.authority.fund(scope: "tenant:acme", .tokens(1)))
    }

    // MARK: Defaults of tenants

    @Test(arguments: Behavior.allCases)
    func aTenantHasItsDefaults(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: 100)
        bench.authority.setTenant(
            "acme",
            status: .active,
            defaultTimeToLive: .seconds(5),
            defaultOveragePolicy: .reject,
            maxExtensions: 1
        )
        let reply = try bench.reserve("r", 10)
        #expect(reply.json["remaining_ttl_ms"] == 5_000)
        let id = try #require(reply.json["reservation_id"]?.string)
        #expect(try bench.reserve("s", 10, extra: ["ttl_ms": 7_000]).json["remaining_ttl_ms"] == 7_000)
        #expect(try bench.extend(id, "e", 1_000).status == 200)
        #expect(try bench.extend(id, "f", 1_000).error == "MAX_EXTENSIONS_EXCEEDED")
        #expect(try bench.commit(id, "c", 11).error == "BUDGET_EXCEEDED")
        #expect(try bench.event("v", 101).error == "BUDGET_EXCEEDED")
        #expect(try bench.event("v", 101, policy: "ALLOW_IF_AVAILABLE").status == 201)
    }

    @Test func theNumberOfExtensionsIsThatOfTheCreation() throws {
        let bench = Bench()
        let id = try bench.hold("r", 10)
        bench.authority.setTenant("acme", maxExtensions: 0)
        #expect(try bench.extend(id, "e", 1_000).status == 200)
        #expect(try bench.extend(bench.hold("s", 10), "e", 1_000).error == "MAX_EXTENSIONS_EXCEEDED")
    }

    @Test func aParameterThatIsLeftOutChangesNothing() throws {
        let bench = Bench()
        bench.authority.setTenant("acme", defaultTimeToLive: .seconds(5))
        bench.authority.setTenant("acme", status: .suspended)
        bench.authority.setTenant("acme", maxExtensions: 2)
        #expect(try bench.reserve("r", 10).status == 401)
        bench.authority.setTenant("acme", status: .active)
        #expect(try bench.reserve("r", 10).json["remaining_ttl_ms"] == 5_000)
    }

    @Test(arguments: Behavior.allCases)
    func theLongestTimeToLiveCutsATenantsDefault(_ behavior: Behavior) throws {
        let bench = Bench(options: .init(behavior: behavior, maxTimeToLive: .seconds(3)))
        bench.authority.setTenant("acme", defaultTimeToLive: .seconds(5))
        #expect(try bench.reserve("r", 10).json["remaining_ttl_ms"] == 3_000)
    }
}
