/// The data that settles one reservation, in this process or after a restart.
///
/// Bodies are encoded once, because the server compares the bytes of all requests with one key.
package struct SettlementRecord: Sendable {
    /// The kind of request that charges the spend.
    package enum Mode: String, Sendable {
        /// A commit of the reservation.
        case commit
        /// An event, because the reservation can no longer be committed.
        case event
    }

    /// The body of a request, and the parts of it that the client needs.
    package struct Body: Sendable {
        package let json: [UInt8]
        /// The idempotency key in the body; nil if another client wrote a body without a key.
        package let idempotencyKey: IdempotencyKey?
        /// The unit of the amount; nil if the record comes from a journal.
        package let unit: BudgetUnit?
    }

    /// The member `commit_body` of a record file. For an event, other clients omit the member or write `null`.
    package enum CommitMember: Hashable, Sendable {
        case object([UInt8])
        case null
        case absent
    }

    /// The event that can replace a commit. For a commit of this process, the event is encoded only when needed.
    private indirect enum Event: Sendable {
        case body([UInt8])
        case ofCommit(CommitRequest, Subject, Action)
    }

    private enum Content: Sendable {
        case commit(fallback: Event?)
        case event(commit: CommitMember)
    }

    /// A member of a record file that this version does not know. It is kept when the file is rewritten.
    package struct UnknownMember: Hashable, Sendable {
        package let name: String
        package let value: [UInt8]
    }

    package let reservationID: ReservationID
    /// The base URL as configured. Records with another base URL are not loaded.
    package let baseURL: String
    /// The time at which the spend was recorded, in milliseconds since 1970.
    package let recordedAtMilliseconds: Int64
    /// The earliest time of the next attempt that the server allows, in milliseconds since 1970.
    package var notBeforeMilliseconds: Int64?
    /// The time at which the last attempt began, in milliseconds since 1970; 0 if there was none. It is also the
    /// modification time of the record's file.
    package var attemptedAtMilliseconds: Int64 = 0
    package var unknown: [UnknownMember] = []
    /// The body of the request in the present mode.
    private(set) package var body: Body
    private var content: Content

    /// Creates a record for spend of this process.
    /// - Parameters:
    ///   - commit: The commit request; all its values are valid.
    ///   - subject: The reservation's subject, with the client's defaults.
    package init(
        reservationID: ReservationID,
        baseURL: String,
        idempotencyKey: IdempotencyKey,
        commit: CommitRequest,
        subject: Subject,
        action: Action,
        recordedAtMilliseconds: Int64
    ) {
        self.reservationID = reservationID
        self.baseURL = baseURL
        self.recordedAtMilliseconds = recordedAtMilliseconds
        body = Body(
            json: commit.encoded(key: idempotencyKey),
            idempotencyKey: idempotencyKey,
            unit: commit.actual.unit
        )
        content = .commit(fallback: .ofCommit(commit, subject, action))
    }

    /// Creates a record for spend of this process that has no reservation.
    /// - Parameters:
    ///   - event: The request that charges the spend. The record's id is `event:` followed by the idempotency key.
    ///   - unit: The unit of the amount.
    package init(
        _ event: Operation<EventCreateResponse>,
        unit: BudgetUnit,
        baseURL: String,
        recordedAtMilliseconds: Int64
    ) {
        reservationID = ReservationID("event:" + (event.idempotencyKey?.rawValue ?? ""))
        self.baseURL = baseURL
        self.recordedAtMilliseconds = recordedAtMilliseconds
        body = Body(json: event.body, idempotencyKey: event.idempotencyKey, unit: unit)
        content = .event(commit: .null)
    }

    /// Creates a record from the contents of a journal.
    /// - Returns: Nil if the mode's body is missing.
    package init?(
        reservationID: ReservationID,
        baseURL: String,
        mode: Mode,
        commit: CommitMember,
        event: [UInt8]?,
        recordedAtMilliseconds: Int64
    ) {
        self.reservationID = reservationID
        self.baseURL = baseURL
        self.recordedAtMilliseconds = recordedAtMilliseconds
        switch (mode, commit, event) {
        case (.commit, .object(let json), let event):
            body = Body(json: json, idempotencyKey: SettlementRecord.key(in: json), unit: nil)
            content = .commit(fallback: event.map { .body($0) })
        case (.event, let commit, let json?):
            body = Body(json: json, idempotencyKey: SettlementRecord.key(in: json), unit: nil)
            content = .event(commit: commit)
        case (.commit, _, _), (.event, _, nil): return nil
        }
    }

    package var mode: Mode {
        switch content {
        case .commit: .commit
        case .event: .event
        }
    }

    /// The member `commit_body` of the record file.
    package var commit: CommitMember {
        switch content {
        case .commit: .object(body.json)
        case .event(let commit): commit
        }
    }

    /// The name and value of the metadata that marks a charge of the estimate.
    package static let estimateMark = (name: "actual_source", value: JSONValue.string("estimate"))

    /// Whether the amount is the estimate, because no usable amount was known.
    package var chargesEstimate: Bool {
        // A record of this process needs no parsing.
        let metadata: JSONValue? =
            if case .commit(.ofCommit(let commit, _, _)?) = content {
                commit.metadata[SettlementRecord.estimateMark.name]
            } else {
                (try? JSONValue(parsing: body.json))?["metadata"]?[SettlementRecord.estimateMark.name]
            }
        return metadata == SettlementRecord.estimateMark.value
    }

    /// The body of the commit. Nil only in event mode, if the record never had one.
    package var commitBody: [UInt8]? { if case .object(let json) = commit { json } else { nil } }

    /// The body of the event that settles the reservation or can replace the commit; nil if the record has none.
    package var eventBody: [UInt8]? {
        switch content {
        case .event: body.json
        case .commit(.body(let json)?): json
        case .commit(.ofCommit(let commit, let subject, let action)?): encodedEvent(commit, subject, action)
        case .commit(nil): nil
        }
    }

    /// Switches to event mode.
    /// - Returns: False, and no change, if the record has no event.
    package mutating func becomeEvent() -> Bool {
        guard case .commit(let fallback?) = content, let json = eventBody else { return false }
        content = .event(commit: .object(body.json))
        // The event has the commit's key, unless another client wrote the record.
        let key = if case .body = fallback { SettlementRecord.key(in: json) } else { body.idempotencyKey }
        body = Body(json: json, idempotencyKey: key, unit: body.unit)
        return true
    }

    /// Whether the record stores a later answer of the server than another form of the same record: an event instead
    /// of a refused commit, or a later ``notBeforeMilliseconds``.
    package func isAhead(of other: SettlementRecord) -> Bool {
        if mode != other.mode { return mode == .event }
        return notBeforeMilliseconds ?? .min > other.notBeforeMilliseconds ?? .min
    }

    private func encodedEvent(_ commit: CommitRequest, _ subject: Subject, _ action: Action) -> [UInt8]? {
        var metadata = commit.metadata
        metadata["recovered_reservation_id"] = .string(reservationID.rawValue)
        metadata["recovery_reason"] = "commit_after_reservation_expired"
        let event = EventCreateRequest(
            subject: subject,
            action: action,
            actual: commit.actual,
            metrics: commit.metrics,
            metadata: metadata
        )
        return body.idempotencyKey.map { event.encoded(key: $0) }
    }

    /// The rest of the delay that the server requested.
    ///
    /// The delay ends at most one hour after the last attempt, so that restarts do not prolong it. An attempt time in
    /// the future comes from a wrong clock. The hour then counts from ``recordedAtMilliseconds``.
    /// - Parameter wall: The present time, in milliseconds since 1970.
    package func remainingWait(at wall: Int64) -> Duration {
        guard let notBeforeMilliseconds else { return .zero }
        let written = attemptedAtMilliseconds <= wall ? attemptedAtMilliseconds : recordedAtMilliseconds
        let limit = RetryDelays.longestFloor.wholeMilliseconds
        let end = min(notBeforeMilliseconds, written.saturatingAdding(limit))
        return .milliseconds(max(0, end.saturatingSubtracting(max(wall, written))))
    }

    /// The time until the next attempt by any process that finds the record in a file.
    ///
    /// It grows with the age of the settlement: from 5 seconds after the last attempt to 15 minutes, plus or minus one
    /// fifth. An attempt time in the future comes from a wrong clock and counts as now.
    /// - Parameters:
    ///   - wall: The present time, in milliseconds since 1970.
    ///   - randomness: From 0 up to 1.
    package func remainingBackOff(at wall: Int64, randomness: Double) -> Duration {
        guard attemptedAtMilliseconds != 0 else { return .zero }
        let attempt = min(attemptedAtMilliseconds, wall)
        let span = min(max(attempt.saturatingSubtracting(recordedAtMilliseconds), 5_000), 900_000)
        let due = attempt.saturatingAdding(Int64(Double(span) * (0.8 + 0.4 * randomness)))
        return .milliseconds(min(max(due.saturatingSubtracting(wall), 0), 900_000))
    }

    /// Whether the server may have forgotten the key of an event that an earlier attempt has already charged. Deployed
    /// servers remember such keys for 7 days.
    /// - Parameter wall: The present time, in milliseconds since 1970.
    package func isOutdatedEvent(at wall: Int64) -> Bool {
        mode == .event && attemptedAtMilliseconds != 0
            && wall.saturatingSubtracting(attemptedAtMilliseconds) > SettlementRecord.longestEventPause
    }

    /// Six days, in milliseconds.
    private static let longestEventPause: Int64 = 6 * 86_400_000
}
