/// Asks for budget on behalf of a task that may give up at any time.
///
/// A request that may have left is not aborted: if its task is gone by the time it is answered, what it holds is given
/// back. Carries out what ``ReserveStateMachine`` decides.
final class Reserving: Sendable {
    typealias Waiter = UnsafeContinuation<Result<HeldReservation, CyclesError>, Never>

    private struct State {
        var process: ReserveStateMachine
        var waiter: Waiter?
        /// Whether the task has given up.
        var isAbandoned = false
        /// What goes on in the background once it has.
        var ticket: PendingWork.Ticket?
    }

    private let core: LifecycleCore
    private let request: ReservationCreateRequest
    private let operation: Operation<ReservationCreateResponse>
    private let trace = TraceContext.current
    private let state: Lock<State>

    init(_ core: LifecycleCore, _ request: ReservationCreateRequest) throws(CyclesError) {
        self.core = core
        self.request = request
        operation = try core.reserveOperation(request)
        let redactor = core.background.performer.redactor
        state = Lock(State(process: ReserveStateMachine(key: operation.idempotencyKey, redactor: redactor)))
    }

    func run() async throws(CyclesError) -> HeldReservation {
        let result = await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: Waiter) in
                let isAbandoned = state.withLock { state in
                    if !state.isAbandoned { state.waiter = waiter }
                    return state.isAbandoned
                }
                if isAbandoned {
                    waiter.resume(returning: .failure(.cancelled))
                } else {
                    send()
                }
            }
        } onCancel: {
            abandon()
        }
        return try result.get()
    }

    private func send() {
        core.background.start(operation, trace: trace) { [self] attempt in
            switch state.withLock({ $0.process.attempted(attempt) }) {
            case .sendAgain: send()
            case .granted(let grant):
                if let refusal = core.claim(grant, key: operation.idempotencyKey) {
                    finish(.failure(refusal), holding: nil)
                } else {
                    finish(.success(grant), holding: grant.reservationID)
                }
            case .failed(let error, let holding):
                if let holding {
                    let ticket = state.withLock { $0.ticket }
                    core.giveBackUnclaimed(holding, reason: "the answer was not usable", trace: trace, after: ticket)
                }
                finish(.failure(error), holding: nil)
            }
        }
    }

    private func finish(_ result: Result<ReservationGrant, CyclesError>, holding: ReservationID?) {
        let (waiter, ticket) = state.withLock { state in
            defer { state.waiter = nil }
            return (state.waiter, state.ticket)
        }
        if let waiter {
            switch result {
            case .success(let grant):
                let held = TraceContext.$current.withValue(trace) { core.hold(grant, request) }
                waiter.resume(returning: .success(held))
            case .failure(let error): waiter.resume(returning: .failure(error))
            }
        } else if let holding {
            core.giveBack(holding, reason: "the reserving task was cancelled", trace: trace, after: ticket)
        }
        if let ticket { core.pending.end(ticket) }
    }

    private func abandon() {
        let waiter = state.withLock { state in
            state.isAbandoned = true
            // With a waiter the request is on its way, and is seen through.
            if state.waiter != nil { state.ticket = core.pending.begin(counts: false) }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: .failure(.cancelled))
    }
}
