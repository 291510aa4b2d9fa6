import Cycles
import CyclesTesting
import Testing

/// Numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// Thousands of operations in a random order, with books of the test's own beside those of the authority.
@Suite struct LedgerSimulationTests {
    private static let scopes = [
        "tenant:acme", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:a", "tenant:acme/agent:b",
    ]
    private static let subjects: [JSONValue] = [
        ["tenant": "acme"], ["tenant": "acme", "workspace": "w"], ["tenant": "acme", "workspace": "w", "agent": "a"],
        ["tenant": "acme", "agent": "b"], ["tenant": "acme", "workspace": "w", "toolset": "t"],
    ]

    @Test(arguments: Behavior.allCases, [1, 2, 3, 4] as [UInt64])
    func theBooksAlwaysBalance(_ behavior: Behavior, _ seed: UInt64) throws {
        var world = World(behavior, seed: seed)
        for step in 0..<1_500 {
            try world.step()
            try world.check("seed \(seed), step \(step)")
        }
        try world.settle()
    }

    private struct World {
        let options: LocalAuthority.Options
        var random: SeededGenerator
        var bench: Bench
        var number = 0
        /// Spent and owed, by scope, as the answers told it.
        var consumed: [String: Int64] = [:]
        var known: [String] = []
        var last: (path: String, body: JSONValue, reply: Reply)?

        init(_ behavior: Behavior, seed: UInt64) {
            options = LocalAuthority.Options(behavior: behavior, maxExtensions: 3)
            random = SeededGenerator(state: seed)
            bench = Bench(options: options, budget: 20_000)
            bench.authority.setBudget(scope: scopes[1], allocated: .tokens(9_000), overdraftLimit: 300)
            bench.authority.setBudget(scope: scopes[2], allocated: .tokens(5_000))
            bench.authority.setBudget(scope: scopes[3], allocated: .tokens(4_000), overdraftLimit: 1_000)
        }

        mutating func pick(_ upper: Int64) -> Int64 { Int64.random(in: 0...upper, using: &random) }

        mutating func key() -> String {
            number += 1
            return "key \(number)"
        }

        mutating func step() throws {
            switch pick(15) {
            case 0...3: try reserve()
            case 4...6: try commit()
            case 7: try onSomeReservation("release", [:])
            case 8: try onSomeReservation("extend", ["extend_by_ms": .number(JSONNumber(1 + pick(20_000)))])
            case 9, 10: try event()
            case 11: bench.clock.advance(by: .milliseconds(pick(9_000)))
            case 12: try replay()
            case 13: try operate()
            case 14: if pick(10) == 0 { try restart() }
            default: _ = try send("/v1/decide", evaluation())
            }
        }

        mutating func evaluation() -> JSONValue {
            Bench.reserveBody(
                key: key(),
                pick(400),
                subject: subjects.randomElement(using: &random) ?? ["tenant": "acme"]
            )
        }

        mutating func policy() -> JSONValue {
            ["REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"].randomElement(using: &random) ?? nil
        }

        mutating func reserve() throws {
            let body = evaluation().adding("overage_policy", policy())
                .adding("ttl_ms", .number(JSONNumber(1_000 + pick(30_000))))
                .adding("grace_period_ms", .number(JSONNumber(pick(5_000))))
                .adding("dry_run", .bool(pick(9) == 0))
            let reply = try send("/v1/reservations", body)
            if let id = reply.json["reservation_id"]?.string { known.append(id) }
        }

        mutating func commit() throws {
            guard let id = known.randomElement(using: &random) else { return }
            let wasActive = bench.authority.activeReservations.contains(ReservationID(id))
            let actual: JSONValue = ["unit": "TOKENS", "amount": .number(JSONNumber(pick(600)))]
            let reply = try send(
                "/v1/reservations/\(id)/commit",
                ["idempotency_key": .string(key()), "actual": actual]
            )
            if reply.status == 200 {
                #expect(wasActive)
                try consume(reply, amount: reply.json["charged"]?.amount)
            }
        }

        mutating func event() throws {
            let amount = pick(300)
            let body: JSONValue = [
                "idempotency_key": .string(key()), "subject": subjects.randomElement(using: &random) ?? nil,
                "action": ["kind": "k", "name": "n"], "overage_policy": policy(),
                "actual": ["unit": "TOKENS", "amount": .number(JSONNumber(amount))],
            ]
            let reply = try send("/v1/events", body)
            if reply.status == 201 { try consume(reply, amount: reply.json["charged"]?.amount ?? amount) }
        }

        mutating func consume(_ reply: Reply, amount: Int64?) throws {
            let amount = try #require(amount)
            for scope in reply.scopes { consumed[scope, default: 0] += amount }
        }

        mutating func onSomeReservation(_ operation: String, _ body: JSONValue) throws {
            guard let id = known.randomElement(using: &random) else { return }
            _ = try send("/v1/reservations/\(id)/\(operation)", body.adding("idempotency_key", .string(key())))
        }

        /// Whatever succeeded last is sent again, and changes nothing.
        mutating func replay() throws {
            guard let last, last.reply.status < 300 else { return }
            let before = bench.authority.balances()
            let again = try bench.post(last.path, last.body)
            #expect(again.status == last.reply.status)
            #expect(again.json.adding("remaining_ttl_ms", 0) == last.reply.json.adding("remaining_ttl_ms", 0))
            #expect(bench.authority.balances() == before)
        }

        mutating func operate() throws {
            let scope = scopes.randomElement(using: &random) ?? scopes[0]
            let debt = try bench.balance(scope).debt?.amount ?? 0
            let amount = Amount.tokens(pick(500))
            let isFunding = pick(1) == 0
            if isFunding {
                bench.authority.fund(scope: scope, amount)
            } else {
                bench.authority.repayDebt(scope: scope, amount)
            }
            if isFunding && options.behavior == .deployed { return }
            consumed[scope, default: 0] -= min(debt, amount.amount)
        }

        mutating func restart() throws {
            bench = try Bench(restoring: bench.authority.snapshot(), options: options, clock: bench.clock)
            bench.authority.addAPIKey("acme-key", tenant: "acme")
        }

        mutating func send(_ path: String, _ body: JSONValue) throws -> Reply {
            let reply = try bench.post(path, body)
            #expect([200, 201, 409, 410].contains(reply.status), "\(path): \(reply.json)")
            last = (path, body, reply)
            return reply
        }

        func check(_ comment: String) throws {
            var held: [String: Int64] = [:]
            var cursor = ""
            repeat {
                let page = try bench.get("/v1/reservations?status=ACTIVE&limit=200" + cursor).json
                for row in page["reservations"]?.array ?? [] {
                    for scope in row["affected_scopes"]?.array ?? [] {
                        held[scope.string ?? "", default: 0] += row["reserved"]?.amount ?? 0
                    }
                }
                cursor = (page["next_cursor"]?.string).map { "&cursor=" + $0 } ?? ""
            } while !cursor.isEmpty
            for balance in bench.authority.balances() {
                let figures = [balance.allocated, balance.spent, balance.reserved, balance.debt].map {
                    $0?.amount ?? 0
                }
                let message: Comment = "\(comment): \(balance)"
                #expect(balance.remaining.amount == figures[0] - figures[1] - figures[2] - figures[3], message)
                #expect(figures.allSatisfy { $0 >= 0 }, message)
                #expect(figures[2] == held[balance.scopePath, default: 0], message)
                #expect(figures[1] + figures[3] == consumed[balance.scopePath, default: 0], message)
                #expect(figures[3] <= balance.overdraftLimit?.amount ?? 0, message)
                #expect(balance.remaining.amount >= -figures[3], message)
            }
        }

        mutating func settle() throws {
            #expect(known.count > 100)
            for id in bench.authority.activeReservations.prefix(5) {
                _ = try send("/v1/reservations/\(id)/release", ["idempotency_key": .string(key())])
            }
            bench.clock.advance(by: .seconds(3_600))
            #expect(bench.authority.activeReservations.isEmpty)
            for balance in bench.authority.balances() { #expect(balance.reserved == .tokens(0)) }
            try check("at the end")
        }
    }
}
