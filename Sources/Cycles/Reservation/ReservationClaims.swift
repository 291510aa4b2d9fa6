/// The reservations that a client holds or releases: each belongs to one guard.
///
/// Under an idempotency key that was used before, the server answers with the reservation of the first request. Two guards
/// of one reservation would lose the spend of one of them.
final class ReservationClaims: Sendable {
    private let claimed = Lock(Set<ReservationID>())

    /// Whether nobody else has the reservation.
    func claim(_ id: ReservationID) -> Bool { claimed.withLock { $0.insert(id).inserted } }

    /// Ends a claim: the reservation is settled, released, or left to run out.
    func end(_ id: ReservationID) { claimed.withLock { _ = $0.remove(id) } }
}
