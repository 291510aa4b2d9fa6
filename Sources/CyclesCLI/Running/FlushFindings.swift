import Cycles

/// Records failed settlements and problems of the journal during a flush, for the report at its end.
final class FlushFindings: CyclesObserver {
    private struct State {
        var refused = 0
        var setAside = 0
        var lines: [String] = []
    }

    private let state = Lock(State())

    /// The number of settlements that the server refused permanently.
    var refused: Int { state.withLock { $0.refused } }
    /// The number of files that were set aside: refused settlements and corrupt files.
    var setAside: Int { state.withLock { $0.setAside } }
    var lines: [String] { state.withLock { $0.lines } }

    func observe(_ event: CyclesEvent) {
        state.withLock { state in
            switch event {
            case .settlementFailed(let id, let error, _):
                state.refused += 1
                state.lines.append("\(id) is rejected: \(error)")
            case .recordSetAside(let record):
                state.setAside += 1
                // The previous line contains the reason of a rejected record.
                let reason = record.reservationID == nil ? ": \(record.reason)" : ""
                state.lines.append("set aside as \(record.path)\(reason)")
            case .journalProblem(let problem): state.lines.append("\(problem)")
            default: break
            }
        }
    }
}
