import Cycles
import CyclesTesting
import Testing

/// Thousands of requests in a random order, each answered as a ledger kept in another way answers it: whole bodies.
@Suite struct DeployedLedgerTests {
    @Test func everyAnswerIsThatOfADeployedLedger() throws {
        var codes: Set<String> = []
        for seed: UInt64 in [11, 12, 13, 14] {
            var session = Session(seed: seed)
            for step in 0..<2_000 { try session.step("seed \(seed), step \(step)") }
            #expect(session.successes > 300)
            codes.formUnion(session.codes)
        }
        // Every way to refuse came about.
        #expect(
            codes.sorted() == [
                "BUDGET_CLOSED", "BUDGET_EXCEEDED", "BUDGET_FROZEN", "BUDGET_NOT_FOUND", "DEBT_OUTSTANDING",
                "NOT_FOUND",
                "OVERDRAFT_LIMIT_EXCEEDED", "RESERVATION_FINALIZED", "UNIT_MISMATCH",
            ]
        )
    }

    private struct Session {
        private static let scopes = [
            "tenant:acme", "tenant:acme/workspace:w", "tenant:acme/workspace:w/agent:a", "tenant:acme/agent:a",
            "tenant:acme/agent:b",
        ]
        private static let values: [[(String, String)]] = [
            [], [("workspace", "w")], [("workspace", "W"), ("agent", "a")], [("agent", "A")], [("agent", "b")],
            [("agent", "b"), ("toolset", "T")], [("workspace", "other")],
        ]
        private static let policies = ["REJECT", "ALLOW_IF_AVAILABLE", "ALLOW_WITH_OVERDRAFT"]

        private let bench = Bench(budget: nil)
        private var random: SeededGenerator
        private var ledger = DeployedLedger()
        private var ids: [String] = []
        private var number = 0
        private(set) var successes = 0
        private(set) var codes: Set<String> = []

        init(seed: UInt64) {
            random = SeededGenerator(state: seed)
            // The last has no tokens, and the tenant only sometimes has credits.
            for scope in Session.scopes.dropLast() {
                setBudget(scope, "TOKENS", DeployedLedger.Row(allocated: 900, remaining: 900, limit: pick(2) * 100))
            }
            setBudget(Session.scopes[4], "CREDITS", DeployedLedger.Row(allocated: 300, remaining: 300, limit: 50))
        }

        private mutating func pick(_ upper: Int64) -> Int64 { Int64.random(in: 0...upper, using: &random) }

        private mutating func key() -> String {
            number += 1
            return "key \(number)"
        }

        private mutating func setBudget(_ scope: String, _ unit: String, _ row: DeployedLedger.Row) {
            ledger[scope, unit] = row
            bench.authority.setBudget(
                scope: scope,
                allocated: Amount(row.allocated, BudgetUnit(rawValue: unit)),
                overdraftLimit: row.limit,
                caps: row.maxTokens.map { Caps(maxTokens: $0) },
                status: row.status
            )
        }

        mutating func step(_ comment: String) throws {
            let unit = pick(6) == 0 ? "CREDITS" : "TOKENS"
            let policy = Session.policies.randomElement(using: &random) ?? ""
            let levels = Session.values.randomElement(using: &random) ?? []
            // Scopes without a tenant have no budget.
            let root = levels.isEmpty || pick(30) > 0 ? [("tenant", "acme")] : []
            let chain = (root + levels).reduce(into: [String]()) { chain, level in
                chain.append((chain.last.map { $0 + "/" } ?? "") + "\(level.0):\(level.1.lowercased())")
            }
            let subject = JSONValue.object(
                Dictionary(uniqueKeysWithValues: root + levels).mapValues(JSONValue.string)
            )
            switch pick(14) {
            case 0...3:
                let amount = pick(120)
                let reply = try bench.reserve(
                    key(),
                    amount,
                    unit: unit,
                    subject: subject,
                    extra: ["overage_policy": .string(policy)]
                )
                let id = reply.json["reservation_id"]?.string
                check(reply, ledger.reserve(id, chain, amount, unit, policy), comment)
                if let id { ids.append(id) }
            case 4:
                let amount = pick(700)
                let isDryRun = pick(1) == 0
                let body = Bench.reserveBody(key: key(), amount, unit: unit, subject: subject)
                let reply =
                    isDryRun
                    ? try bench.post("/v1/reservations", body.adding("dry_run", true))
                    : try bench.post("/v1/decide", body)
                check(reply, ledger.decide(chain, amount, unit, isDryRun: isDryRun), comment)
            case 5...7:
                guard let id = ids.randomElement(using: &random) else { return }
                let amount = pick(250)
                check(try bench.commit(id, key(), amount, unit: unit), ledger.commit(id, amount, unit), comment)
            case 8:
                guard let id = ids.randomElement(using: &random) else { return }
                check(try bench.release(id, key()), ledger.release(id), comment)
            case 9, 10:
                let amount = pick(150)
                let reply = try bench.event(key(), amount, unit: unit, subject: subject, policy: policy)
                check(reply, ledger.event(chain, amount, unit, policy), comment)
            case 11:
                let query = levels.map { "&\($0)=\($1)" }.joined()
                let segments = ["tenant:acme"] + levels.map { "\($0):\($1.lowercased())" }
                check(try bench.get("/v1/balances?tenant=acme" + query), .body(ledger.list(segments)), comment)
            default: operate(unit)
            }
        }

        private mutating func operate(_ unit: String) {
            let scope = Session.scopes.randomElement(using: &random) ?? ""
            guard var row = ledger[scope, unit] else { return }
            let amount = Amount(pick(300), BudgetUnit(rawValue: unit))
            switch pick(6) {
            case 0, 1:
                bench.authority.fund(scope: scope, amount)
                ledger.fund(scope, unit, amount.amount, repaysDebt: false)
            case 2, 3:
                bench.authority.repayDebt(scope: scope, amount)
                ledger.fund(scope, unit, amount.amount, repaysDebt: true)
            case 4:
                let stops = row.status == .active && pick(2) == 0
                row.status = stops ? (pick(1) == 0 ? .frozen : .closed) : .active
                setBudget(scope, unit, row)
            case 5:
                row.limit = max(0, pick(3) - 1) * 60
                setBudget(scope, unit, row)
            default:
                row.maxTokens = row.maxTokens == nil ? pick(9) : nil
                row.status = .active
                setBudget(scope, unit, row)
            }
        }

        private mutating func check(_ reply: Reply, _ expected: DeployedLedger.Outcome, _ comment: String) {
            var body = reply.json.object ?? [:]
            for name in ["reservation_id", "expires_at_ms", "remaining_ttl_ms", "event_id"] { body[name] = nil }
            let outcome = reply.error.map(DeployedLedger.Outcome.error) ?? .body(.object(body))
            #expect(outcome == expected, "\(comment)")
            if let code = reply.error ?? reply.json["reason_code"]?.string {
                codes.insert(code)
            } else {
                successes += 1
            }
        }
    }
}
