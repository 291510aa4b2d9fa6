import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    let task = Task { try await reservation.commit(.tokens(1)) }
    _ = try await task.value
}
