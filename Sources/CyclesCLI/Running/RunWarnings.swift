import Cycles
import Synchronization

/// Says on standard error what whoever runs a command should know, each kind once for a reservation. How the command's own
/// reservation was settled is said where that is known.
final class RunWarnings: CyclesObserver {
    private struct State {
        var own: ReservationID?
        var said: Set<String> = []
    }

    private let state = Mutex(State())

    /// Whose settlement is reported elsewhere.
    func own(_ id: ReservationID) { state.withLock { $0.own = id } }

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
        case .settlementFailed(let id, let error):
            guard id != state.withLock({ $0.own }) else { return nil }
            return (
                "settlement \(id)", "what was spent earlier on \(id) is refused: \(error); cycles journal list shows it"
            )
        case .journalProblem(let problem): return ("journal \(problem.path ?? "")", "\(event)")
        default: return nil
        }
    }
}
