import Cycles

func work(_ client: CyclesClient, _ request: ReservationCreateRequest) async throws -> Settlement {
    while true {
        do {
            let reservation = try await client.reserve(request)
            let settlement = try await reservation.commit(.tokens(1))
            return settlement
        } catch CyclesError.denied(let denial) {
            try await Task.sleep(for: denial.retryAfter ?? .seconds(60))
        }
    }
}
