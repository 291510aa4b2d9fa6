import Cycles

func misuse(_ client: BlockingCyclesClient, _ request: ReservationCreateRequest) throws {
    let reservation = try client.reserve(request)
    try reservation.release()
    try reservation.commit(.tokens(1))
}
