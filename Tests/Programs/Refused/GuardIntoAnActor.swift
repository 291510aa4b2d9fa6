import Cycles

actor Session {
    private var reservation: ReservationGuard?

    func own(_ reservation: consuming ReservationGuard) { self.reservation = reservation }
}
