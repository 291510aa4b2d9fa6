import Cycles
import CyclesTesting

/// A second ledger, kept as deployed servers keep theirs: figures that are added to, one operation after the other.
/// Nothing of the authority is used.
struct DeployedLedger {
    struct Row {
        var allocated: Int64
        var remaining: Int64
        var spent: Int64 = 0
        var reserved: Int64 = 0
        var debt: Int64 = 0
        var limit: Int64
        var isOverLimit = false
        var status = LocalAuthority.BudgetStatus.active
        var maxTokens: Int64?
    }

    struct Hold {
        let scopes: [String]
        let amount: Int64
        let unit: String
        let policy: String
        var isFinished = false
    }

    /// An answer: a body without what a server makes up, or an error.
    enum Outcome: Equatable {
        case body(JSONValue)
        case error(String)
    }

    private var rows: [String: Row] = [:]
    private var holds: [String: Hold] = [:]
    static let units = ["TOKENS", "CREDITS"]

    subscript(scope: String, unit: String) -> Row? {
        get { rows[scope + " " + unit] }
        set { rows[scope + " " + unit] = newValue }
    }

    // MARK: Bodies

    private func amount(_ amount: Int64, _ unit: String) -> JSONValue {
        ["unit": .string(unit), "amount": .number(JSONNumber(amount))]
    }

    private func texts(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }

    private func balances(_ scopes: [String], _ unit: String) -> JSONValue {
        .array(scopes.compactMap { json($0, unit) })
    }

    private func json(_ scope: String, _ unit: String) -> JSONValue? {
        guard let row = self[scope, unit] else { return nil }
        var members: [String: JSONValue] = [
            "scope": .string(scope.split(separator: "/").last.map(String.init) ?? ""), "scope_path": .string(scope),
            "remaining": amount(row.remaining, unit), "reserved": amount(row.reserved, unit),
            "spent": amount(row.spent, unit), "allocated": amount(row.allocated, unit),
        ]
        if row.debt > 0 { members["debt"] = amount(row.debt, unit) }
        if row.limit > 0 { members["overdraft_limit"] = amount(row.limit, unit) }
        if row.isOverLimit { members["is_over_limit"] = true }
        return .object(members)
    }

    /// The rows that have every segment, in the order of path and unit.
    func list(_ segments: [String]) -> JSONValue {
        let found = rows.keys.sorted().map { $0.split(separator: " ").map(String.init) }
            .filter { key in segments.allSatisfy { key[0].split(separator: "/").map(String.init).contains($0) } }
        return ["balances": .array(found.compactMap { json($0[0], $0[1]) }), "has_more": false]
    }

    // MARK: Decisions

    private func budgeted(_ chain: [String], _ unit: String) -> [String] { chain.filter { self[$0, unit] != nil } }

    private func missing(_ chain: [String], _ unit: String) -> String {
        let hasOther = chain.contains { scope in DeployedLedger.units.contains { self[scope, $0] != nil } }
        return hasOther ? "UNIT_MISMATCH" : "BUDGET_NOT_FOUND"
    }

    private func denial(_ chain: [String], _ amount: Int64, _ unit: String) -> String? {
        for scope in budgeted(chain, unit) {
            guard let row = self[scope, unit] else { continue }
            switch row.status {
            case .frozen: return "BUDGET_FROZEN"
            case .closed: return "BUDGET_CLOSED"
            case .active: break
            }
            if row.isOverLimit { return "OVERDRAFT_LIMIT_EXCEEDED" }
            if row.debt > 0, row.limit == 0 { return "DEBT_OUTSTANDING" }
            if row.remaining < amount { return "BUDGET_EXCEEDED" }
        }
        return budgeted(chain, unit).isEmpty ? missing(chain, unit) : nil
    }

    private func permission(_ chain: [String], _ unit: String) -> [String: JSONValue] {
        var members: [String: JSONValue] = ["decision": "ALLOW", "affected_scopes": texts(chain)]
        if let maxTokens = chain.last.flatMap({ self[$0, unit]?.maxTokens }) {
            members["decision"] = "ALLOW_WITH_CAPS"
            members["caps"] = ["max_tokens": .number(JSONNumber(maxTokens))]
        }
        return members
    }

    func decide(_ chain: [String], _ estimate: Int64, _ unit: String, isDryRun: Bool) -> Outcome {
        var members = permission(chain, unit)
        if let reason = denial(chain, estimate, unit) {
            if reason == "UNIT_MISMATCH" { return .error(reason) }
            members = ["decision": "DENY", "reason_code": .string(reason), "affected_scopes": texts(chain)]
        } else if isDryRun {
            members["reserved"] = amount(estimate, unit)
            members["balances"] = balances(chain, unit)
        }
        if isDryRun { members["scope_path"] = .string(chain.last ?? "") }
        return .body(.object(members))
    }

    // MARK: Reservations

    /// Reserves under an id that the server made up; nil if the server refused.
    mutating func reserve(
        _ id: String?,
        _ chain: [String],
        _ estimate: Int64,
        _ unit: String,
        _ policy: String
    ) -> Outcome {
        if let reason = denial(chain, estimate, unit) {
            return .error(reason == "BUDGET_NOT_FOUND" ? "NOT_FOUND" : reason)
        }
        for scope in budgeted(chain, unit) {
            self[scope, unit]?.reserved += estimate
            self[scope, unit]?.remaining -= estimate
        }
        if let id {
            holds[id] = Hold(scopes: budgeted(chain, unit), amount: estimate, unit: unit, policy: policy)
        }
        var members = permission(chain, unit)
        members["reserved"] = amount(estimate, unit)
        members["scope_path"] = .string(chain.last ?? "")
        members["balances"] = balances(chain, unit)
        return .body(.object(members))
    }

    mutating func release(_ id: String) -> Outcome {
        guard let hold = holds[id], !hold.isFinished else { return .error("RESERVATION_FINALIZED") }
        for scope in hold.scopes {
            self[scope, hold.unit]?.reserved -= hold.amount
            self[scope, hold.unit]?.remaining += hold.amount
        }
        holds[id]?.isFinished = true
        return .body([
            "status": "RELEASED", "released": amount(hold.amount, hold.unit),
            "balances": balances(hold.scopes, hold.unit),
        ])
    }

    mutating func commit(_ id: String, _ actual: Int64, _ unit: String) -> Outcome {
        guard let hold = holds[id], !hold.isFinished else { return .error("RESERVATION_FINALIZED") }
        guard unit == hold.unit else { return .error("UNIT_MISMATCH") }
        let delta = actual - hold.amount
        var charged = actual
        if delta > 0 {
            if hold.policy == "REJECT" { return .error("BUDGET_EXCEEDED") }
            guard let granted = charge(delta, hold.scopes, unit, hold.policy) else {
                return .error("OVERDRAFT_LIMIT_EXCEEDED")
            }
            charged = hold.amount + granted
        }
        for scope in hold.scopes {
            self[scope, unit]?.reserved -= hold.amount
            self[scope, unit]?.spent += min(actual, hold.amount)
            self[scope, unit]?.remaining += max(0, -delta)
        }
        holds[id]?.isFinished = true
        var members: [String: JSONValue] = [
            "status": "COMMITTED", "charged": amount(charged, unit), "balances": balances(hold.scopes, unit),
        ]
        if charged < hold.amount { members["released"] = amount(hold.amount - charged, unit) }
        return .body(.object(members))
    }

    mutating func event(_ chain: [String], _ actual: Int64, _ unit: String, _ policy: String) -> Outcome {
        let scopes = budgeted(chain, unit)
        for scope in scopes {
            guard let row = self[scope, unit] else { continue }
            if row.status == .frozen { return .error("BUDGET_FROZEN") }
            if row.status == .closed { return .error("BUDGET_CLOSED") }
            if policy == "REJECT", row.remaining < actual { return .error("BUDGET_EXCEEDED") }
        }
        if scopes.isEmpty {
            return .error(missing(chain, unit) == "UNIT_MISMATCH" ? "UNIT_MISMATCH" : "NOT_FOUND")
        }
        guard let granted = charge(actual, scopes, unit, policy) else { return .error("OVERDRAFT_LIMIT_EXCEEDED") }
        var members: [String: JSONValue] = ["status": "APPLIED", "balances": balances(scopes, unit)]
        if granted < actual { members["charged"] = amount(granted, unit) }
        return .body(.object(members))
    }

    /// Takes a charge from what remains, by three passes over the scopes: cap it, try the limits, write it down. Nil if a
    /// limit would be exceeded.
    private mutating func charge(_ full: Int64, _ scopes: [String], _ unit: String, _ policy: String) -> Int64? {
        let before = scopes.compactMap { self[$0, unit] }
        var granted = full
        for row in before where policy == "ALLOW_IF_AVAILABLE" || row.limit == 0 {
            granted = min(granted, max(row.remaining, 0))
        }
        if policy == "ALLOW_WITH_OVERDRAFT" {
            for row in before where row.limit > 0 && row.remaining < granted {
                if row.debt + granted - max(row.remaining, 0) > row.limit { return nil }
            }
        }
        for (scope, row) in zip(scopes, before) {
            var row = row
            let funded =
                policy == "ALLOW_WITH_OVERDRAFT" && row.remaining < granted ? max(row.remaining, 0) : granted
            if granted < full, row.remaining < full, policy == "ALLOW_IF_AVAILABLE" || row.limit == 0 {
                row.isOverLimit = true
            }
            row.remaining -= granted
            row.spent += funded
            row.debt += granted - funded
            self[scope, unit] = row
        }
        return granted
    }

    // MARK: Operators

    mutating func fund(_ scope: String, _ unit: String, _ amount: Int64, repaysDebt: Bool) {
        guard var row = self[scope, unit], row.status == .active else { return }
        let repaid = repaysDebt ? min(row.debt, amount) : 0
        row.debt -= repaid
        row.remaining += amount
        row.allocated += amount - repaid
        row.isOverLimit = row.debt > row.limit
        self[scope, unit] = row
    }
}
