import Cycles

func misuse(_ client: BlockingCyclesClient, _ request: ReservationCreateRequest) throws {
    let guarded = try client.reserve(request)
    try guarded.release()
    try guarded.commit(.tokens(1))
}
