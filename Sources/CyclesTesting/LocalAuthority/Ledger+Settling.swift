import Cycles

extension Ledger {
    /// Charges what a reservation cost and frees the rest of its hold (specification: commitReservation). Returns what
    /// was charged.
    mutating func commit(
        _ position: Int,
        actual: Amount,
        metadata: JSONValue?,
        at now: Int64
    ) throws(Refusal) -> Int64 {
        let reservation = reservations[position]
        try requireOpen(reservation, until: reservation.deadlineMilliseconds, at: now)
        guard actual.unit == reservation.estimate.unit else {
            throw Refusal(
                .unitMismatch,
                "The reservation is in \(reservation.estimate.unit), the actual amount in \(actual.unit)",
                details: [
                    "scope": .string(reservation.scopes.last ?? ""),
                    "requested_unit": .string(actual.unit.rawValue),
                    "expected_units": .array([.string(reservation.estimate.unit.rawValue)]),
                ]
            )
        }
        if reservation.overagePolicy == .reject, actual.amount > reservation.estimate.amount {
            throw Refusal(.budgetExceeded, "The actual amount exceeds the reserved \(reservation.estimate)")
        }
        let charge = try charge(
            actual.amount,
            to: reservation.budgetKeys,
            freeing: reservation.estimate.amount,
            policy: reservation.overagePolicy
        )
        write(charge.changes)
        finish(position, as: .committed, at: now)
        reservations[position].committedAmount = charge.amount
        reservations[position].committedMetadata = metadata
        return charge.amount
    }

    /// Gives the whole hold back (specification: releaseReservation).
    mutating func release(_ position: Int, at now: Int64) throws(Refusal) {
        let reservation = reservations[position]
        try requireOpen(reservation, until: reservation.deadlineMilliseconds, at: now)
        giveBackHold(of: reservation)
        finish(position, as: .released, at: now)
    }

    /// Moves the expiry out, from where it is, within the limits (specification: extendReservation). It never moves
    /// back, even where the limits have become tighter since.
    mutating func extend(
        _ position: Int,
        by milliseconds: Int64,
        limits: LocalAuthority.Options,
        at now: Int64
    ) throws(Refusal) -> Int64 {
        let reservation = reservations[position]
        try requireOpen(reservation, until: reservation.expiresAtMilliseconds, at: now)
        guard reservation.extensions < limits.maxExtensions else {
            throw Refusal(.maxExtensionsExceeded, "The reservation has been extended \(limits.maxExtensions) times")
        }
        let granted = min(milliseconds, limits.maxTimeToLive.wholeMilliseconds)
        let asked = reservation.expiresAtMilliseconds.saturatingAdding(granted)
        let allowed = limits.maxLead.map { min(asked, now.saturatingAdding($0.wholeMilliseconds)) } ?? asked
        let expiry = max(allowed, reservation.expiresAtMilliseconds)
        reservations[position].expiresAtMilliseconds = expiry
        reservations[position].extensions += 1
        return expiry
    }

    /// Charges an amount without a reservation (specification: createEvent). Returns what was charged and where.
    mutating func apply(
        _ actual: Amount,
        on chain: [String],
        policy: CommitOveragePolicy
    ) throws(Refusal) -> (amount: Int64, keys: [BudgetKey]) {
        let scopes = try budgetedScopes(of: chain, unit: actual.unit)
        guard !scopes.isEmpty else { throw Ledger.notFound(chain, unit: actual.unit).refusal }
        let keys = scopes.map { BudgetKey(scope: $0, unit: actual.unit) }
        for key in keys {
            guard let budget = budgets[key] else { continue }
            if let denial = Ledger.denial(byStatusOf: budget, scope: key.scope) { throw denial.refusal }
        }
        let charge = try charge(actual.amount, to: keys, freeing: 0, policy: policy)
        write(charge.changes)
        return (charge.amount, keys)
    }

    private func requireOpen(_ reservation: Reservation, until deadline: Int64, at now: Int64) throws(Refusal) {
        switch reservation.status {
        case .committed, .released:
            throw Refusal(.reservationFinalized, "Reservation \(reservation.id) is \(reservation.status.rawValue)")
        case .expired:
            throw Refusal(.reservationExpired, "Reservation \(reservation.id) has expired")
        case .active:
            if now > deadline { throw Refusal(.reservationExpired, "Reservation \(reservation.id) has expired") }
        }
    }

    private struct Charge {
        let amount: Int64
        let changes: [(key: BudgetKey, budget: Budget)]
    }

    /// Charges an actual amount against what is held for it, under a policy for what exceeds that (specification:
    /// `CommitOveragePolicy`; `EventCreateRequest.overage_policy`, where nothing is held).
    private func charge(
        _ actual: Int64,
        to keys: [BudgetKey],
        freeing held: Int64,
        policy: CommitOveragePolicy
    ) throws(Refusal) -> Charge {
        let excess = actual - held
        let short = keys.filter { key in excess > 0 && (budgets[key]?.remaining ?? 0) < excess }
        if short.isEmpty {
            return try Charge(amount: actual, changes: moves(of: keys, spent: actual, freeing: held))
        }
        if policy == .reject {
            throw Refusal(.budgetExceeded, "Insufficient remaining budget for scope \(short[0].scope)")
        }
        // A scope without an overdraft limit cannot take the excess as debt (specification: `Balance`, OVERDRAFT LIMIT).
        let canOverdraw = short.allSatisfy { key in (budgets[key]?.overdraftLimit ?? 0) > 0 }
        if policy == .allowWithOverdraft, canOverdraw {
            if let key = short.first(where: { key in budgets[key]?.permitsDebt(excess) != true }) {
                throw Refusal(.overdraftLimitExceeded, "The debt of scope \(key.scope) would exceed its limit")
            }
            let covered = try moves(of: keys.filter { !short.contains($0) }, spent: actual, freeing: held)
            let overdrawn = try moves(of: short, spent: held, freeing: held, debt: excess)
            return Charge(amount: actual, changes: covered + overdrawn)
        }
        let available = max(0, short.compactMap { budgets[$0]?.remaining }.min() ?? 0)
        let amount = held + available
        let changes = try moves(of: keys, spent: amount, freeing: held).map { key, budget in
            var budget = budget
            if short.contains(key) { budget.markOverLimit() }
            return (key: key, budget: budget)
        }
        return Charge(amount: amount, changes: changes)
    }

    private func moves(
        of keys: [BudgetKey],
        spent: Int64,
        freeing held: Int64,
        debt: Int64 = 0
    ) throws(Refusal) -> [(key: BudgetKey, budget: Budget)] {
        var result: [(key: BudgetKey, budget: Budget)] = []
        for key in keys {
            guard let budget = budgets[key] else { continue }
            guard let changed = budget.moving(spent: spent, reserved: -held, debt: debt) else {
                throw Ledger.outOfRange(key)
            }
            result.append((key, changed))
        }
        return result
    }
}
