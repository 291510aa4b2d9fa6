/// The slow settlements that are due, in one queue for each API key.
///
/// A round begins with one request that probes the key. Once an answer shows that the server accepts the key, up to 8
/// requests with the key are in flight at a time. All keys together have at most 8 requests in flight, and take turns.
struct SlowLane {
    private static let width = 8

    private struct Line {
        var jobs: [SettlementJob] = []
        var inFlight = 0
        var limit = 1
        /// Whether the key has a turn.
        var isReady = false

        var isIdle: Bool { jobs.isEmpty && inFlight == 0 }
        var maySend: Bool { !jobs.isEmpty && inFlight < limit }
    }

    private var lines: [ObjectIdentifier: Line] = [:]
    /// The keys that may send, in the order of their turns.
    private var turns: [ObjectIdentifier] = []
    private var waiting = 0
    private var inFlight = 0

    var isEmpty: Bool { waiting == 0 }

    mutating func append(_ job: SettlementJob) {
        change(job.owner.keyID) { $0.jobs.append(job) }
    }

    /// Removes the next job to send; nil if no job waits or no place is free.
    mutating func next() -> SettlementJob? {
        while inFlight < SlowLane.width, !turns.isEmpty {
            let job: SettlementJob? = change(turns.removeFirst()) { line in
                line.isReady = false
                guard line.maySend else { return nil }
                line.inFlight += 1
                return line.jobs.removeFirst()
            }
            guard let job else { continue }
            job.holdsPlace = true
            return job
        }
        return nil
    }

    /// Frees a job's place. Returns false if the job has none.
    mutating func leave(_ job: SettlementJob) -> Bool {
        guard job.holdsPlace else { return false }
        job.holdsPlace = false
        change(job.owner.keyID) { $0.inFlight -= 1 }
        return true
    }

    mutating func isAccepted(_ key: ObjectIdentifier) { change(key) { $0.limit = SlowLane.width } }

    mutating func probeAgain(_ key: ObjectIdentifier) { change(key) { $0.limit = 1 } }

    /// Removes and returns the jobs of a key that have not been sent.
    mutating func removeAll(of key: ObjectIdentifier) -> [SettlementJob] {
        change(key) { line in
            defer { line.jobs = [] }
            return line.jobs
        }
    }

    /// Removes and returns all jobs that have not been sent.
    mutating func removeAll() -> [SettlementJob] { lines.keys.flatMap { removeAll(of: $0) } }

    /// Changes the queue of a key, and gives the key a turn if it may send.
    @discardableResult
    private mutating func change<Result>(_ key: ObjectIdentifier, _ body: (inout Line) -> Result) -> Result {
        var line = lines.removeValue(forKey: key) ?? Line()
        let (jobs, sent) = (line.jobs.count, line.inFlight)
        let result = body(&line)
        inFlight += line.inFlight - sent
        waiting += line.jobs.count - jobs
        if line.maySend, !line.isReady {
            line.isReady = true
            turns.append(key)
        }
        // The next round of a key whose line is removed begins with a probe.
        if !line.isIdle || line.isReady { lines[key] = line }
        return result
    }
}
