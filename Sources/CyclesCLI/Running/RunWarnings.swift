import Cycles

/// Says on standard error what whoever runs a command should know, each kind once for a reservation.
final class RunWarnings: CyclesObserver {
    private struct State {
        var own: ReservationID?
        var spend: Amount?
        var said: Set<String> = []
        /// The failures of which it is not known yet whether a record is kept.
        var failures: [ReservationID: String] = [:]
    }

    private let state = Lock(State())

    /// Which reservation is the command's own.
    func begin(_ id: ReservationID) { state.withLock { $0.own = id } }

    /// What that is settled at; nil if the command did not say.
    func settle(at spend: Amount?) { state.withLock { $0.spend = spend } }

    /// Says what is left to say, once nothing more can happen.
    func finish() {
        let failures = state.withLock { state in
            defer { state.failures = [:] }
            return state.failures
        }
        for (_, text) in failures.sorted(by: { $0.key.rawValue < $1.key.rawValue }) { say(text) }
    }

    func observe(_ event: CyclesEvent) {
        switch event {
        case .settlementFailed(let id, let error):
            let text = failure(of: id, error)
            state.withLock { $0.failures[id] = text }
            return
        case .recordSetAside(let record):
            let failure = record.reservationID.flatMap { id in state.withLock { $0.failures.removeValue(forKey: id) } }
            say(failure.map { "\($0); the record is kept aside, see cycles journal list" } ?? "\(event)")
            return
        default: break
        }
        guard let (kind, text) = warning(event) else { return }
        if state.withLock({ $0.said.insert(kind).inserted }) { say(text) }
    }

    private func say(_ text: String) { Console.error("cycles run: \(text)") }

    private func warning(_ event: CyclesEvent) -> (kind: String, text: String)? {
        switch event {
        case .leaseAttemptFailed(let failure):
            // That it has stopped is said by an event of its own.
            guard case .retrying = failure.disposition else { return nil }
            return ("attempt \(failure.reservationID)", "\(event)")
        case .leaseStopped(let id, _): return ("stop \(id)", "\(event)")
        case .leaseLost(let loss): return ("loss \(loss.reservationID)", "\(event)")
        case .leaseAtRisk(let id, _): return ("risk \(id)", "\(event)")
        case .retryScheduled(let retry): return ("retry \(retry.reservationID)", "\(event)")
        case .guardDropped(let id, _): return ("drop \(id)", "\(event)")
        case .valueIgnored(let id, _): return ("value \(id)", "\(event)")
        case .journalProblem(let problem): return ("journal \(problem.path ?? "")", "\(event)")
        case .systemProblem: return ("system", "\(event)")
        default: return nil
        }
    }

    private func failure(of id: ReservationID, _ error: CyclesError) -> String {
        let (own, spend) = state.withLock { ($0.own, $0.spend) }
        guard id == own else { return "what was spent earlier, on \(id), is not in the ledger: \(error)" }
        if case .validation = error {
            return "the command did not report what it used: nothing is settled, and the hold of \(id) runs out"
        }
        guard let spend else { return "the hold of \(id) could not be given back, and runs out: \(error)" }
        return "what was spent, \(spend), is not in the ledger: \(error)"
    }
}
