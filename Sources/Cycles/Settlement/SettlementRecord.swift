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

    private struct Keys: Hashable, Sendable {
        let commit: IdempotencyKey?
        let event: IdempotencyKey?
    }

    private enum Event: Hashable, Sendable {
        case request(EventCreateRequest)
        case body([UInt8])
        case none
    }

    package let reservationID: ReservationID
    package let unit: BudgetUnit?
    package var mode: Mode
    private let commit: JournalRecord.CommitBody
    /// The key in the commit's body, and the key in the event's: one and the same, unless another client wrote the record.
    private let keys: Keys
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
        keys = Keys(commit: idempotencyKey, event: idempotencyKey)
        self.recordedAtMilliseconds = recordedAtMilliseconds
        mode = .commit
        unit = commit.actual.unit
        self.commit = .object(commit.encoded(key: idempotencyKey))
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
        keys = Keys(
            commit: record.commitBody.flatMap { JournalRecord.key(in: $0) },
            event: record.eventBody.flatMap { JournalRecord.key(in: $0) }
        )
        recordedAtMilliseconds = record.recordedAtMilliseconds
        unit = nil
        mode = record.mode
        commit = record.commit
        event = record.eventBody.map { .body($0) } ?? .none
        unknown = record.unknown
    }

    /// The key of what is sent in the present mode: one for everything that settles the reservation.
    package var idempotencyKey: IdempotencyKey? { mode == .commit ? keys.commit : keys.event }

    /// The body of the commit; nil if the record never had one, as is possible in event mode only.
    package var commitBody: [UInt8]? { if case .object(let body) = commit { body } else { nil } }

    /// The body of the event that stands in for the commit; nil if nothing can.
    package var eventBody: [UInt8]? {
        switch event {
        case .request(let request): keys.event.map { request.encoded(key: $0) }
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
            commit: commit,
            eventBody: eventBody,
            recordedAtMilliseconds: recordedAtMilliseconds,
            notBeforeMilliseconds: notBeforeMilliseconds
        )
        record.unknown = unknown
        return record
    }
}
