import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    async let reservation = client.reserve(request)
    try await reservation.commit(.tokens(1))
}
