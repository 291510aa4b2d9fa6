import Cycles

/// Observes the reservation under `run`, for the message after a cancelled start. Passes all events on.
final class ReservationWatch: CyclesObserver {
    private struct State {
        var key: IdempotencyKey?
        var isAnswered = false
        /// Whether the last attempt may have reserved budget.
        var isInDoubt = false
        var id: ReservationID?
        var isReleased = false
    }

    private let next: any CyclesObserver
    private let state = Lock(State())

    init(_ next: any CyclesObserver) { self.next = next }

    func observe(_ event: CyclesEvent) {
        state.withLock { state in
            switch event {
            case .attemptStarted(let start) where start.operation == "createReservation":
                state.key = start.idempotencyKey
                state.isAnswered = false
            case .attemptFinished(let end) where end.attempt.operation == "createReservation":
                state.isAnswered = true
                state.isInDoubt = end.error.map(ReservationWatch.leavesDoubt) ?? false
            case .attemptStarted(let start) where start.operation == "releaseReservation":
                state.id = state.id ?? start.reservationID
            case .settled(let id, let settlement, _) where id == state.id && settlement.outcome == .released:
                state.isReleased = true
            default: break
            }
        }
        next.observe(event)
    }

    private static func leavesDoubt(_ error: CyclesError) -> Bool {
        if case .transport(let failure) = error { return failure.wasRequestSent != false }
        return error.status.map { $0 >= 500 } ?? true
    }

    /// Describes the state of the reservation.
    /// - Parameter isOver: Whether all background work has finished.
    func outcome(isOver: Bool) -> String {
        let state = state.withLock { $0 }
        if let id = state.id {
            if state.isReleased { return "the hold of \(id) is released" }
            return "the hold of \(id) is not released yet: it expires by itself; cycles release \(id) releases it now"
        }
        guard let key = state.key else { return "nothing was sent, and nothing is held" }
        if state.isAnswered, isOver, !state.isInDoubt { return "nothing is held" }
        let doubt = state.isAnswered ? "it is not known whether budget is held" : "the server has not answered"
        return
            "\(doubt): a hold expires by itself; cycles reservations --idempotency-key \(key) shows it, and "
            + "cycles release releases it now"
    }
}
