import Cycles
import Synchronization

/// Says on standard error what whoever runs a command should know, each kind once for a reservation.
final class RunWarnings: CyclesObserver {
    private struct State {
        var own: ReservationID?
        var spend: Amount?
        var said: Set<String> = []
    }

    private let hasJournal: Bool
    private let state = Mutex(State())

    init(hasJournal: Bool) { self.hasJournal = hasJournal }

    /// Which reservation is the command's own.
    func begin(_ id: ReservationID) { state.withLock { $0.own = id } }

    /// What that is settled at; nil if the command did not say.
    func settle(at spend: Amount?) { state.withLock { $0.spend = spend } }

    func observe(_ event: CyclesEvent) {
        guard let (kind, text) = warning(event) else { return }
        if state.withLock({ $0.said.insert(kind).inserted }) { Console.error("cycles run: \(text)") }
    }

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
        case .settlementFailed(let id, let error): return ("settlement \(id)", failure(of: id, error))
        case .journalProblem(let problem): return ("journal \(problem.path ?? "")", "\(event)")
        default: return nil
        }
    }

    private func failure(of id: ReservationID, _ error: CyclesError) -> String {
        let (own, spend) = state.withLock { ($0.own, $0.spend) }
        let kept = hasJournal ? "; the record is kept aside, see cycles journal list" : ""
        guard id == own else { return "what was spent earlier, on \(id), is not in the ledger: \(error)\(kept)" }
        if case .validation = error {
            return "the command did not report what it used: nothing is settled, and the hold of \(id) runs out"
        }
        guard let spend else { return "the hold of \(id) could not be given back, and runs out: \(error)" }
        return "what was spent, \(spend), is not in the ledger: \(error)\(kept)"
    }
}
