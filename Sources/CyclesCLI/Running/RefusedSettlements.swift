import Cycles
import Synchronization

/// Keeps what the server refuses for good, and what is wrong with the journal, for a report at the end.
final class RefusedSettlements: CyclesObserver {
    private struct State {
        var count = 0
        var lines: [String] = []
    }

    private let state = Mutex(State())

    var count: Int { state.withLock { $0.count } }
    var lines: [String] { state.withLock { $0.lines } }

    func observe(_ event: CyclesEvent) {
        switch event {
        case .settlementFailed(let id, let error):
            state.withLock { state in
                state.count += 1
                state.lines.append("\(id) is rejected, and its record is kept aside: \(error)")
            }
        case .journalProblem(let problem): state.withLock { $0.lines.append("\(problem)") }
        default: break
        }
    }
}
