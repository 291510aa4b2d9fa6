import Cycles

/// Writes warnings of `run` to standard error, once for each kind and reservation.
final class RunWarnings: CyclesObserver {
    private struct State {
        var own: ReservationID?
        var spend: Amount?
        var said: Set<String> = []
        /// Failed settlements. They are reported once it is known whether their record is set aside.
        var failures: [ReservationID: String] = [:]
    }

    private let state = Lock(State())

    /// Sets the command's own reservation.
    func begin(_ id: ReservationID) { state.withLock { $0.own = id } }

    /// Sets the amount to commit; nil if the command did not report its usage.
    func settle(at spend: Amount?) { state.withLock { $0.spend = spend } }

    /// Writes the remaining failures, once no more events can follow.
    func finish() {
        let failures = state.withLock { state in
            defer { state.failures = [:] }
            return state.failures
        }
        for (_, text) in failures.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { say(text) }
    }

    func observe(_ event: CyclesEvent) {
        switch event {
        case .settlementFailed(let id, let error, _):
            let text = failure(of: id, error)
            state.withLock { $0.failures[id] = text }
            return
        case .recordSetAside(let record):
            let failure = record.reservationID.flatMap { id in state.withLock { $0.failures.removeValue(forKey: id) } }
            say(failure.map { "\($0); the record is set aside; see cycles journal list" } ?? "\(event)")
            return
        default: break
        }
        guard let (kind, text) = warning(event) else { return }
        if state.withLock({ $0.said.insert(kind).inserted }) { say(text) }
    }

    private func say(_ text: String) { Console.error("cycles run: \(text)") }

    private func warning(_ event: CyclesEvent) -> (kind: String, text: String)? {
        guard event.severity >= .warning else { return nil }
        switch event {
        case .leaseAttemptFailed(let failure): return ("attempt \(failure.reservationID)", "\(event)")
        case .leaseStopped(let id, _, _): return ("stop \(id)", "\(event)")
        case .leaseLost(let loss): return ("loss \(loss.reservationID)", "\(event)")
        case .leaseAtRisk(let id, _, _): return ("risk \(id)", "\(event)")
        case .retryScheduled(let retry):
            // A run also attempts earlier settlements that are due. Their retries do not concern this run.
            guard state.withLock({ $0.own }) == retry.reservationID else { return nil }
            return ("retry \(retry.reservationID)", "\(event)")
        case .guardDropped(let id, _, _): return ("drop \(id)", "\(event)")
        case .valueIgnored(let id, _, _): return ("value \(id)", "\(event)")
        case .journalProblem(let problem): return ("journal \(problem.path ?? "")", "\(event)")
        case .systemProblem: return ("system", "\(event)")
        default: return nil
        }
    }

    private func failure(of id: ReservationID, _ error: CyclesError) -> String {
        let (own, spend) = state.withLock { ($0.own, $0.spend) }
        guard id == own else { return "the spend of an earlier run, on \(id), is not in the ledger: \(error)" }
        if case .validation = error {
            return "the command did not report its usage: nothing is settled, and the hold of \(id) expires"
        }
        guard let spend else { return "the hold of \(id) could not be released, and expires by itself: \(error)" }
        return "the spend of \(spend.withDollars) is not in the ledger: \(error)"
    }
}
