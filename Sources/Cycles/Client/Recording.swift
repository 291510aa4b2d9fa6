extension ClientScope {
    /// Begins to charge spend that has no reservation. The event is stored and sent as the settlement of a reservation
    /// whose id is derived from the event's idempotency key.
    func record(
        _ request: EventCreateRequest,
        _ completion: @escaping @Sendable (Result<Settlement, CyclesError>) -> Void
    ) {
        let (owner, record): (SettlementOwner, SettlementRecord)
        do throws(CyclesError) {
            owner = try self.owner()
            record = try SettlementRecord(
                .createEvent(request, defaults),
                unit: request.actual.unit,
                baseURL: baseURL,
                recordedAtMilliseconds: time.wallMilliseconds
            )
        } catch {
            completion(.failure(error))
            return
        }
        engine.begin(
            .settle(record),
            of: record.reservationID,
            for: owner,
            trace: .current,
            isAwaited: true
        ) { progress in
            switch progress {
            case .queued(let settlement): completion(.success(settlement))
            case .finished(let result, isAwaited: true): completion(result)
            case .finished(_, isAwaited: false): break
            }
        }
    }
}
