import Cycles

/// The ledger: budgets, and the reservations that hold parts of them.
///
/// Its methods take decoded values and the time, change the books or refuse, and do nothing else. A method that
/// refuses has changed nothing.
struct Ledger: Sendable {
    let rules: ServerRules
    var budgets: [BudgetKey: Budget] = [:]
    /// In the order in which they were made.
    var reservations: [Reservation] = []
    private var positions: [String: Int] = [:]
    private(set) var active: Set<Int> = []
    /// No active reservation ends before this; some may end later than it says.
    private var earliestDeadline = Int64.max

    init(rules: ServerRules) { self.rules = rules }

    /// Where a reservation stands in ``reservations``.
    func position(of id: String) -> Int? { positions[id] }

    /// The balances of budgets, in the order of the keys.
    func balances(of keys: [BudgetKey]) -> [Balance] {
        keys.compactMap { key in budgets[key]?.balance(key, rules) }
    }

    /// The balance of a budget as it is part of an answer.
    func row(_ key: BudgetKey) -> JSONValue? { budgets[key]?.balance(key, rules).json(by: rules) }

    /// Adds a reservation whose hold is in the books already; returns its position.
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

    /// Gives a reservation its last status.
    mutating func finish(_ position: Int, as status: Reservation.Status, at now: Int64?) {
        reservations[position].status = status
        reservations[position].finalizedAtMilliseconds = now
        active.remove(position)
    }

    /// Puts changed budgets into the books.
    mutating func write(_ changes: [(key: BudgetKey, budget: Budget)]) {
        for change in changes { budgets[change.key] = change.budget }
    }

    /// Gives back what reservations hold that nobody settled in time (specification: `ReservationStatus`): those
    /// whose grace period is over.
    mutating func expire(at now: Int64) {
        guard now > earliestDeadline else { return }
        earliestDeadline = .max
        for position in active {
            let reservation = reservations[position]
            guard now > reservation.deadlineMilliseconds else {
                earliestDeadline = min(earliestDeadline, reservation.deadlineMilliseconds)
                continue
            }
            giveBackHold(of: reservation)
            finish(position, as: .expired, at: nil)
        }
    }

    /// What a reservation holds is in the books, so that taking it out always works.
    func booksWithoutHold(of reservation: Reservation) -> [(key: BudgetKey, budget: Budget)] {
        reservation.budgetKeys.compactMap { key in
            budgets[key]?.moving(reserved: -reservation.estimate.amount).map { (key, $0) }
        }
    }

    mutating func giveBackHold(of reservation: Reservation) { write(booksWithoutHold(of: reservation)) }
}
