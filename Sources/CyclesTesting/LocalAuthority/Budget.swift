import Cycles

/// Identifies a budget. A scope has one budget for each unit.
struct BudgetKey: Hashable, Comparable, Sendable {
    let scope: String
    let unit: BudgetUnit

    static func < (left: BudgetKey, right: BudgetKey) -> Bool {
        left.scope == right.scope ? left.unit.rawValue < right.unit.rawValue : left.scope < right.scope
    }
}

/// The ledger of one scope in one unit (specification: `Balance`).
///
/// The sum of spent, reserved and debt never exceeds `Int64.max`, so that `remaining` is always representable.
struct Budget: Sendable {
    private(set) var allocated: Int64 = 0
    private(set) var spent: Int64 = 0
    private(set) var reserved: Int64 = 0
    private(set) var debt: Int64 = 0
    private(set) var overdraftLimit: Int64 = 0
    private(set) var isOverLimit = false
    var caps: Caps?
    var status = LocalAuthority.BudgetStatus.active

    init() {}

    /// Restores a budget from its figures; nil if the figures are not valid in any ledger.
    init?(
        allocated: Int64,
        spent: Int64,
        reserved: Int64,
        debt: Int64,
        overdraftLimit: Int64,
        isOverLimit: Bool
    ) {
        guard allocated >= 0, overdraftLimit >= 0, let used = Budget.sum(spent, reserved, debt), used >= 0 else {
            return nil
        }
        self.allocated = allocated
        self.spent = spent
        self.reserved = reserved
        self.debt = debt
        self.overdraftLimit = overdraftLimit
        self.isOverLimit = isOverLimit
    }

    /// The remaining budget by the ledger invariant; negative if overdrawn.
    var remaining: Int64 { allocated - spent - reserved - debt }

    /// Whether additional debt is within the overdraft limit.
    func permitsDebt(_ more: Int64) -> Bool {
        let (sum, overflow) = debt.addingReportingOverflow(more)
        return !overflow && sum <= overdraftLimit
    }

    /// The budget after a movement; nil if a figure would leave its range.
    func moving(spent: Int64 = 0, reserved: Int64 = 0, debt: Int64 = 0) -> Budget? {
        let (newSpent, spentOverflow) = self.spent.addingReportingOverflow(spent)
        let (newReserved, reservedOverflow) = self.reserved.addingReportingOverflow(reserved)
        let (newDebt, debtOverflow) = self.debt.addingReportingOverflow(debt)
        guard !spentOverflow, !reservedOverflow, !debtOverflow, Budget.sum(newSpent, newReserved, newDebt) != nil else {
            return nil
        }
        var copy = self
        copy.spent = newSpent
        copy.reserved = newReserved
        copy.debt = newDebt
        return copy
    }

    /// Blocks new reservations, because an overage could not be covered.
    mutating func markOverLimit() { isOverLimit = true }

    /// Sets an operator's values. On a deployed server, a changed allocation is a funding operation; a changed limit is
    /// not.
    mutating func configure(allocated: Int64, overdraftLimit: Int64, _ rules: ServerRules) {
        let isFunded = allocated != self.allocated
        let isChanged = isFunded || overdraftLimit != self.overdraftLimit
        self.allocated = allocated
        self.overdraftLimit = overdraftLimit
        if rules.overLimitFollowsDebt {
            if isChanged { followDebt() }
        } else if isFunded {
            isOverLimit = debt > overdraftLimit
        }
    }

    /// Adds to the allocation, up to `Int64.max`. Some rules repay debt first.
    mutating func fund(_ amount: Int64, _ rules: ServerRules) {
        if rules.repaysDebtWhenFunding { return repay(amount, rules) }
        allocate(amount)
        reconcile(amount, rules)
    }

    /// Repays debt, and adds the rest of the amount to the allocation.
    mutating func repay(_ amount: Int64, _ rules: ServerRules) {
        let repaid = min(amount, debt)
        debt -= repaid
        allocate(amount - repaid)
        reconcile(amount, rules)
    }

    private mutating func allocate(_ amount: Int64) {
        let (sum, overflow) = allocated.addingReportingOverflow(amount)
        allocated = overflow ? .max : sum
    }

    private mutating func reconcile(_ amount: Int64, _ rules: ServerRules) {
        if !rules.overLimitFollowsDebt {
            isOverLimit = debt > overdraftLimit
        } else if amount > 0 {
            followDebt()
        }
    }

    /// Updates ``isOverLimit`` from the debt. Without an overdraft limit, debt alone blocks reservations and is not
    /// over the limit.
    private mutating func followDebt() {
        if debt <= overdraftLimit {
            isOverLimit = false
        } else if overdraftLimit > 0 {
            isOverLimit = true
        }
    }

    /// The sum of figures; nil if one is negative or the sum overflows.
    private static func sum(_ figures: Int64...) -> Int64? {
        var total: Int64 = 0
        for figure in figures {
            let (sum, overflow) = total.addingReportingOverflow(figure)
            guard figure >= 0, !overflow else { return nil }
            total = sum
        }
        return total
    }

    func balance(_ key: BudgetKey, _ rules: ServerRules) -> Balance {
        Balance(
            scope: rules.name(ofScope: key.scope),
            scopePath: key.scope,
            remaining: SignedAmount(remaining, key.unit),
            reserved: Amount(reserved, key.unit),
            spent: Amount(spent, key.unit),
            allocated: Amount(allocated, key.unit),
            debt: rules.shows(debt) ? Amount(debt, key.unit) : nil,
            overdraftLimit: rules.shows(overdraftLimit) ? Amount(overdraftLimit, key.unit) : nil,
            isOverLimit: isOverLimit
        )
    }
}
