/// Reserves budget for a caller by performing the steps of a ``ReserveStateMachine``.
///
/// A cancelled caller returns at once. Its request is not aborted, since it may have been sent; a resulting hold is
/// released.
final class Reserving: Sendable {
    typealias Completion = @Sendable (Result<HeldReservation, CyclesError>) -> Void

    private struct State {
        var machine: ReserveStateMachine
        /// Resumes the caller; nil before the start, and after the caller was answered.
        var completion: Completion?
        var isAbandoned = false
        /// The background work that finishes the request after the caller was cancelled.
        var errand: Errand?
    }

    private let scope: ClientScope
    private let owner: SettlementOwner
    private let request: ReservationCreateRequest
    private let operation: Operation<ReservationCreateResponse>
    private let key: IdempotencyKey?
    private let trace: TraceParent
    private let state: Lock<State>

    init(_ scope: ClientScope, _ request: ReservationCreateRequest, trace: TraceParent) throws(CyclesError) {
        owner = try scope.owner()
        var request = request
        let operation = try scope.reserveOperation(&request)
        self.scope = scope
        self.request = request
        self.operation = operation
        self.trace = trace
        key = operation.idempotencyKey
        state = Lock(State(machine: ReserveStateMachine(key: key, redactor: scope.performer.redactor)))
    }

    func start(_ completion: @escaping Completion) {
        let isAbandoned = state.withLock { state in
            if !state.isAbandoned { state.completion = completion }
            return state.isAbandoned
        }
        if isAbandoned { completion(.failure(.cancelled)) } else { send() }
    }

    func abandon() {
        let completion = state.withLock { state in
            state.isAbandoned = true
            // A completion means that the request was started, so that it has to be finished in the background.
            if state.completion != nil { state.errand = scope.engine.beginErrand(of: owner.identity) }
            defer { state.completion = nil }
            return state.completion
        }
        completion?(.failure(.cancelled))
    }

    private func send() {
        scope.performer.start(operation, trace: trace, isAwaited: true) { [self] attempt in
            switch state.withLock({ $0.machine.attempted(attempt) }) {
            case .sendAgain: send()
            case .granted(let grant):
                if let refusal = scope.claim(grant, for: owner, key: key) {
                    finish(.failure(refusal))
                } else {
                    finish(.success(grant))
                }
            case .failed(let error, let holding):
                if let holding {
                    let errand = state.withLock { $0.errand }
                    scope.releaseUnclaimed(
                        holding,
                        for: owner,
                        reason: "the answer was not usable",
                        trace: trace,
                        after: errand
                    )
                }
                finish(.failure(error))
            }
        }
    }

    private func finish(_ result: Result<ReservationGrant, CyclesError>) {
        // Not returned by the closure, which would wrap the completion once more.
        var completion: Completion?
        let errand = state.withLock { state in
            swap(&completion, &state.completion)
            return state.errand
        }
        switch (result, completion) {
        case (.success(let grant), let completion?):
            completion(.success(scope.hold(grant, for: owner, request, trace: trace)))
        case (.success(let grant), nil):
            let reason = "the reserving task was cancelled"
            scope.releaseClaimed(grant.reservationID, for: owner, reason: reason, trace: trace, after: errand)
        case (.failure(let error), let completion): completion?(.failure(error))
        }
        if let errand { scope.engine.endErrand(errand) }
    }
}

extension ClientScope {
    /// Reserves budget for the current task. Cancelling the task returns at once.
    func reserve(_ request: ReservationCreateRequest) async throws(CyclesError) -> HeldReservation {
        let reserving = try Reserving(self, request, trace: .current)
        let result = await withTaskCancellationHandler {
            await awaiting { done in reserving.start(done) }
        } onCancel: {
            reserving.abandon()
        }
        return try result.get()
    }

    /// Reserves budget on the caller's thread.
    func reserveBlocking(_ request: ReservationCreateRequest) throws(CyclesError) -> HeldReservation {
        let reserving = try Reserving(self, request, trace: .current)
        return try blocking { done in reserving.start(done) }.get()
    }
}
