import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    let copy = reservation
    try await reservation.commit(.tokens(1))
    try await copy.release()
}
