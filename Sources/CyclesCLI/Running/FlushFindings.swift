import Cycles

/// Keeps what becomes of the settlements of a flush that fail, and the problems of the journal, for the report at the end.
final class FlushFindings: CyclesObserver {
    private struct State {
        var refused = 0
        var setAside = 0
        var lines: [String] = []
    }

    private let state = Lock(State())

    /// The settlements that the server refused for good.
    var refused: Int { state.withLock { $0.refused } }
    /// The files that were set aside: refused settlements, and those that are no records.
    var setAside: Int { state.withLock { $0.setAside } }
    var lines: [String] { state.withLock { $0.lines } }

    func observe(_ event: CyclesEvent) {
        state.withLock { state in
            switch event {
            case .settlementFailed(let id, let error):
                state.refused += 1
                state.lines.append("\(id) is rejected: \(error)")
            case .recordSetAside(let record):
                state.setAside += 1
                // The reason of a rejected one is in the line before.
                let reason = record.reservationID == nil ? ": \(record.reason)" : ""
                state.lines.append("set aside as \(record.path)\(reason)")
            case .journalProblem(let problem): state.lines.append("\(problem)")
            default: break
            }
        }
    }
}
