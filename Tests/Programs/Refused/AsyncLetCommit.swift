import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    async let settlement = reservation.commit(.tokens(1))
    _ = try await settlement
}
