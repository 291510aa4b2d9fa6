/// A reservation that is yours to settle, once, on a thread that may block.
///
/// As ``ReservationGuard``, without Swift concurrency: committing or releasing consumes the guard, so that a second one
/// does not compile, and a guard that ends unfinished gives its hold back or settles what was recorded, in the
/// background.
public struct BlockingReservationGuard: ~Copyable, Sendable {
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

    /// A handle to record spend with, for other threads and for what must not finish the guard.
    public var context: CyclesContext { CyclesContext(held) }

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

    /// Settles the reservation at what was really spent (specification: `commitReservation`).
    ///
    /// As ``ReservationGuard/commit(_:metrics:metadata:)``. The first attempt happens on this thread; retries happen in
    /// the background, and are waited for up to ``RetryPolicy/inlineBudget``.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(
        _ actual: Amount,
        metrics: CyclesMetrics? = nil,
        metadata: [String: JSONValue] = [:]
    ) throws(CyclesError) -> Settlement {
        let held = held
        return try held.blockForSettlement { done in
            held.settle(actual: actual, metrics: metrics, metadata: metadata, done)
        }
    }

    /// Settles the reservation with a request, as ``commit(_:metrics:metadata:)`` does.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(_ request: CommitRequest) throws(CyclesError) -> Settlement {
        let held = held
        return try held.blockForSettlement { done in held.settle(request, done) }
    }

    /// Gives the whole hold back (specification: `releaseReservation`). If spend above zero was recorded, that is settled
    /// instead.
    /// - Parameter reason: Why, at most 256 Unicode scalars.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func release(reason: String? = nil) throws(CyclesError) -> Settlement {
        let held = held
        return try held.blockForSettlement { done in held.release(ReleaseRequest(reason: reason), done) }
    }

    /// Asks for the lease to last longer, counted from its present expiry (specification: `extendReservation`).
    ///
    /// Not needed to keep the lease alive. Sent once.
    /// - Parameter span: 1 millisecond to 24 hours.
    /// - Throws: ``CyclesError``.
    public borrowing func extend(by span: Duration) throws(CyclesError) {
        try blocking { done in held.extend(by: span, done) }.get()
    }
}

extension HeldReservation {
    /// Begins to settle on this thread, and waits until that is over or goes on in the background.
    fileprivate func blockForSettlement(
        _ begin: (_ done: @escaping Completion) -> Void
    ) throws(CyclesError) -> Settlement {
        try latest(blocking(helping: core.time, begin)).get()
    }

    /// The settlement as it stands when a call on this thread returns: the attempt that the thread made itself may have
    /// settled it after the time that somebody else would have waited.
    func latest(_ answer: Result<Settlement, CyclesError>) -> Result<Settlement, CyclesError> {
        guard case .success(.queued) = answer else { return answer }
        return settlement ?? answer
    }
}
