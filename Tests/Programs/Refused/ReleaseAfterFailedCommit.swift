import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let guarded = try await client.reserve(request)
    do {
        try await guarded.commit(.tokens(1))
    } catch {
        try await guarded.release()
    }
}
