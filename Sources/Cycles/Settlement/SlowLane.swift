/// Slow settlements that are due: a round of them begins with one that probes the key, and goes on with 8 at a time once
/// an answer has shown that the server accepts it.
struct SlowLane {
    private static let width = 8

    private var line: [SettlementJob] = []
    private var inFlight = 0
    private var limit = 1

    var isEmpty: Bool { line.isEmpty }

    mutating func append(_ job: SettlementJob) {
        if line.isEmpty, inFlight == 0 { limit = 1 }
        line.append(job)
    }

    /// Takes the next job to be sent, if there is a place for it.
    mutating func next() -> SettlementJob? {
        guard inFlight < limit, !line.isEmpty else { return nil }
        inFlight += 1
        let job = line.removeFirst()
        job.holdsPlace = true
        return job
    }

    /// Gives the place of a job to the next. False if it has none.
    mutating func leave(_ job: SettlementJob) -> Bool {
        guard job.holdsPlace else { return false }
        job.holdsPlace = false
        inFlight -= 1
        return true
    }

    mutating func keyIsAccepted() { limit = SlowLane.width }

    mutating func probeAgain() { limit = 1 }

    /// Removes the jobs that are not sent yet.
    mutating func removeAll() -> [SettlementJob] {
        defer { line = [] }
        return line
    }
}
