/// One reservation that is held: what its guard, its contexts and the background share.
package final class HeldReservation: Sendable {
    package let reservationID: ReservationID
    let core: ClientCore
    private let subject: Subject
    private let action: Action
    let estimate: Amount
    /// The body of the answer that granted it.
    private let answer: [UInt8]
    private let lease: Lease
    private let trace: TraceContext?

    private let state = Lock(State())

    private enum Phase { case held, settling, settled }

    private struct State {
        var phase = Phase.held
        var spend: Int64?
        /// Whether spend was recorded that cannot be added: then the amount is unknown, and the estimate is charged.
        var isSpendUnknown = false
        // An object, since few reservations have any and there may be very many reservations.
        var annotations: Annotations?
        var outcome: Result<Settlement, CyclesError>?

        /// Whether the work has said that it spent something.
        var hasSpent: Bool { isSpendUnknown || (spend ?? 0) > 0 }
    }

    init(
        _ core: ClientCore,
        _ grant: ReservationGrant,
        _ request: ReservationCreateRequest,
        lease: Lease,
        trace: TraceContext?
    ) {
        self.core = core
        reservationID = grant.reservationID
        subject = request.subject
        action = request.action
        estimate = request.estimate
        answer = grant.answer
        self.lease = lease
        self.trace = trace
    }

    // MARK: What was granted

    /// The answer, decoded anew. It was valid when it came.
    var response: ReservationCreateResponse {
        do throws(JSONError) {
            return try ReservationCreateResponse(body: answer)
        } catch {
            preconditionFailure("an answer that was valid does not decode: \(error)")
        }
    }

    var expiresAtMilliseconds: Int64 {
        core.keeper.expiry(lease)
    }

    // MARK: What is known of the spend

    var recordedSpend: Amount? { state.withLock { $0.spend }.map { Amount($0, estimate.unit) } }

    /// Whether the work has said that it spent something.
    var hasSpent: Bool { state.withLock { $0.hasSpent } }

    func addSpend(_ amount: Amount) { record(amount) { ($0 ?? 0).saturatingAdding($1) } }

    func setSpend(_ amount: Amount) { record(amount, replaces: true) { $1 } }

    private func record(
        _ amount: Amount,
        replaces: Bool = false,
        _ combine: (_ before: Int64?, _ amount: Int64) -> Int64
    ) {
        let isUsable = amount.unit == estimate.unit && amount.amount >= 0
        let isLate = state.withLock { state in
            guard state.phase == .held else { return true }
            if isUsable { state.spend = combine(state.spend, amount.amount) }
            state.isSpendUnknown = !isUsable || state.isSpendUnknown && !replaces
            return false
        }
        if isLate {
            ignore("spend of \(amount), since its settlement had begun")
        } else if !isUsable {
            ignore(
                "spend of \(amount), since the reservation is in \(estimate.unit), 0 or more; what was spent is unknown, "
                    + "and the estimate is charged"
            )
        }
    }

    private var said: Annotations.Values? { state.withLock { $0.annotations }?.values }

    var metrics: CyclesMetrics? { said?.metrics }

    var metadata: [String: JSONValue] { said?.metadata ?? [:] }

    func updateMetrics(_ body: (inout CyclesMetrics) -> Void) {
        annotations.update { values in
            var metrics = values.metrics ?? CyclesMetrics()
            body(&metrics)
            values.metrics = metrics
        }
    }

    func updateMetadata(_ body: (inout [String: JSONValue]) -> Void) { annotations.update { body(&$0.metadata) } }

    private var annotations: Annotations {
        state.withLock { state in
            let annotations = state.annotations ?? Annotations()
            state.annotations = annotations
            return annotations
        }
    }

    private func ignore(_ what: String) { core.observer.observe(.valueIgnored(reservationID, what: what)) }

    // MARK: Its lease

    /// How the lease was lost, if it is.
    var loss: LeaseLoss? { core.keeper.loss(lease) }

    func notify(whenLost: @escaping @Sendable (LeaseLoss) -> Void) {
        core.keeper.notify(lease, whenLost: whenLost)
    }

    /// Extends the lease once, on the caller's behalf.
    func extend(by span: Duration, _ done: @escaping @Sendable (Result<Void, CyclesError>) -> Void) {
        let operation: Operation<ExtendResponse>
        do throws(CyclesError) {
            operation = try .extendReservation(reservationID, ExtendRequest(by: span))
        } catch {
            done(.failure(error))
            return
        }
        core.performer.start(operation, trace: .current, isAwaited: true) { [self] attempt in
            if case .success(let response) = attempt.result {
                core.keeper.extended(lease, response.value, LeaseReport(response.value, attempt))
            }
            done(attempt.result.map { _ in })
        }
    }

    /// Leaves the lease to run out: for work whose cost is not known, and which must be neither charged nor released.
    /// - Returns: Whether that is how it ends; not if spend was recorded in the last moment.
    func letGo(_ error: CyclesError) -> Bool {
        let isOver = state.withLock { state in
            if state.hasSpent { return false }
            state.phase = .settled
            state.outcome = .failure(error)
            return true
        }
        guard isOver else { return false }
        core.keeper.end(lease)
        core.engine.endClaim(reservationID)
        core.observer.observe(.settlementFailed(reservationID, error))
        return true
    }

    // MARK: Its end

    /// How it was settled, as far as that is known.
    var settlement: Result<Settlement, CyclesError>? { state.withLock { $0.outcome } }

    typealias Completion = @Sendable (Result<Settlement, CyclesError>) -> Void

    /// Settles what was spent.
    /// - Parameters:
    ///   - actual: What was spent, if the caller can say; what was recorded, or the estimate, otherwise.
    ///   - latency: How long the work took, unless the metrics say so already.
    ///   - completion: Is told once, when it is settled, refused or goes on in the background; nil if nobody waits.
    func settle(
        actual: Amount?,
        metrics: CyclesMetrics? = nil,
        metadata: [String: JSONValue] = [:],
        key: IdempotencyKey? = nil,
        latency: Duration? = nil,
        _ completion: Completion?
    ) {
        let (recorded, isUnknown, annotations) = state.withLock { state in
            state.phase = .settling
            return (state.spend, state.isSpendUnknown, state.annotations)
        }
        let annotated = annotations?.values
        var metrics = metrics ?? annotated?.metrics
        if let latency {
            var timed = metrics ?? CyclesMetrics()
            timed.latency = timed.latency ?? latency
            metrics = timed
        }
        let terms = SettlementTerms(
            actual: actual,
            metrics: metrics,
            metadata: annotated.map { $0.metadata.merging(metadata) { $1 } } ?? metadata,
            key: key,
            recorded: recorded,
            isUnknown: isUnknown,
            estimate: estimate
        )
        for what in terms.ignored { ignore(what) }
        core.keeper.beginSettling(lease)
        let record = SettlementRecord(
            reservationID: reservationID,
            baseURL: core.baseURL,
            idempotencyKey: terms.commit.idempotencyKey ?? .random(),
            commit: terms.commit,
            subject: subject,
            action: action,
            recordedAtMilliseconds: core.time.wallMilliseconds
        )
        core.engine.begin(
            .settle(record),
            of: reservationID,
            trace: currentTrace(completion),
            isAwaited: completion != nil,
            progressed(completion, judgesLoss: true)
        )
    }

    /// Settles what a request says.
    func settle(_ request: CommitRequest, _ completion: @escaping Completion) {
        settle(
            actual: request.actual,
            metrics: request.metrics,
            metadata: request.metadata,
            key: request.idempotencyKey,
            completion
        )
    }

    /// Gives the hold back, or settles the spend if the work has recorded any.
    func release(
        _ request: ReleaseRequest,
        latency: Duration? = nil,
        _ completion: Completion?
    ) {
        let hasSpend = state.withLock { state in
            // From here on nothing is recorded any more that would be lost.
            state.phase = .settling
            return state.hasSpent
        }
        if hasSpend {
            settle(actual: nil, key: request.idempotencyKey, latency: latency, completion)
            return
        }
        var request = request
        do throws(CyclesError) {
            try RequestValidation.releaseReason(request.reason)
        } catch {
            ignore("the reason: \(error)")
            request.reason = nil
        }
        core.keeper.beginSettling(lease)
        request.idempotencyKey = request.idempotencyKey ?? .random()
        core.engine.begin(
            .release(request, leaseEnd: core.keeper.knownEnd(lease)),
            of: reservationID,
            trace: currentTrace(completion),
            isAwaited: completion != nil,
            progressed(completion, judgesLoss: false)
        )
    }

    /// The trace of the task that settles, if one does; else the one that the reservation was made in.
    private func currentTrace(_ completion: Completion?) -> TraceContext? {
        completion == nil ? trace : TraceContext.current ?? trace
    }

    /// Its guard ended without settling it.
    func abandon() {
        let spent: Int64?? = state.withLock { state in
            guard state.phase == .held else { return nil }
            guard state.hasSpent else { return .some(nil) }
            return max(state.spend ?? 0, state.isSpendUnknown ? estimate.amount : 0)
        }
        guard let spent else { return }
        core.observer.observe(.guardDropped(reservationID, recordedSpend: spent.map { Amount($0, estimate.unit) }))
        release(ReleaseRequest(reason: "the guard was dropped"), nil)
    }

    /// Takes the engine's progress on its way to the caller.
    private func progressed(
        _ completion: Completion?,
        judgesLoss: Bool
    ) -> @Sendable (SettlementEngine.Progress) -> Void {
        { [self] progress in
            let (result, isOver, isAwaited): (Result<Settlement, CyclesError>, Bool, Bool) =
                switch progress {
                case .queued(let isDurable): (.success(.queued(isDurable: isDurable)), false, true)
                case .finished(let result, let isAwaited): (result, true, isAwaited)
                }
            // The loss counts as of now: afterwards the lease is not looked after any more.
            let loss = isAwaited && judgesLoss && core.failsLostLeases ? loss : nil
            core.keeper.end(lease)
            state.withLock { state in
                // That it is over may be known before that it was queued.
                if isOver || state.outcome == nil { state.outcome = result }
                state.phase = .settled
            }
            if isAwaited { completion?(judged(result, loss)) }
        }
    }

    /// A policy may make a failure of a settlement, for the lease that was lost before it.
    private func judged(_ result: Result<Settlement, CyclesError>, _ loss: LeaseLoss?) -> Result<
        Settlement, CyclesError
    > {
        guard var loss else { return result }
        switch result {
        case .success(let settlement): loss.settlement = settlement
        case .failure(let error): loss.message += ", and its settlement failed: \(error)"
        }
        return .failure(.leaseLost(loss))
    }
}
