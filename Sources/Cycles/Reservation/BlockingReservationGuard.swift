/// A reservation that is yours to settle, once, on a thread that may block.
///
/// As ``ReservationGuard``, without Swift concurrency: committing or releasing consumes the guard, so that a second one
/// does not compile, and a guard that ends unfinished gives its hold back or settles what was recorded, in the
/// background.
public struct BlockingReservationGuard: ~Copyable, Sendable {
    private let held: HeldReservation
    /// Carries what happens on the caller's thread.
    private let transport: any BlockingHTTPTransport

    init(_ held: HeldReservation, _ transport: any BlockingHTTPTransport) {
        self.held = held
        self.transport = transport
    }

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
        try held.blockForSettlement(over: transport) { held, inline, completion in
            held.settle(actual: actual, metrics: metrics, metadata: metadata, firstOver: inline, completion)
        }
    }

    /// Settles the reservation with a request, as ``commit(_:metrics:metadata:)`` does.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func commit(_ request: CommitRequest) throws(CyclesError) -> Settlement {
        try held.blockForSettlement(over: transport) { held, inline, completion in
            held.settle(
                actual: request.actual,
                metrics: request.metrics,
                metadata: request.metadata,
                key: request.idempotencyKey,
                firstOver: inline,
                completion
            )
        }
    }

    /// Gives the whole hold back (specification: `releaseReservation`). If spend above zero was recorded, that is settled
    /// instead.
    /// - Parameter reason: Why, at most 256 Unicode scalars.
    /// - Throws: ``CyclesError``.
    @discardableResult
    public consuming func release(reason: String? = nil) throws(CyclesError) -> Settlement {
        try held.blockForSettlement(over: transport) { held, inline, completion in
            held.release(ReleaseRequest(reason: reason), firstOver: inline, completion)
        }
    }

    /// Asks for the lease to last longer, counted from its present expiry (specification: `extendReservation`).
    ///
    /// Not needed to keep the lease alive. Sent once.
    /// - Parameter span: 1 millisecond to 24 hours.
    /// - Throws: ``CyclesError``.
    public borrowing func extend(by span: Duration) throws(CyclesError) {
        let operation = try Operation<ExtendResponse>.extendReservation(held.reservationID, ExtendRequest(by: span))
        let attempt = held.core.background.performer.attempt(operation, over: transport)
        let response = try attempt.result.get()
        held.extended(response.value, LeaseReport(response.value, attempt))
    }
}

extension HeldReservation {
    /// Begins to settle on this thread, and waits until that is over or goes on in the background.
    func blockForSettlement(
        over transport: any BlockingHTTPTransport,
        _ begin: (HeldReservation, any CallbackTransport, @escaping Completion) -> Void
    ) throws(CyclesError) -> Settlement {
        let result = WaitableLock<Result<Settlement, CyclesError>?>(nil)
        begin(self, InlineCallbackTransport(transport)) { answer in result.withLock { $0 = answer } }
        return try latest(result.wait(helping: core.time) { $0 }).get()
    }

    /// How it stands when a call on this thread returns: the attempt that it made itself may have settled it after the
    /// time that somebody else would have waited.
    func latest(_ answer: Result<Settlement, CyclesError>) -> Result<Settlement, CyclesError> {
        guard case .success(.queued) = answer else { return answer }
        return settlement ?? answer
    }
}
