/// The slow settlements that are due.
///
/// A round begins with one request that probes the API key. Once an answer has shown that the server accepts the key, 8
/// requests are in flight at a time.
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

    /// Removes the next job to send; nil if none waits or no place is free.
    mutating func next() -> SettlementJob? {
        guard inFlight < limit, !line.isEmpty else { return nil }
        inFlight += 1
        let job = line.removeFirst()
        job.holdsPlace = true
        return job
    }

    /// Frees the place of a job. Returns false if it has none.
    mutating func leave(_ job: SettlementJob) -> Bool {
        guard job.holdsPlace else { return false }
        job.holdsPlace = false
        inFlight -= 1
        return true
    }

    mutating func keyIsAccepted() { limit = SlowLane.width }

    mutating func probeAgain() { limit = 1 }

    /// Removes and returns the jobs that have not been sent.
    mutating func removeAll() -> [SettlementJob] {
        defer { line = [] }
        return line
    }
}
