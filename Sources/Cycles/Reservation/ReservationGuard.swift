/// A reservation that is yours to settle, once.
///
/// Committing or releasing consumes the guard: a second one does not compile, and neither does a release after a commit
/// that threw. The lease is kept alive in the background until then.
///
/// A guard that ends unfinished gives its hold back; if spend above zero was recorded, that is settled instead. Both
/// happen in the background and need no running task; ``CyclesClient/shutdown(timeout:includesReplays:)`` waits for them.
///
/// To hand a guard to another task, put it into a ``GuardBox``. Child tasks that only record spend use ``context``.
public struct ReservationGuard: ~Copyable, Sendable {
    private let held: HeldReservation

    init(_ held: HeldReservation) { self.held = held }

    // Does nothing once the guard is consumed by settling it.
    deinit { held.abandon() }

    /// The reservation.
    public var reservationID: ReservationID { held.reservationID }

    /// What was decided: `allow` or `allowWithCaps`.
    public var decision: Decision { held.response.decision }

    /// The limits that come with ALLOW_WITH_CAPS. Decoded at each access: keep the result.
    public var caps: Caps? { held.response.caps }

    /// Whether there are limits.
    public var isCapped: Bool { caps != nil }

    /// The scopes that the reservation holds budget on, in canonical order. Decoded at each access: keep the result.
    public var affectedScopes: [String] { held.response.affectedScopes }

    /// When the hold runs out by the server's clock as last heard, in milliseconds since 1970.
    public var expiresAtMilliseconds: Int64 { held.expiresAtMilliseconds }

    /// The balances of the scopes when budget was reserved, if the server sent them. Decoded at each access.
    public var balances: [Balance] { held.response.balances }

    /// The evidence of the reservation, if the server keeps any. Decoded at each access.
    public var evidence: EvidenceReference? { held.response.cyclesEvidence }

    /// A handle to record spend with, for child tasks and for what must not finish the guard.
    public var context: CyclesContext { CyclesContext(held) }

    // MARK: Spend known so far

    /// What was recorded as spent so far; nil if nothing was.
    public var recordedSpend: Amount? { held.recordedSpend }

    /// Adds to the recorded spend, up to `Int64.max`.
    ///
    /// An amount below zero or in another unit than the estimate is reported, and makes the spend unknown: unless an actual
    /// amount is committed, or ``setSpend(_:)`` says what was spent, the estimate is charged, or the recorded spend if that
    /// is more, marked `actual_source = "estimate"`.
    public func addSpend(_ amount: Amount) { held.addSpend(amount) }

    /// Replaces the recorded spend. An amount below zero or in another unit than the estimate leaves it as it is, and has
    /// the same consequence as in ``addSpend(_:)``.
    public func setSpend(_ amount: Amount) { held.setSpend(amount) }

    // MARK: Settling

    /// Settles the reservation at what was really spent; the rest of the hold is freed (specification:
    /// `commitReservation`).
    ///
    /// The spend gets to the server whatever happens to this task, whose cancellation changes nothing: a commit that does
    /// not get through is repeated with the same key, and one that comes too late is recorded as an event. After two
    /// seconds (``RetryPolicy/inlineBudget``) that goes on in the background, and the answer is
    /// ``Settlement/queued(isDurable:)``.
    /// - Parameters:
    ///   - actual: What was spent, in the unit of the estimate, 0 or more. Anything else commits what was recorded, or
    ///     the estimate if nothing was, marked `actual_source = "estimate"`.
    ///   - metrics: What the work used. Metrics that cannot be sent are left out and reported.
    ///   - metadata: Whatever is worth keeping with the commit.
    /// - Throws: ``CyclesError``: what the server refuses for good; `leaseLost` under ``HeartbeatPolicy/failOnFinalize``.
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

    /// Settles the reservation with a request, as ``commit(_:metrics:metadata:)`` does.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(_ request: CommitRequest) async throws(CyclesError) -> Settlement {
        let held = held
        return try await awaiting { done in held.settle(request, done) }.get()
    }

    /// Gives the whole hold back (specification: `releaseReservation`). If spend above zero was recorded, that is settled
    /// instead.
    ///
    /// A release that does not get through is repeated until the lease ends, after two seconds in the background.
    /// - Parameter reason: Why, at most 256 Unicode scalars.
    /// - Throws: ``CyclesError``: what the server refuses for good. That nothing is held any more is no failure.
    @discardableResult
    public consuming func release(reason: String? = nil) async throws(CyclesError) -> Settlement {
        let held = held
        return try await awaiting { done in held.release(ReleaseRequest(reason: reason), done) }.get()
    }

    /// Asks for the lease to last longer, counted from its present expiry (specification: `extendReservation`).
    ///
    /// Not needed to keep the lease alive. Sent once.
    /// - Parameter span: 1 millisecond to 24 hours.
    /// - Throws: ``CyclesError``.
    public borrowing func extend(by span: Duration) async throws(CyclesError) {
        let held = held
        try await awaiting { done in held.extend(by: span, done) }.get()
    }
}

/// Transfers a guard to another task. The first call of ``take()`` receives it.
///
/// A box that is deallocated with its guard inside ends the guard.
public final class GuardBox: Sendable {
    private let content: Lock<ReservationGuard?>

    /// Puts a guard into a box.
    public init(_ reservation: consuming ReservationGuard) { content = Lock(reservation) }

    /// Returns the guard the first time, nil afterwards.
    public func take() -> ReservationGuard? { content.withLock { $0.take() } }
}
