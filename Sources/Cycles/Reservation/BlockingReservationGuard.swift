/// A held reservation, to be settled exactly once by `commit` or `release` on a thread that may block.
///
/// The counterpart of ``ReservationGuard`` without Swift concurrency. Committing or releasing consumes the guard: a
/// second call does not compile. A guard that goes out of scope unsettled releases its hold, or commits the recorded
/// spend if it is above zero. Both happen in the background.
public struct BlockingReservationGuard: ~Copyable, Sendable {
    private let held: HeldReservation

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

    /// A handle that records spend but cannot settle the reservation, for other threads and helpers.
    public var context: CyclesContext { CyclesContext(held) }

    /// The recorded spend; nil if none was recorded.
    public var recordedSpend: Amount? { held.recordedSpend }

    /// Adds to the recorded spend, up to `Int64.max`.
    /// A negative amount, or an amount in another unit than the estimate, is reported and makes the spend unknown. The
    /// larger of the estimate and the recorded spend is then charged, marked `actual_source = "estimate"`, unless an
    /// actual amount is committed or ``setSpend(_:)`` replaces the spend.
    public func addSpend(_ amount: Amount) { held.addSpend(amount) }

    /// Replaces the recorded spend. A negative amount, or an amount in another unit than the estimate, leaves the
    /// recorded amount unchanged and makes the spend unknown, as in ``addSpend(_:)``.
    public func setSpend(_ amount: Amount) { held.setSpend(amount) }

    /// Commits the actual spend (specification: `commitReservation`).
    ///
    /// Behaves like ``ReservationGuard/commit(_:metrics:metadata:)``. The first attempt happens on the calling thread;
    /// retries happen in the background, and the call waits for them up to ``RetryPolicy/inlineBudget``.
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

    /// Commits the amount, metrics and metadata of a request, as ``commit(_:metrics:metadata:)`` does.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(_ request: CommitRequest) throws(CyclesError) -> Settlement {
        let held = held
        return try held.blockForSettlement { done in held.settle(request, done) }
    }

    /// Releases the whole hold (specification: `releaseReservation`), or commits the recorded spend if it is above
    /// zero.
    /// - Parameter reason: The reason to store, at most 256 Unicode scalars.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func release(reason: String? = nil) throws(CyclesError) -> Settlement {
        let held = held
        return try held.blockForSettlement { done in held.release(ReleaseRequest(reason: reason), done) }
    }

    /// Extends the lease, counted from its present expiry (specification: `extendReservation`).
    ///
    /// The client's heartbeat extends leases automatically. This request is sent once, without retries.
    /// - Parameter span: The duration of the extension, 1 millisecond to 24 hours.
    /// - Throws: ``CyclesError``.
    public borrowing func extend(by span: Duration) throws(CyclesError) {
        try blocking { done in held.extend(by: span, done) }.get()
    }
}

extension HeldReservation {
    /// Begins a settlement on this thread, and waits until it has finished or continues in the background.
    fileprivate func blockForSettlement(
        _ begin: (_ done: @escaping Completion) -> Void
    ) throws(CyclesError) -> Settlement {
        try latest(blocking(helping: scope.time, begin)).get()
    }

    /// Replaces a `queued` answer by the outcome, if the attempt on this thread settled the reservation in the
    /// meantime.
    func latest(_ answer: Result<Settlement, CyclesError>) -> Result<Settlement, CyclesError> {
        guard case .success(let settlement) = answer, case .queued = settlement.outcome else { return answer }
        return self.settlement ?? answer
    }
}
