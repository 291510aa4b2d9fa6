import Cycles

func careless(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    try await client.reserve(request)
}
