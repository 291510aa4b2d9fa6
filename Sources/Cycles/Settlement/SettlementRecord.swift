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

    private enum Event: Hashable, Sendable {
        case request(EventCreateRequest)
        case body([UInt8])
        case none
    }

    package let reservationID: ReservationID
    /// One key for everything that settles the reservation, the event included.
    package let idempotencyKey: IdempotencyKey?
    package let unit: BudgetUnit?
    package var mode: Mode
    package let commitBody: [UInt8]
    /// When the spend became known, in milliseconds since 1970.
    package let recordedAtMilliseconds: Int64
    private let event: Event
    private let unknown: [JournalRecord.UnknownMember]

    /// - Parameters:
    ///   - commit: What was spent, checked already.
    ///   - subject: The reservation's subject, the client's defaults filled in.
    ///   - action: The reservation's action.
    package init(
        reservationID: ReservationID,
        idempotencyKey: IdempotencyKey,
        commit: CommitRequest,
        subject: Subject,
        action: Action,
        recordedAtMilliseconds: Int64
    ) {
        self.reservationID = reservationID
        self.idempotencyKey = idempotencyKey
        self.recordedAtMilliseconds = recordedAtMilliseconds
        mode = .commit
        unit = commit.actual.unit
        commitBody = commit.encoded(key: idempotencyKey)
        var metadata = commit.metadata
        metadata["recovered_reservation_id"] = .string(reservationID.rawValue)
        metadata["recovery_reason"] = "commit_after_reservation_expired"
        event = .request(
            EventCreateRequest(
                subject: subject,
                action: action,
                actual: commit.actual,
                metrics: commit.metrics,
                metadata: metadata
            )
        )
        unknown = []
    }

    /// What was found in a journal.
    package init(_ record: JournalRecord) {
        reservationID = record.reservationID
        idempotencyKey = JournalRecord.key(in: record.commitBody)
        recordedAtMilliseconds = record.recordedAtMilliseconds
        unit = nil
        mode = record.mode
        commitBody = record.commitBody
        event = record.eventBody.map { .body($0) } ?? .none
        unknown = record.unknown
    }

    /// The body of the event that stands in for the commit; nil if nothing can.
    package var eventBody: [UInt8]? {
        switch event {
        case .request(let request): idempotencyKey.map { request.encoded(key: $0) }
        case .body(let body): body
        case .none: nil
        }
    }

    /// What stands in a journal for it.
    package func journalRecord(baseURL: String, notBeforeMilliseconds: Int64?) -> JournalRecord {
        var record = JournalRecord(
            reservationID: reservationID,
            baseURL: baseURL,
            mode: mode,
            commitBody: commitBody,
            eventBody: eventBody,
            recordedAtMilliseconds: recordedAtMilliseconds,
            notBeforeMilliseconds: notBeforeMilliseconds
        )
        record.unknown = unknown
        return record
    }
}
