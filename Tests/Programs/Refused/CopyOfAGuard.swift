import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let guarded = try await client.reserve(request)
    let copy = guarded
    try await guarded.commit(.tokens(1))
    try await copy.release()
}
