import Cycles

actor Session {
    private var reservation: ReservationGuard?

    func finish() async throws { try await reservation?.commit(.tokens(1)) }
}
