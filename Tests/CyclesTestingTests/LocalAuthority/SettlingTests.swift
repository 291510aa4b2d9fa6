import Cycles
import CyclesTesting
import Testing

@Suite struct OverageTests {
    private static let subject: JSONValue = ["tenant": "acme", "agent": "bot"]
    private static let leaf = "tenant:acme/agent:bot"

    /// A tenant and an agent with a budget each, and a hold of 100 on both.
    private func bench(
        _ policy: String?,
        _ behavior: Behavior = .deployed,
        tenant: Int64 = 1_000,
        tenantLimit: Int64 = 0,
        agent: Int64 = 150,
        agentLimit: Int64 = 0
    ) throws -> (bench: Bench, id: String) {
        let bench = Bench(behavior, budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(tenant), overdraftLimit: tenantLimit)
        bench.authority.setBudget(scope: OverageTests.leaf, allocated: .tokens(agent), overdraftLimit: agentLimit)
        let extra: [String: JSONValue] = policy.map { ["overage_policy": .string($0)] } ?? [:]
        return (bench, try bench.hold("r", 100, subject: OverageTests.subject, extra: extra))
    }

    @Test func rejectRefusesAnyExcess() throws {
        let (bench, id) = try bench("REJECT")
        let reply = try bench.commit(id, "c", 101)
        #expect(reply.status == 409)
        #expect(reply.error == "BUDGET_EXCEEDED")
        #expect(try bench.figures() == [900, 100, 0, 0])
        // Refused is not settled: the same key may be used again.
        #expect(try bench.commit(id, "c", 100).status == 200)
    }

    @Test func whatIsAvailableIsCharged() throws {
        for policy in [nil, "ALLOW_IF_AVAILABLE"] {
            let (bench, id) = try bench(policy)
            let reply = try bench.commit(id, "c", 150)
            #expect(reply.json["charged"]?.amount == 150)
            #expect(reply.json["released"] == nil)
            #expect(try bench.figures() == [850, 0, 150, 0])
            #expect(try bench.figures(OverageTests.leaf) == [0, 0, 150, 0])
            #expect(try !bench.balance(OverageTests.leaf).isOverLimit)
        }
    }

    @Test func theChargeIsCappedAtTheLeastThatRemains() throws {
        let (bench, id) = try bench("ALLOW_IF_AVAILABLE", tenant: 1_000, agent: 130)
        let reply = try bench.commit(id, "c", 200)
        #expect(reply.status == 200)
        #expect(reply.json["charged"]?.amount == 130)
        #expect(try bench.figures() == [870, 0, 130, 0])
        #expect(try bench.figures(OverageTests.leaf) == [0, 0, 130, 0])
        // Only the scope that fell short is over its limit.
        #expect(try bench.balance(OverageTests.leaf).isOverLimit)
        #expect(try !bench.balance().isOverLimit)
        #expect(try bench.reserve("s", 0, subject: OverageTests.subject).error == "OVERDRAFT_LIMIT_EXCEEDED")
        #expect(try bench.reserve("s", 0).status == 200)
    }

    @Test func nothingBeyondTheEstimateIsChargedWhereTheBudgetIsOverdrawn() throws {
        let (bench, id) = try bench("ALLOW_IF_AVAILABLE", tenant: 1_000, agent: 250, agentLimit: 500)
        let overdrawing = try bench.hold(
            "o",
            150,
            subject: OverageTests.subject,
            extra: ["overage_policy": "ALLOW_WITH_OVERDRAFT"]
        )
        #expect(try bench.commit(overdrawing, "oc", 200).status == 200)
        #expect(try bench.figures(OverageTests.leaf) == [-50, 100, 150, 50])
        #expect(try bench.commit(id, "c", 101).json["charged"]?.amount == 100)
    }

    /// Debt is taken on only where the excess is not covered.
    @Test(
        arguments: [
            (.deployed, 170, [-50, 0, 120, 50]), (.specification, 150, [-30, 0, 100, 50]),
        ] as [(Behavior, Int64, [Int64])]
    )
    func overdraftIsTakenUpToTheLimit(_ behavior: Behavior, _ amount: Int64, _ figures: [Int64]) throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", behavior, agent: 120, agentLimit: 50)
        let refused = try bench.commit(id, "c", amount + 1)
        #expect(refused.status == 409)
        #expect(refused.error == "OVERDRAFT_LIMIT_EXCEEDED")
        #expect(try bench.figures() == [900, 100, 0, 0])
        let reply = try bench.commit(id, "c", amount)
        #expect(reply.json["charged"]?.amount == amount)
        #expect(try bench.figures(OverageTests.leaf) == figures)
        #expect(try bench.figures() == [1_000 - amount, 0, amount, 0])
        #expect(try !bench.balance(OverageTests.leaf).isOverLimit)
    }

    @Test func debtThatIsThereCountsTowardsTheLimit() throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", agent: 200, agentLimit: 50)
        let other = try bench.hold(
            "o",
            100,
            subject: OverageTests.subject,
            extra: ["overage_policy": "ALLOW_WITH_OVERDRAFT"]
        )
        #expect(try bench.commit(other, "oc", 130).status == 200)
        #expect(try bench.commit(id, "c", 121).error == "OVERDRAFT_LIMIT_EXCEEDED")
        #expect(try bench.commit(id, "c", 120).status == 200)
        #expect(try bench.figures(OverageTests.leaf) == [-50, 0, 200, 50])
    }

    @Test func overdraftThatIsCoveredIsNoDebt() throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", agentLimit: 50)
        #expect(try bench.commit(id, "c", 150).json["charged"]?.amount == 150)
        #expect(try bench.figures(OverageTests.leaf) == [0, 0, 150, 0])
    }

    @Test func overdraftWithoutALimitChargesWhatIsAvailable() throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", tenantLimit: 500, agent: 120)
        let reply = try bench.commit(id, "c", 200)
        #expect(reply.status == 200)
        #expect(reply.json["charged"]?.amount == 120)
        #expect(try bench.figures(OverageTests.leaf) == [0, 0, 120, 0])
        #expect(try bench.balance(OverageTests.leaf).isOverLimit)
    }

    @Test func fundingRepaysDebtFirst() throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", .specification, agent: 100, agentLimit: 50)
        _ = try bench.commit(id, "c", 140)
        #expect(try bench.figures(OverageTests.leaf) == [-40, 0, 100, 40])
        bench.authority.fund(scope: OverageTests.leaf, .tokens(30))
        #expect(try bench.figures(OverageTests.leaf) == [-10, 0, 100, 10])
        #expect(try bench.balance(OverageTests.leaf).allocated == .tokens(100))
        bench.authority.fund(scope: OverageTests.leaf, .tokens(30))
        #expect(try bench.figures(OverageTests.leaf) == [20, 0, 100, 0])
        #expect(try bench.balance(OverageTests.leaf).allocated == .tokens(120))
    }

    @Test func fundingLeavesDebtToItsRepayment() throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", agent: 100, agentLimit: 50)
        _ = try bench.commit(id, "c", 140)
        #expect(try bench.figures(OverageTests.leaf) == [-40, 0, 100, 40])
        bench.authority.fund(scope: OverageTests.leaf, .tokens(30))
        #expect(try bench.figures(OverageTests.leaf) == [-10, 0, 100, 40])
        #expect(try bench.balance(OverageTests.leaf).allocated == .tokens(130))
    }

    @Test(arguments: Behavior.allCases)
    func aRepaymentBeyondTheDebtIsAllocated(_ behavior: Behavior) throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", behavior, agent: 100, agentLimit: 50)
        _ = try bench.commit(id, "c", 140)
        bench.authority.repayDebt(scope: OverageTests.leaf, .tokens(30))
        #expect(try bench.figures(OverageTests.leaf) == [-10, 0, 100, 10])
        bench.authority.repayDebt(scope: OverageTests.leaf, .tokens(30))
        #expect(try bench.figures(OverageTests.leaf) == [20, 0, 100, 0])
        #expect(try bench.balance(OverageTests.leaf).allocated == .tokens(120))
    }

    /// An operator who gives nothing changes nothing by the specification; deployed servers look at the debt alone.
    @Test(arguments: [(.deployed, false), (.specification, true)] as [(Behavior, Bool)])
    func fundingReconcilesAScopeOverItsLimit(_ behavior: Behavior, _ staysWithoutMoney: Bool) throws {
        let (bench, id) = try bench(nil, behavior, agent: 100)
        _ = try bench.commit(id, "c", 140)
        #expect(try bench.balance(OverageTests.leaf).isOverLimit)
        bench.authority.fund(scope: OverageTests.leaf, .tokens(0))
        #expect(try bench.balance(OverageTests.leaf).isOverLimit == staysWithoutMoney)
        bench.authority.fund(scope: OverageTests.leaf, .tokens(1))
        #expect(try !bench.balance(OverageTests.leaf).isOverLimit)
        #expect(try bench.reserve("s", 1, subject: OverageTests.subject).status == 200)
    }

    /// However little remains: the debt decides.
    @Test(arguments: Behavior.allCases, [99, 200] as [Int64])
    func aScopeStaysOverItsLimitUntilTheDebtIsWithinIt(_ behavior: Behavior, _ allocated: Int64) throws {
        let (bench, id) = try bench("ALLOW_WITH_OVERDRAFT", behavior, agent: 100, agentLimit: 50)
        _ = try bench.commit(id, "c", 140)
        bench.authority.setBudget(scope: OverageTests.leaf, allocated: .tokens(allocated), overdraftLimit: 20)
        #expect(try bench.balance(OverageTests.leaf).isOverLimit)
        bench.authority.repayDebt(scope: OverageTests.leaf, .tokens(19))
        #expect(try bench.balance(OverageTests.leaf).isOverLimit)
        bench.authority.repayDebt(scope: OverageTests.leaf, .tokens(1))
        #expect(try !bench.balance(OverageTests.leaf).isOverLimit)
    }
}

@Suite struct SettlementTests {
    @Test(arguments: Behavior.allCases)
    func anotherUnitIsAMismatch(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let id = try bench.hold("r", 10)
        let reply = try bench.commit(id, "c", 5, unit: "CREDITS")
        #expect(reply.status == 400)
        #expect(reply.error == "UNIT_MISMATCH")
        let details: JSONValue = ["scope": "tenant:acme", "requested_unit": "CREDITS", "expected_units": ["TOKENS"]]
        #expect(reply.json["details"] == (behavior == .specification ? details : JSONValue?.none))
        #expect(try bench.commit(id, "c", 5).status == 200)
    }

    @Test func theFinalStatusStays() throws {
        let bench = Bench()
        let committed = try bench.hold("r", 10)
        let released = try bench.hold("s", 10)
        _ = try bench.commit(committed, "c", 10)
        _ = try bench.release(released, "x")
        for id in [committed, released] {
            for reply in [
                try bench.commit(id, "c2", 1), try bench.release(id, "x2"), try bench.extend(id, "e2", 1_000),
            ] {
                #expect(reply.status == 409)
                #expect(reply.error == "RESERVATION_FINALIZED")
            }
        }
        // However long ago it was.
        bench.clock.advance(by: .seconds(600))
        #expect(try bench.commit(committed, "c2", 1).error == "RESERVATION_FINALIZED")
    }

    @Test func whatNeverExistedIsNotFound() throws {
        let bench = Bench()
        for reply in [
            try bench.commit("rsv_x", "c", 1), try bench.release("rsv_x", "x"), try bench.extend("rsv_x", "e", 1),
            try bench.get("/v1/reservations/rsv_x"),
        ] {
            #expect(reply.status == 404)
            #expect(reply.error == "NOT_FOUND")
        }
    }

    @Test func graceIsForCommitAndReleaseOnly() throws {
        let bench = Bench()
        let ids = try (0..<3).map { try bench.hold("r\($0)", 10, extra: ["ttl_ms": 1_000, "grace_period_ms": 500]) }
        bench.clock.advance(by: .milliseconds(1_000))
        #expect(try bench.extend(ids[2], "e", 1).status == 200)
        bench.clock.advance(by: .milliseconds(2))
        let extended = try bench.extend(ids[2], "e2", 1)
        #expect(extended.status == 410)
        #expect(extended.error == "RESERVATION_EXPIRED")
        bench.clock.advance(by: .milliseconds(498))
        #expect(try bench.get("/v1/reservations/\(ids[0])").json["status"] == "ACTIVE")
        #expect(try bench.commit(ids[0], "c", 10).status == 200)
        #expect(try bench.release(ids[1], "x").status == 200)
        bench.clock.advance(by: .milliseconds(2))
        for reply in [try bench.commit(ids[2], "c", 10), try bench.release(ids[2], "x")] {
            #expect(reply.status == 410)
            #expect(reply.error == "RESERVATION_EXPIRED")
        }
    }

    @Test func graceIsFiveSecondsUnlessSaid() throws {
        let bench = Bench()
        let first = try bench.hold("r", 10)
        let second = try bench.hold("s", 10)
        bench.clock.advance(by: .milliseconds(65_000))
        #expect(try bench.commit(first, "c", 10).status == 200)
        bench.clock.advance(by: .milliseconds(1))
        #expect(try bench.commit(second, "c", 10).status == 410)
    }

    @Test func expiryGivesTheHoldBack() throws {
        let bench = Bench()
        let id = try bench.hold("r", 300, extra: ["ttl_ms": 1_000, "grace_period_ms": 500])
        bench.clock.advance(by: .milliseconds(1_500))
        #expect(try bench.figures() == [700, 300, 0, 0])
        bench.clock.advance(by: .milliseconds(1))
        #expect(try bench.figures() == [1_000, 0, 0, 0])
        #expect(bench.authority.activeReservations.isEmpty)
        let read = try bench.get("/v1/reservations/\(id)")
        #expect(read.status == 410)
        #expect(read.error == "RESERVATION_EXPIRED")
        let listed = try bench.get("/v1/reservations?status=EXPIRED").json["reservations"]
        #expect(listed?[0]?["reservation_id"] == .string(id))
        #expect(listed?[0]?["status"] == "EXPIRED")
        #expect(listed?[0]?["finalized_at_ms"] == nil)
    }

    @Test func eachReservationExpiresInItsTime() throws {
        let bench = Bench()
        let short = try bench.hold("r", 10, extra: ["ttl_ms": 1_000, "grace_period_ms": 0])
        let long = try bench.hold("s", 20, extra: ["ttl_ms": 3_000, "grace_period_ms": 0])
        let longest = try bench.hold("t", 40, extra: ["ttl_ms": 2_000, "grace_period_ms": 0])
        _ = try bench.extend(longest, "e", 5_000)
        bench.clock.advance(by: .milliseconds(1_001))
        #expect(bench.authority.activeReservations == [ReservationID(long), ReservationID(longest)])
        bench.clock.advance(by: .milliseconds(2_000))
        #expect(bench.authority.activeReservations == [ReservationID(longest)])
        bench.clock.advance(by: .milliseconds(4_000))
        #expect(bench.authority.activeReservations.isEmpty)
        #expect(try bench.commit(short, "c", 1).status == 410)
    }

    @Test func frozenAndClosedBudgetsSettleWhatTheyGave() throws {
        for (status, behavior) in [
            (LocalAuthority.BudgetStatus.frozen, Behavior.deployed), (.closed, .deployed), (.frozen, .specification),
            (.closed, .specification),
        ] {
            let bench = Bench(behavior)
            let ids = try (0..<2).map { try bench.hold("r\($0)", 10) }
            bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000), status: status)
            #expect(try bench.extend(ids[0], "e", 1_000).status == 200)
            #expect(try bench.commit(ids[0], "c", 12).status == 200)
            #expect(try bench.release(ids[1], "x").status == 200)
            #expect(try bench.figures() == [988, 0, 12, 0])
        }
    }

    @Test func theDetailTellsTheWholeStory() throws {
        let bench = Bench()
        let subject: JSONValue = ["tenant": "acme", "agent": "bot", "dimensions": ["team": "x"]]
        let id = try bench.hold("r", 100, subject: subject, extra: ["metadata": ["a": [1.5, nil]]])
        let created = bench.clock.nowMilliseconds
        var detail = try bench.get("/v1/reservations/\(id)").json
        #expect(detail["status"] == "ACTIVE")
        #expect(detail["idempotency_key"] == "r")
        #expect(detail["subject"] == subject)
        #expect(detail["action"] == ["kind": "llm.completion", "name": "model"])
        #expect(detail["reserved"]?.amount == 100)
        #expect(detail["created_at_ms"]?.int64 == created)
        #expect(detail["expires_at_ms"]?.int64 == created + 60_000)
        #expect(detail["scope_path"] == "tenant:acme/agent:bot")
        #expect(detail["affected_scopes"] == ["tenant:acme", "tenant:acme/agent:bot"])
        #expect(detail["metadata"] == ["a": [1.5, nil]])
        #expect(detail["finalized_at_ms"] == nil)
        #expect(detail["committed"] == nil)
        bench.clock.advance(by: .milliseconds(7))
        _ = try bench.post(
            "/v1/reservations/\(id)/commit",
            [
                "idempotency_key": "c", "actual": ["unit": "TOKENS", "amount": 40],
                "metrics": ["tokens_input": 1, "model_version": "v", "custom": ["x": 1]], "metadata": ["b": 2],
            ]
        )
        detail = try bench.get("/v1/reservations/\(id)").json
        #expect(detail["status"] == "COMMITTED")
        #expect(detail["committed"] == ["unit": "TOKENS", "amount": 40])
        #expect(detail["finalized_at_ms"]?.int64 == created + 7)
        #expect(detail["committed_metadata"] == ["b": 2])
        #expect(detail["evidence"] == nil)
    }
}

@Suite struct ExtensionTests {
    @Test func anExtensionIsRelativeToTheExpiry() throws {
        let bench = Bench()
        let id = try bench.hold("r", 10, extra: ["ttl_ms": 10_000])
        let start = bench.clock.nowMilliseconds
        bench.clock.advance(by: .seconds(4))
        let reply = try bench.extend(id, "e", 5_000)
        #expect(reply.status == 200)
        #expect(reply.json["status"] == "ACTIVE")
        #expect(reply.json["expires_at_ms"]?.int64 == start + 15_000)
        #expect(reply.json["remaining_ttl_ms"] == 11_000)
        #expect(try bench.figures() == [990, 10, 0, 0])
    }

    @Test func extensionsAreLimited() throws {
        let bench = Bench(options: .init(maxExtensions: 2))
        let id = try bench.hold("r", 10)
        #expect(try bench.extend(id, "e1", 1_000).status == 200)
        #expect(try bench.extend(id, "e2", 1_000).status == 200)
        // A replay is no extension.
        #expect(try bench.extend(id, "e2", 1_000).status == 200)
        let reply = try bench.extend(id, "e3", 1_000)
        #expect(reply.status == 409)
        #expect(reply.error == "MAX_EXTENSIONS_EXCEEDED")
        #expect(try Bench().extendTimes(10) == 200)
        #expect(try Bench().extendTimes(11) == 409)
    }

    @Test(arguments: [(.deployed, [65_000, 67_000]), (.specification, [10_000, 12_000])] as [(Behavior, [Int64])])
    func leasesAreCutToTheLongestTimeToLive(_ behavior: Behavior, _ extended: [Int64]) throws {
        let bench = Bench(options: .init(behavior: behavior, maxTimeToLive: .seconds(5)))
        let reply = try bench.reserve("r", 10, extra: ["ttl_ms": 60_000])
        #expect(reply.json["remaining_ttl_ms"] == 5_000)
        let id = try #require(reply.json["reservation_id"]?.string)
        #expect(try bench.extend(id, "e", 60_000).json["remaining_ttl_ms"]?.int64 == extended[0])
        #expect(try bench.extend(id, "f", 2_000).json["remaining_ttl_ms"]?.int64 == extended[1])
    }

    @Test(arguments: Behavior.allCases)
    func leasesAreCutToTheLongestLead(_ behavior: Behavior) throws {
        let bench = Bench(options: .init(behavior: behavior, maxLead: .seconds(20)))
        let reply = try bench.reserve("r", 10, extra: ["ttl_ms": 60_000])
        #expect(reply.json["remaining_ttl_ms"] == 20_000)
        let id = try #require(reply.json["reservation_id"]?.string)
        bench.clock.advance(by: .seconds(3))
        #expect(try bench.extend(id, "e", 60_000).json["remaining_ttl_ms"] == 20_000)
        #expect(try bench.extend(id, "f", 60_000).json["remaining_ttl_ms"] == 20_000)
        bench.clock.advance(by: .seconds(10))
        #expect(try bench.extend(id, "g", 4_000).json["remaining_ttl_ms"] == 14_000)
    }

    @Test(arguments: Behavior.allCases)
    func anHourIsTheLongestLeaseUnlessSaid(_ behavior: Behavior) throws {
        #expect(
            try Bench(behavior).reserve("r", 1, extra: ["ttl_ms": 86_400_000]).json["remaining_ttl_ms"] == 3_600_000
        )
    }

    @Test func olderServersDoNotTellWhatRemains() throws {
        let bench = Bench(options: .init(emitsRemainingTimeToLive: false))
        let reply = try bench.reserve("r", 10)
        #expect(reply.json["remaining_ttl_ms"] == nil)
        let id = try #require(reply.json["reservation_id"]?.string)
        #expect(try bench.extend(id, "e", 1_000).json["remaining_ttl_ms"] == nil)
        #expect(try bench.reserve("r", 10).json["remaining_ttl_ms"] == nil)
    }
}

extension Bench {
    /// The status of the last of so many extensions.
    fileprivate func extendTimes(_ count: Int) throws -> Int {
        let id = try hold("r", 1)
        var status = 0
        for number in 0..<count { status = try extend(id, "e\(number)", 1_000).status }
        return status
    }
}

@Suite struct EventTests {
    private static let subject: JSONValue = ["tenant": "acme", "agent": "bot"]
    private static let leaf = "tenant:acme/agent:bot"

    private func bench(_ behavior: Behavior = .deployed, agent: Int64, agentLimit: Int64 = 0) -> Bench {
        let bench = Bench(behavior)
        bench.authority.setBudget(scope: EventTests.leaf, allocated: .tokens(agent), overdraftLimit: agentLimit)
        return bench
    }

    @Test func anEventIsChargedOnEveryScope() throws {
        let bench = bench(agent: 100)
        let reply = try bench.event("e", 40, subject: EventTests.subject)
        #expect(reply.status == 201)
        #expect(reply.json["status"] == "APPLIED")
        #expect(reply.json["event_id"]?.string?.isEmpty == false)
        #expect(reply.json["charged"] == nil)
        #expect(reply.scopes == ["tenant:acme", EventTests.leaf])
        #expect(try bench.figures() == [960, 0, 40, 0])
        #expect(try bench.figures(EventTests.leaf) == [60, 0, 40, 0])
    }

    @Test func rejectNeedsTheWholeAmount() throws {
        let bench = bench(agent: 100)
        let reply = try bench.event("e", 101, subject: EventTests.subject, policy: "REJECT")
        #expect(reply.status == 409)
        #expect(reply.error == "BUDGET_EXCEEDED")
        #expect(try bench.figures() == [1_000, 0, 0, 0])
        #expect(try bench.event("e", 100, subject: EventTests.subject, policy: "REJECT").status == 201)
    }

    @Test func theChargeIsCappedByDefault() throws {
        let bench = bench(agent: 100)
        let reply = try bench.event("e", 130, subject: EventTests.subject)
        #expect(reply.status == 201)
        #expect(reply.json["charged"] == ["unit": "TOKENS", "amount": 100])
        #expect(try bench.figures() == [900, 0, 100, 0])
        #expect(try bench.balance(EventTests.leaf).isOverLimit)
        #expect(try !bench.balance().isOverLimit)
        // Never refused, even where nothing is left.
        let next = try bench.event("f", 5, subject: EventTests.subject, policy: "ALLOW_IF_AVAILABLE")
        #expect(next.status == 201)
        #expect(next.json["charged"]?.amount == 0)
    }

    @Test(
        arguments: [
            (.deployed, 230, [-130, 0, 100, 130]), (.specification, 130, [-30, 0, 0, 130]),
        ] as [(Behavior, Int64, [Int64])]
    )
    func overdraftTakesOnDebt(_ behavior: Behavior, _ amount: Int64, _ figures: [Int64]) throws {
        let bench = bench(behavior, agent: 100, agentLimit: 130)
        #expect(
            try bench.event("e", amount + 1, subject: EventTests.subject, policy: "ALLOW_WITH_OVERDRAFT").error
                == "OVERDRAFT_LIMIT_EXCEEDED"
        )
        let reply = try bench.event("e", amount, subject: EventTests.subject, policy: "ALLOW_WITH_OVERDRAFT")
        #expect(reply.status == 201)
        #expect(reply.json["charged"] == nil)
        #expect(try bench.figures(EventTests.leaf) == figures)
        #expect(try bench.figures() == [1_000 - amount, 0, amount, 0])
    }

    @Test func overdraftWithoutALimitIsCapped() throws {
        let bench = bench(agent: 100)
        let reply = try bench.event("e", 130, subject: EventTests.subject, policy: "ALLOW_WITH_OVERDRAFT")
        #expect(reply.json["charged"]?.amount == 100)
    }

    @Test func frozenAndClosedBudgetsTakeNoEvents() throws {
        let bench = bench(agent: 100)
        bench.authority.setBudget(scope: EventTests.leaf, allocated: .tokens(100), status: .frozen)
        #expect(try bench.event("e", 1, subject: EventTests.subject).error == "BUDGET_FROZEN")
        bench.authority.setBudget(scope: EventTests.leaf, allocated: .tokens(100), status: .closed)
        #expect(try bench.event("e", 1, subject: EventTests.subject).error == "BUDGET_CLOSED")
        #expect(try bench.figures() == [1_000, 0, 0, 0])
    }

    @Test func anExpiredCommitCanBeRecordedAsAnEvent() throws {
        let bench = Bench()
        let id = try bench.hold("r", 100)
        bench.clock.advance(by: .seconds(100))
        #expect(try bench.commit(id, "c", 70).status == 410)
        #expect(try bench.event("c", 70).status == 201)
        #expect(try bench.event("c", 70).status == 201)
        #expect(try bench.figures() == [930, 0, 70, 0])
    }
}
