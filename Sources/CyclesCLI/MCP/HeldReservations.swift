import Cycles

/// The reservations that a session holds. The client extends each until it is taken out.
final class HeldReservations: Sendable {
    struct Entry: Sendable {
        /// The guard. It leaves the box together with the entry's removal.
        fileprivate let box: GuardBox
        let estimate: Amount

        /// The guard, at the first call.
        var reservation: ReservationGuard? { box.take() }
    }

    private let entries = Lock([ReservationID: Entry]())

    func add(_ reservation: consuming ReservationGuard, _ estimate: Amount) {
        let id = reservation.reservationID
        let entry = Entry(box: GuardBox(reservation), estimate: estimate)
        entries.withLock { $0[id] = entry }
    }

    /// The reserved amount of a reservation that is held; nil for others.
    func estimate(of id: ReservationID) -> Amount? { entries.withLock { $0[id]?.estimate } }

    /// Removes a reservation; nil if it is not held.
    func take(_ id: ReservationID) -> Entry? { entries.withLock { $0.removeValue(forKey: id) } }

    /// Drops the guards of all reservations, which releases these in the background.
    func dropAll() {
        let dropped = entries.withLock { entries in
            defer { entries = [:] }
            return entries
        }
        // Guards are dropped without the lock, since each asks its client.
        withExtendedLifetime(dropped) {}
    }
}
