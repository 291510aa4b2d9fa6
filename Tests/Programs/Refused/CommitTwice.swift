import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    try await reservation.commit(.tokens(1))
    try await reservation.commit(.tokens(1))
}
