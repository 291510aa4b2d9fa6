import Cycles

func misuse(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws {
    let reservation = try await client.reserve(request)
    let chunks = reservation.metering(AsyncStream<Int> { $0.finish() }) { .added(.tokens(Int64($0))) }
    for try await _ in chunks {}
    try await reservation.commit(.tokens(1))
}
