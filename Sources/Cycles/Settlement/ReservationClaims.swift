/// The reservations of a client that have a guard, or are being released or settled.
///
/// A create request with a used idempotency key is answered with the reservation of the first request. Two guards or
/// settlements of one reservation would lose the spend of one of them.
struct ReservationClaims {
    private var jobs: [ReservationID: SettlementJob?] = [:]

    /// The unfinished settlements.
    var settlements: some Sequence<SettlementJob> { jobs.values.lazy.compactMap { $0 } }

    func isSettling(_ id: ReservationID) -> Bool { jobs[id].flatMap { $0 } != nil }

    /// Claims a reservation for a guard or a release.
    mutating func claim(_ id: ReservationID) -> SettlementQueue.Claim {
        guard let holder = jobs.updateValue(nil, forKey: id) else { return .granted }
        jobs[id] = .some(holder)
        return holder == nil ? .guarded : .settling
    }

    /// Replaces the claim of a guard by its settlement. Returns false if the reservation is being settled already.
    mutating func enter(_ job: SettlementJob) -> Bool {
        guard let holder = jobs.updateValue(job, forKey: job.reservationID), let holder else { return true }
        jobs[job.reservationID] = holder
        return false
    }

    /// Ends the claim of a guard or release; keeps that of a settlement.
    mutating func end(_ id: ReservationID) { if !isSettling(id) { jobs[id] = nil } }

    /// Removes a settlement.
    /// - Parameter isOver: Whether to end the claim; false keeps the reservation from being claimed again.
    mutating func leave(_ job: SettlementJob, isOver: Bool) {
        if isOver { jobs[job.reservationID] = nil } else { jobs[job.reservationID] = .some(nil) }
    }
}
