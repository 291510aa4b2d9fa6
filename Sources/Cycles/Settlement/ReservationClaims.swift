/// The reservations that have a guard, are being released, or are being settled.
///
/// Under an idempotency key that was used before, the server answers with the reservation of the first request. Two
/// guards of one reservation, or two settlements, would lose the spend of one of them.
struct ReservationClaims {
    private var jobs: [ReservationID: SettlementJob?] = [:]

    /// The settlements that are not over.
    var settlements: some Sequence<SettlementJob> { jobs.values.lazy.compactMap { $0 } }

    func isSettling(_ id: ReservationID) -> Bool { jobs[id].flatMap { $0 } != nil }

    /// Claims a reservation for a guard or a release.
    mutating func claim(_ id: ReservationID) -> SettlementQueue.Claim {
        guard let holder = jobs.updateValue(nil, forKey: id) else { return .granted }
        jobs[id] = .some(holder)
        return holder == nil ? .guarded : .settling
    }

    /// Enters a settlement, in place of its guard. False if another settles the reservation.
    mutating func enter(_ job: SettlementJob) -> Bool {
        guard let holder = jobs.updateValue(job, forKey: job.reservationID), let holder else { return true }
        jobs[job.reservationID] = holder
        return false
    }

    /// Ends the claim of a guard or release.
    mutating func end(_ id: ReservationID) { if !isSettling(id) { jobs[id] = nil } }

    /// Ends a settlement.
    /// - Parameter isOver: Whether its reservation may be claimed again.
    mutating func leave(_ job: SettlementJob, isOver: Bool) {
        if isOver { jobs[job.reservationID] = nil } else { jobs[job.reservationID] = .some(nil) }
    }
}
