/// Everything that it takes to settle one reservation, however often it has to be attempted.
///
/// Its bodies are encoded once: the server compares what it gets under one key, so that the same bytes have to be sent
/// each time.
package struct SettlementRecord: Hashable, Sendable {
    /// How the spend is recorded.
    package enum Mode: Hashable, Sendable {
        /// By committing the reservation.
        case commit
        /// By an event, since the reservation is no longer there to be committed.
        case event
    }

    package let reservationID: ReservationID
    /// One key for everything that settles the reservation, the event included.
    package let idempotencyKey: IdempotencyKey
    package let unit: BudgetUnit
    package var mode = Mode.commit
    package let commitBody: [UInt8]
    private let event: EventCreateRequest

    /// - Parameters:
    ///   - commit: What was spent, checked already.
    ///   - subject: The reservation's subject, the client's defaults filled in.
    ///   - action: The reservation's action.
    package init(
        reservationID: ReservationID,
        idempotencyKey: IdempotencyKey,
        commit: CommitRequest,
        subject: Subject,
        action: Action
    ) {
        self.reservationID = reservationID
        self.idempotencyKey = idempotencyKey
        unit = commit.actual.unit
        commitBody = commit.encoded(key: idempotencyKey)
        var metadata = commit.metadata
        metadata["recovered_reservation_id"] = .string(reservationID.rawValue)
        metadata["recovery_reason"] = "commit_after_reservation_expired"
        event = EventCreateRequest(
            subject: subject,
            action: action,
            actual: commit.actual,
            metrics: commit.metrics,
            metadata: metadata
        )
    }

    /// The body of the event that stands in for the commit.
    package var eventBody: [UInt8] { event.encoded(key: idempotencyKey) }
}
