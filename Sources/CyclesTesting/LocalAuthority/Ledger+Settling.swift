import Cycles

extension Ledger {
    /// Charges the actual cost of a reservation and releases the rest of its hold (specification: commitReservation).
    /// Returns the charged amount.
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
                details: rules.explainsUnitMismatchOfCommits
                    ? [
                        "scope": .string(reservation.scopes.last ?? ""),
                        "requested_unit": .string(actual.unit.rawValue),
                        "expected_units": .array([.string(reservation.estimate.unit.rawValue)]),
                    ] : nil
            )
        }
        let held = reservation.estimate.amount
        let charge: Charge
        if actual.amount <= held {
            let moves = try moves(of: reservation.budgetKeys, spent: actual.amount, freeing: held)
            charge = Charge(amount: actual.amount, changes: moves)
        } else if reservation.overagePolicy == .reject {
            throw Refusal(.budgetExceeded, "The actual amount exceeds the reserved \(reservation.estimate)")
        } else {
            let policy = reservation.overagePolicy
            charge = try self.charge(actual.amount - held, beyond: held, to: reservation.budgetKeys, policy: policy)
        }
        write(charge.changes)
        finish(position, as: .committed, at: now)
        reservations[position].committedAmount = charge.amount
        reservations[position].committedMetadata = metadata
        return charge.amount
    }

    /// Releases the whole hold (specification: releaseReservation).
    mutating func release(_ position: Int, at now: Int64) throws(Refusal) {
        let reservation = reservations[position]
        try requireOpen(reservation, until: reservation.deadlineMilliseconds, at: now)
        releaseHold(of: reservation)
        finish(position, as: .released, at: now)
    }

    /// Extends the lease from its present expiry, within the limits (specification: extendReservation). The expiry
    /// never moves back, even if the limits have become stricter since.
    mutating func extend(
        _ position: Int,
        by milliseconds: Int64,
        limits: LocalAuthority.Options,
        at now: Int64
    ) throws(Refusal) -> Int64 {
        let reservation = reservations[position]
        try requireOpen(reservation, until: reservation.expiresAtMilliseconds, at: now)
        guard reservation.extensions < reservation.maxExtensions else {
            throw Refusal(.maxExtensionsExceeded, "The reservation has been extended \(reservation.extensions) times")
        }
        let granted = rules.cutsExtensions ? min(milliseconds, limits.maxTimeToLive.wholeMilliseconds) : milliseconds
        let asked = reservation.expiresAtMilliseconds.saturatingAdding(granted)
        let allowed = limits.maxLead.map { min(asked, now.saturatingAdding($0.wholeMilliseconds)) } ?? asked
        let expiry = max(allowed, reservation.expiresAtMilliseconds)
        reservations[position].expiresAtMilliseconds = expiry
        reservations[position].extensions += 1
        return expiry
    }

    /// Charges an amount without a reservation (specification: createEvent). Returns the charged amount and scopes.
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
            if policy == .reject, budget.remaining < actual.amount {
                throw Refusal(.budgetExceeded, "Insufficient remaining budget for scope \(key.scope)")
            }
        }
        let charge = try charge(actual.amount, beyond: 0, to: keys, policy: policy)
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

    /// Charges a hold, and an excess beyond it under a policy (specification: `CommitOveragePolicy`; for events, which
    /// have no hold, `EventCreateRequest.overage_policy`).
    ///
    /// Scopes that cannot be overdrawn cap the excess to their remaining budget. Scopes with an overdraft limit take on
    /// debt for the part of the capped excess that they cannot cover.
    private func charge(
        _ excess: Int64,
        beyond held: Int64,
        to keys: [BudgetKey],
        policy: CommitOveragePolicy
    ) throws(Refusal) -> Charge {
        // A scope without an overdraft limit cannot take on debt (specification: `Balance`, OVERDRAFT LIMIT).
        let canBeOverdrawn = { (budget: Budget) in policy == .allowWithOverdraft && budget.overdraftLimit > 0 }
        let capping = keys.compactMap { budgets[$0] }.filter { !canBeOverdrawn($0) }
        let granted = min(excess, capping.map { max(0, $0.remaining) }.min() ?? excess)
        var changes: [(key: BudgetKey, budget: Budget)] = []
        for key in keys {
            guard let budget = budgets[key] else { continue }
            var owed: Int64 = 0
            if canBeOverdrawn(budget), budget.remaining < granted {
                owed = granted - (rules.spendsRemainingBeforeDebt ? max(0, budget.remaining) : 0)
                guard budget.permitsDebt(owed) else {
                    throw Refusal(.overdraftLimitExceeded, "The debt of scope \(key.scope) would exceed its limit")
                }
            }
            guard var changed = budget.moving(spent: held + granted - owed, reserved: -held, debt: owed) else {
                throw Ledger.outOfRange(key)
            }
            if granted < excess, !canBeOverdrawn(budget), budget.remaining < excess { changed.markOverLimit() }
            changes.append((key, changed))
        }
        return Charge(amount: held + granted, changes: changes)
    }

    private func moves(
        of keys: [BudgetKey],
        spent: Int64,
        freeing held: Int64
    ) throws(Refusal) -> [(key: BudgetKey, budget: Budget)] {
        var result: [(key: BudgetKey, budget: Budget)] = []
        for key in keys {
            guard let budget = budgets[key] else { continue }
            guard let changed = budget.moving(spent: spent, reserved: -held) else {
                throw Ledger.outOfRange(key)
            }
            result.append((key, changed))
        }
        return result
    }
}
