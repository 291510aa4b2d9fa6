import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    switch reservation.decision {
    case .allow: try await reservation.commit(.tokens(1))
    default: try await reservation.release()
    }
}
