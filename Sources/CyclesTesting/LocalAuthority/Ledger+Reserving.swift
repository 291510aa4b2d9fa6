import Cycles

extension Ledger {
    /// The decision on holding an amount on a chain of scopes. `scopes` are the scopes with a budget in the amount's
    /// unit.
    enum Verdict: Sendable {
        case allowed(scopes: [String], caps: Caps?)
        case denied(Denial, scopes: [String])
    }

    /// The reason of a denial, used in decisions and in error answers.
    struct Denial: Sendable {
        let reason: ReasonCode
        let message: String

        /// The denial as an error answer, in which a missing budget has the code NOT_FOUND (specification:
        /// `DecisionReasonCode`, BUDGET_NOT_FOUND).
        var refusal: Refusal {
            Refusal(reason == .budgetNotFound ? .notFound : ErrorCode(rawValue: reason.rawValue), message)
        }
    }

    /// Checks each scope from the root down: the budget's status, its over-limit flag, its debt and its remaining
    /// budget, in this order (specification: ERROR SEMANTICS). Depending on the rules, caps come from the deepest scope
    /// that has caps, or from the deepest scope only.
    func verdict(on chain: [String], holding amount: Amount) throws(Refusal) -> Verdict {
        let scopes = try budgetedScopes(of: chain, unit: amount.unit)
        guard !scopes.isEmpty else { return .denied(Ledger.notFound(chain, unit: amount.unit), scopes: []) }
        var caps: Caps?
        var firstDenial: Denial?
        var overLimitDenial: Denial?
        for scope in scopes {
            guard let budget = budgets[BudgetKey(scope: scope, unit: amount.unit)] else { continue }
            caps = budget.caps ?? caps
            if firstDenial == nil { firstDenial = Ledger.denial(by: budget, of: scope, holding: amount) }
            if overLimitDenial == nil, budget.isOverLimit { overLimitDenial = Ledger.overLimit(scope) }
        }
        if rules.takesCapsFromDeepestScopeOnly {
            caps = chain.last.flatMap { budgets[BudgetKey(scope: $0, unit: amount.unit)]?.caps }
        }
        guard let firstDenial else { return .allowed(scopes: scopes, caps: caps) }
        guard rules.reportsOverLimitFirst else { return .denied(firstDenial, scopes: scopes) }
        // A scope over its limit takes precedence over debt and missing budget of scopes above it (specification:
        // createReservation, OVER-LIMIT BLOCKING).
        let isOverruled = firstDenial.reason == .debtOutstanding || firstDenial.reason == .budgetExceeded
        return .denied(isOverruled ? overLimitDenial ?? firstDenial : firstDenial, scopes: scopes)
    }

    /// Holds the estimate on the scopes of an allowed verdict, and returns the position of the reservation.
    mutating func reserve(_ reservation: Reservation) throws(Refusal) -> Int {
        var changes: [(key: BudgetKey, budget: Budget)] = []
        for key in reservation.budgetKeys {
            guard let budget = budgets[key] else { continue }
            guard let changed = budget.moving(reserved: reservation.estimate.amount) else {
                throw Ledger.outOfRange(key)
            }
            changes.append((key, changed))
        }
        write(changes)
        return append(reservation)
    }

    /// The scopes of a chain that have a budget in a unit; empty if they have no budget in any unit.
    ///
    /// Refuses the request if budgets exist in other units only (specification: ERROR SEMANTICS, UNIT_MISMATCH).
    func budgetedScopes(of chain: [String], unit: BudgetUnit) throws(Refusal) -> [String] {
        let scopes = chain.filter { budgets[BudgetKey(scope: $0, unit: unit)] != nil }
        guard scopes.isEmpty else { return scopes }
        for scope in chain {
            let others = Ledger.units.filter { budgets[BudgetKey(scope: scope, unit: $0)] != nil }
            guard !others.isEmpty else { continue }
            let names = others.map(\.rawValue)
            throw Refusal(
                .unitMismatch,
                "The budget of scope \(scope) is kept in \(names.joined(separator: ", ")), not in \(unit)",
                details: [
                    "scope": .string(scope),
                    "requested_unit": .string(unit.rawValue),
                    "expected_units": .array(names.map(JSONValue.string)),
                ]
            )
        }
        return []
    }

    /// The units of the protocol in its order (specification: `UnitEnum`).
    static let units: [BudgetUnit] = [.usdMicrocents, .tokens, .credits, .riskPoints]

    static func notFound(_ chain: [String], unit: BudgetUnit) -> Denial {
        Denial(
            reason: .budgetNotFound,
            message: "Budget not found for provided scope: \(chain.last ?? "") in \(unit)"
        )
    }

    static func outOfRange(_ key: BudgetKey) -> Refusal {
        .invalid("The amount exceeds what the ledger of scope \(key.scope) can hold")
    }

    private static func overLimit(_ scope: String) -> Denial {
        Denial(
            reason: .overdraftLimitExceeded,
            message: "Scope \(scope) is over its limit until an operator reconciles it"
        )
    }

    private static func denial(by budget: Budget, of scope: String, holding amount: Amount) -> Denial? {
        if let denial = denial(byStatusOf: budget, scope: scope) { return denial }
        if budget.isOverLimit { return overLimit(scope) }
        if budget.debt > 0, budget.overdraftLimit == 0 {
            return Denial(reason: .debtOutstanding, message: "Scope \(scope) has a debt of \(budget.debt)")
        }
        if budget.remaining < amount.amount {
            return Denial(
                reason: .budgetExceeded,
                message: "Insufficient remaining budget for scope \(scope)"
            )
        }
        return nil
    }

    static func denial(byStatusOf budget: Budget, scope: String) -> Denial? {
        switch budget.status {
        case .active: nil
        case .frozen: Denial(reason: .budgetFrozen, message: "The budget of scope \(scope) is frozen")
        case .closed: Denial(reason: .budgetClosed, message: "The budget of scope \(scope) is closed")
        }
    }
}
