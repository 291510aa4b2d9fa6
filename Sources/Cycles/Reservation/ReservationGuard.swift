/// A held reservation, to be settled exactly once by `commit` or `release`.
///
/// Committing or releasing consumes the guard. A second call does not compile, nor does a release after a commit that
/// threw. The client extends the lease in the background until the reservation is settled.
///
/// A guard that goes out of scope unsettled releases its hold, or commits the recorded spend if it is above zero. Both
/// happen in the background and need no running task; ``CyclesClient/shutdown(timeout:includesReplays:)`` waits for
/// them.
///
/// Use a ``GuardBox`` to transfer a guard to another task. Child tasks that only record spend use ``context``.
public struct ReservationGuard: ~Copyable, Sendable {
    let held: HeldReservation

    init(_ held: HeldReservation) { self.held = held }

    // Has no effect after commit or release.
    deinit { held.abandon() }

    /// The server's identifier of the reservation.
    public var reservationID: ReservationID { held.reservationID }

    /// The decision: `allow` or `allowWithCaps`.
    public var decision: Decision { held.response.decision }

    /// The limits that come with ALLOW_WITH_CAPS. Decoded at each access: keep the result.
    public var caps: Caps? { held.response.caps }

    /// Whether the reservation has ``caps``.
    public var isCapped: Bool { caps != nil }

    /// The scopes that the reservation holds budget on, in canonical order. Decoded at each access: keep the result.
    public var affectedScopes: [String] { held.response.affectedScopes }

    /// The end of the lease in the server's latest answer: milliseconds since 1970, by the server's clock.
    public var expiresAtMilliseconds: Int64 { held.expiresAtMilliseconds }

    /// The balances of the scopes when budget was reserved, if the server sent them. Decoded at each access.
    public var balances: [Balance] { held.response.balances }

    /// The reference to the server's evidence of the reservation, if the server keeps any. Decoded at each access.
    public var evidence: EvidenceReference? { held.response.cyclesEvidence }

    /// A handle that records spend but cannot settle the reservation, for child tasks and helpers.
    public var context: CyclesContext { CyclesContext(held) }

    // MARK: Recording spend

    /// The recorded spend; nil if none was recorded.
    public var recordedSpend: Amount? { held.recordedSpend }

    /// Adds to the recorded spend, up to `Int64.max`.
    ///
    /// A negative amount, or an amount in another unit than the estimate, is reported and makes the spend unknown. The
    /// larger of the estimate and the recorded spend is then charged, marked `actual_source = "estimate"`, unless an
    /// actual amount is committed or ``setSpend(_:)`` replaces the spend.
    public func addSpend(_ amount: Amount) { held.addSpend(amount) }

    /// Replaces the recorded spend. A negative amount, or an amount in another unit than the estimate, leaves the
    /// recorded amount unchanged and makes the spend unknown, as in ``addSpend(_:)``.
    public func setSpend(_ amount: Amount) { held.setSpend(amount) }

    // MARK: Settling

    /// Commits the actual spend and frees the rest of the hold (specification: `commitReservation`).
    ///
    /// Cancelling the task does not stop the settlement. A commit that fails is retried with the same key. A commit
    /// that arrives after the reservation expired is recorded as an event. The call waits for retries up to
    /// ``RetryPolicy/inlineBudget`` (2 seconds). After that time, settlement continues in the background and the call
    /// returns ``Settlement/Outcome/queued(isDurable:)``.
    /// - Parameters:
    ///   - actual: The amount spent, in the unit of the estimate, 0 or more. For an invalid amount, the recorded spend
    ///     is committed, or the estimate if none was recorded, marked `actual_source = "estimate"`.
    ///   - metrics: Measurements of the work. Invalid metrics are left out and reported.
    ///   - metadata: Additional data to store with the commit. Invalid entries are left out and reported.
    /// - Throws: ``CyclesError``: the server's final refusal; `leaseLost` under ``HeartbeatPolicy/failOnFinalize``.
    @discardableResult
    public consuming func commit(
        _ actual: Amount,
        metrics: CyclesMetrics? = nil,
        metadata: [String: JSONValue] = [:]
    ) async throws(CyclesError) -> Settlement {
        let held = held
        return try await awaiting { done in
            held.settle(actual: actual, metrics: metrics, metadata: metadata, done)
        }.get()
    }

    /// Commits the amount, metrics and metadata of a request, as ``commit(_:metrics:metadata:)`` does.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(_ request: CommitRequest) async throws(CyclesError) -> Settlement {
        let held = held
        return try await awaiting { done in held.settle(request, done) }.get()
    }

    /// Releases the whole hold (specification: `releaseReservation`), or commits the recorded spend if it is above
    /// zero.
    ///
    /// A release that fails is retried until the lease ends. After ``RetryPolicy/inlineBudget`` (2 seconds), the
    /// retries continue in the background.
    /// - Parameter reason: The reason to store, at most 256 Unicode scalars.
    /// - Throws: ``CyclesError``: the server's final refusal. A reservation that expired or was finalized is no
    ///   failure.
    @discardableResult
    public consuming func release(reason: String? = nil) async throws(CyclesError) -> Settlement {
        let held = held
        return try await awaiting { done in held.release(ReleaseRequest(reason: reason), done) }.get()
    }

    /// Passes the elements of a stream through, and commits the usage that they report.
    ///
    /// The sequence takes over the guard. Since budget is already held, a server can answer a denial with a status of
    /// its own before a response begins, and then pass the sequence as the body of the response.
    ///
    /// Spend that was recorded before the call is part of the result. Most models report their usage only in the last
    /// chunk. The closure below counts the chunks until then, so that a client that disconnects early is charged for
    /// the prompt and the received chunks, and not for the whole estimate:
    ///
    /// ```swift
    /// reservation.setSpend(.tokens(promptTokens))
    /// let chunks = reservation.metering(stream) { $0.usage.map { .total(.tokens($0.total)) } ?? .added(.tokens(1)) }
    /// ```
    ///
    /// The result is in ``CyclesContext/settlement`` of ``context``. Read ``context`` before this call, which consumes
    /// the guard.
    /// - Parameters:
    ///   - stream: The stream. It is read by one iteration only.
    ///   - usage: Returns the usage that an element reports, as an increment or a total; nil if it reports none.
    ///   - whenActualUnknown: The policy for a stream with elements and without recorded spend. Under
    ///     ``UnknownActualPolicy/commitEstimate``, the settlement has ``Settlement/chargedEstimate``.
    /// - Returns: The stream's elements, for one iteration. A sequence that is never iterated ends like a guard that
    ///   goes out of scope.
    public consuming func metering<Stream: AsyncSequence>(
        _ stream: Stream,
        usage: @escaping @Sendable (Stream.Element) -> Usage?,
        whenActualUnknown: UnknownActualPolicy = .commitEstimate
    ) -> MeteredSequence<Stream> {
        MeteredSequence(self, stream, usage: usage, whenActualUnknown)
    }

    /// Extends the lease, counted from its present expiry (specification: `extendReservation`).
    ///
    /// The client's heartbeat extends leases automatically. This request is sent once, without retries.
    /// - Parameter span: The duration of the extension, 1 millisecond to 24 hours.
    /// - Throws: ``CyclesError``.
    public borrowing func extend(by span: Duration) async throws(CyclesError) {
        let held = held
        try await awaiting { done in held.extend(by: span, done) }.get()
    }
}

/// Transfers a guard to another task. The first call of ``take()`` receives it.
///
/// A guard that is still in its box when the box is deallocated goes out of scope.
public final class GuardBox: Sendable {
    private let content: Lock<ReservationGuard?>

    /// Creates a box that holds a guard.
    public init(_ reservation: consuming ReservationGuard) { content = Lock(reservation) }

    /// Returns the guard at the first call, nil at further calls.
    public func take() -> ReservationGuard? { content.withLock { $0.take() } }
}
