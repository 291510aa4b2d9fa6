/// The reservations that have a guard, a release in progress, or an unfinished settlement.
///
/// A create request with a used idempotency key returns the reservation of the first request. Two guards or settlements
/// of one reservation would lose the spend of one of them.
struct ReservationClaims {
    /// Identifies a reservation among those of all identities.
    struct Key: Hashable {
        let identity: Int
        let id: ReservationID

        init(_ id: ReservationID, of identity: Int) {
            self.identity = identity
            self.id = id
        }

        init(_ job: SettlementJob) { self.init(job.reservationID, of: job.owner.identity.number) }
    }

    private var jobs: [Key: SettlementJob?] = [:]

    /// The unfinished settlements.
    var settlements: some Sequence<SettlementJob> { jobs.values.lazy.compactMap { $0 } }

    func isSettling(_ key: Key) -> Bool { jobs[key].flatMap { $0 } != nil }

    /// Claims a reservation for a guard or a release.
    mutating func claim(_ key: Key) -> SettlementQueue.Claim {
        guard let holder = jobs.updateValue(nil, forKey: key) else { return .granted }
        jobs[key] = .some(holder)
        return holder == nil ? .guarded : .settling
    }

    /// Replaces a guard's claim by its settlement. Returns false if the reservation is already being settled.
    mutating func enter(_ job: SettlementJob) -> Bool {
        let key = Key(job)
        guard let holder = jobs.updateValue(job, forKey: key), let holder else { return true }
        jobs[key] = holder
        return false
    }

    /// Ends the claim of a guard or release. The claim of a settlement remains.
    mutating func end(_ key: Key) { if !isSettling(key) { jobs[key] = nil } }

    /// Removes a settlement.
    /// - Parameter isOver: Whether to end the claim; false keeps the reservation from being claimed again.
    mutating func leave(_ job: SettlementJob, isOver: Bool) {
        if isOver { jobs[Key(job)] = nil } else { jobs[Key(job)] = .some(nil) }
    }
}
