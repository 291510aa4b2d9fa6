/// The state of one held reservation, shared by its guard, its contexts and the background engines.
package final class HeldReservation: Sendable {
    package let reservationID: ReservationID
    let scope: ClientScope
    private let identity: SettlementIdentity
    private let subject: Subject
    private let action: Action
    let estimate: Amount
    /// The body of the answer that granted the reservation.
    private let answer: [UInt8]
    private let lease: Lease
    private let trace: TraceParent

    private let state = Lock(State())

    private enum Phase { case held, settling, settled }

    private struct State {
        var phase = Phase.held
        var spend: Int64?
        /// Whether an unusable amount was recorded. The spend is then unknown, and at least the estimate is charged.
        var isSpendUnknown = false
        // An object, to keep reservations small: most have no annotations.
        var annotations: Annotations?
        var outcome: Result<Settlement, CyclesError>?

        /// Whether recorded spend is above zero or unknown.
        var hasSpent: Bool { isSpendUnknown || (spend ?? 0) > 0 }
    }

    init(
        _ scope: ClientScope,
        _ identity: SettlementIdentity,
        _ grant: ReservationGrant,
        _ request: ReservationCreateRequest,
        lease: Lease,
        trace: TraceParent
    ) {
        self.scope = scope
        self.identity = identity
        reservationID = grant.reservationID
        subject = request.subject
        action = request.action
        estimate = request.estimate
        answer = grant.answer
        self.lease = lease
        self.trace = trace
    }

    // MARK: The grant

    /// The answer, decoded at each access.
    var response: ReservationCreateResponse {
        do throws(JSONError) {
            return try ReservationCreateResponse(body: answer)
        } catch {
            preconditionFailure("an answer that was valid does not decode: \(error)")
        }
    }

    var expiresAtMilliseconds: Int64 {
        scope.keeper.expiry(lease)
    }

    // MARK: Spend and annotations

    var recordedSpend: Amount? { state.withLock { $0.spend }.map { Amount($0, estimate.unit) } }

    /// Whether recorded spend is above zero or unknown.
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
                "spend of \(amount), which has to be in \(estimate.unit) and 0 or more; the spend is now unknown, "
                    + "and at least the estimate is charged"
            )
        }
    }

    private var annotationValues: Annotations.Values? { state.withLock { $0.annotations }?.values }

    var metrics: CyclesMetrics? { annotationValues?.metrics }

    var metadata: [String: JSONValue] { annotationValues?.metadata ?? [:] }

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

    private func ignore(_ what: String) { scope.observer.observe(.valueIgnored(reservationID, what: what)) }

    // MARK: The lease

    /// The loss of the lease; nil while the lease lasts.
    var loss: LeaseLoss? { scope.keeper.loss(lease) }

    func notify(whenLost: @escaping @Sendable (LeaseLoss) -> Void) {
        scope.keeper.notify(lease, whenLost: whenLost)
    }

    /// Extends the lease once, at the caller's request.
    func extend(by span: Duration, _ done: @escaping @Sendable (Result<Void, CyclesError>) -> Void) {
        let operation: Operation<ExtendResponse>
        do throws(CyclesError) {
            operation = try .extendReservation(reservationID, ExtendRequest(by: span))
        } catch {
            done(.failure(error))
            return
        }
        scope.performer.start(operation, trace: .current, isAwaited: true) { [self] attempt in
            if case .success(let response) = attempt.result {
                scope.keeper.extended(lease, response.value, LeaseReport(response.value, attempt))
            }
            done(attempt.result.map { _ in })
        }
    }

    /// Lets the hold expire instead of charging or releasing it, since the cost of the work is unknown.
    /// - Returns: False if spend has been recorded, which has to be settled.
    func letExpire(_ error: CyclesError) -> Bool {
        let isOver = state.withLock { state in
            if state.hasSpent { return false }
            state.phase = .settled
            state.outcome = .failure(error)
            return true
        }
        guard isOver else { return false }
        scope.keeper.end(lease)
        scope.engine.endClaim(reservationID, of: identity)
        scope.observer.observe(.settlementFailed(reservationID, error))
        return true
    }

    // MARK: Settlement

    /// The latest known outcome of the settlement; nil before one is known.
    var settlement: Result<Settlement, CyclesError>? { state.withLock { $0.outcome } }

    typealias Completion = @Sendable (Result<Settlement, CyclesError>) -> Void

    /// Commits the spend.
    /// - Parameters:
    ///   - actual: The amount to charge; nil charges the recorded spend, or the estimate.
    ///   - latency: The duration of the work, used if the metrics have no latency.
    ///   - completion: Called once when the reservation is settled or refused, or when its settlement continues in the
    ///     background; nil if no caller waits.
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
        scope.keeper.beginSettling(lease)
        let record = SettlementRecord(
            reservationID: reservationID,
            baseURL: scope.baseURL,
            idempotencyKey: terms.commit.idempotencyKey ?? .random(),
            commit: terms.commit,
            subject: subject,
            action: action,
            recordedAtMilliseconds: scope.time.wallMilliseconds
        )
        scope.engine.begin(
            .settle(record),
            of: reservationID,
            for: SettlementOwner(scope.performer, identity),
            trace: currentTrace(completion),
            isAwaited: completion != nil,
            progressed(completion, judgesLoss: true)
        )
    }

    /// Commits the amount, metrics and metadata of a request.
    func settle(_ request: CommitRequest, _ completion: @escaping Completion) {
        settle(
            actual: request.actual,
            metrics: request.metrics,
            metadata: request.metadata,
            key: request.idempotencyKey,
            completion
        )
    }

    /// Releases the hold, or commits the recorded spend if it is above zero or unknown.
    func release(
        _ request: ReleaseRequest,
        latency: Duration? = nil,
        _ completion: Completion?
    ) {
        let hasSpend = state.withLock { state in
            // Closes recording, so that no spend is added after the decision to release.
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
            ignore(error.defect)
            request.reason = nil
        }
        scope.keeper.beginSettling(lease)
        request.idempotencyKey = request.idempotencyKey ?? .random()
        scope.engine.begin(
            .release(request, leaseEnd: scope.keeper.knownEnd(lease)),
            of: reservationID,
            for: SettlementOwner(scope.performer, identity),
            trace: currentTrace(completion),
            isAwaited: completion != nil,
            progressed(completion, judgesLoss: false)
        )
    }

    /// Returns the trace of the settling task, or the reservation's own trace if no task settles.
    private func currentTrace(_ completion: Completion?) -> TraceParent {
        completion == nil ? trace : TraceParent.current.completed(with: trace)
    }

    /// Settles or releases a reservation whose guard ended without commit or release.
    func abandon() {
        let spent: Int64?? = state.withLock { state in
            guard state.phase == .held else { return nil }
            guard state.hasSpent else { return .some(nil) }
            return max(state.spend ?? 0, state.isSpendUnknown ? estimate.amount : 0)
        }
        guard let spent else { return }
        scope.observer.observe(.guardDropped(reservationID, recordedSpend: spent.map { Amount($0, estimate.unit) }))
        release(ReleaseRequest(reason: "the guard was dropped"), nil)
    }

    /// Returns a handler that records the engine's progress and passes it on to the caller.
    private func progressed(
        _ completion: Completion?,
        judgesLoss: Bool
    ) -> @Sendable (SettlementEngine.Progress) -> Void {
        { [self] progress in
            let (result, isOver, isAwaited): (Result<Settlement, CyclesError>, Bool, Bool) =
                switch progress {
                case .queued(let settlement): (.success(settlement), false, true)
                case .finished(let result, let isAwaited): (result, true, isAwaited)
                }
            // Read before the lease ends: a lease that is no longer extended may run out without being lost.
            let loss = isAwaited && judgesLoss && scope.failsLostLeases ? loss : nil
            scope.keeper.end(lease)
            state.withLock { state in
                // The final result may arrive before the report that the settlement was queued.
                if isOver || state.outcome == nil { state.outcome = result }
                state.phase = .settled
            }
            if isAwaited { completion?(judged(result, loss)) }
        }
    }

    /// Turns a settlement into a `leaseLost` failure if its lease was lost. The failure contains the settlement.
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
