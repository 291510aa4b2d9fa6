import Cycles

/// The budgets and reservations of an authority.
///
/// A pure value: its methods take decoded values and the time. A method that throws a refusal has changed nothing.
struct Ledger: Sendable {
    let rules: ServerRules
    var budgets: [BudgetKey: Budget] = [:]
    /// All reservations in the order of their creation.
    var reservations: [Reservation] = []
    private var positions: [String: Int] = [:]
    private(set) var active: Set<Int> = []
    /// A lower bound of the deadlines of active reservations.
    private var earliestDeadline = Int64.max

    init(rules: ServerRules) { self.rules = rules }

    /// The index of a reservation in ``reservations``.
    func position(of id: String) -> Int? { positions[id] }

    /// The balances of budgets, in the order of the keys.
    func balances(of keys: [BudgetKey]) -> [Balance] {
        keys.compactMap { key in budgets[key]?.balance(key, rules) }
    }

    /// The balance of a budget in the form of an answer.
    func row(_ key: BudgetKey) -> JSONValue? { budgets[key]?.balance(key, rules).json(by: rules) }

    /// Adds a reservation whose hold is part of the budgets already, and returns its position.
    @discardableResult
    mutating func append(_ reservation: Reservation) -> Int {
        let position = reservations.count
        positions[reservation.id] = position
        reservations.append(reservation)
        if reservation.status == .active {
            active.insert(position)
            earliestDeadline = min(earliestDeadline, reservation.deadlineMilliseconds)
        }
        return position
    }

    /// Sets the final status of a reservation.
    mutating func finish(_ position: Int, as status: Reservation.Status, at now: Int64?) {
        reservations[position].status = status
        reservations[position].finalizedAtMilliseconds = now
        active.remove(position)
    }

    /// Stores changed budgets.
    mutating func write(_ changes: [(key: BudgetKey, budget: Budget)]) {
        for change in changes { budgets[change.key] = change.budget }
    }

    /// Releases the holds of reservations whose grace period has ended (specification: `ReservationStatus`).
    mutating func expire(at now: Int64) {
        guard now > earliestDeadline else { return }
        earliestDeadline = .max
        for position in active {
            let reservation = reservations[position]
            guard now > reservation.deadlineMilliseconds else {
                earliestDeadline = min(earliestDeadline, reservation.deadlineMilliseconds)
                continue
            }
            releaseHold(of: reservation)
            finish(position, as: .expired, at: nil)
        }
    }

    /// The budgets of a reservation without its hold. They exist, because budgets contain the holds of active
    /// reservations.
    func booksWithoutHold(of reservation: Reservation) -> [(key: BudgetKey, budget: Budget)] {
        reservation.budgetKeys.compactMap { key in
            budgets[key]?.moving(reserved: -reservation.estimate.amount).map { (key, $0) }
        }
    }

    mutating func releaseHold(of reservation: Reservation) { write(booksWithoutHold(of: reservation)) }
}
