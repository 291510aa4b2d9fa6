/// Work that may lead to settlements: reading the journal, or a reserve request whose task was cancelled.
package struct Errand: Hashable, Sendable {
    fileprivate let number: UInt64
}

/// Counts the jobs and errands that flushes wait for: those in progress when a flush begins, and those that follow from
/// them.
///
/// Every job and errand gets a number; a job that follows from an errand gets the errand's. A flush waits for all
/// numbers that were given before it began.
struct FlushLedger {
    struct Flush {
        let id: UInt64
        let deadline: Duration
        let completion: @Sendable (FlushReport) -> Void
        fileprivate let last: UInt64
        fileprivate let includesReplays: Bool
        /// The number of jobs and errands that the flush still waits for.
        fileprivate var left: Int
        fileprivate var ended = 0
        fileprivate var isExpired = false

        var report: FlushReport { FlushReport(settled: ended, stillPending: left) }

        fileprivate func covers(_ number: UInt64, isReplay: Bool) -> Bool {
            number <= last && (includesReplays || !isReplay)
        }

        /// Whether any job or errand of the flush can finish before its deadline.
        fileprivate func canFinish(_ scheduled: DeadlineHeap<SettlementJob>) -> Bool {
            // Only scheduled jobs can rest: if more are left than scheduled, at least one is in progress.
            left > scheduled.count
                || left
                    > scheduled.all.count {
                        covers($0.number, isReplay: $0.isReplay) && $0.rests(beyond: deadline)
                    }
        }
    }

    private var lastNumber: UInt64 = 0
    private var live = 0
    private var liveReplays = 0
    private var flushes: [Flush] = []

    /// The earliest deadline of a flush.
    var nextDeadline: Duration? { flushes.isEmpty ? nil : flushes.lazy.map(\.deadline).min() }

    private mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    /// Adds a job.
    mutating func enter(_ job: SettlementJob, after errand: Errand?) {
        job.number = errand?.number ?? nextNumber()
        live += 1
        if job.isReplay { liveReplays += 1 }
        for index in flushes.indices where flushes[index].covers(job.number, isReplay: job.isReplay) {
            flushes[index].left += 1
        }
    }

    /// Removes a finished job.
    mutating func leave(_ job: SettlementJob) {
        leave(job.number, isReplay: job.isReplay, counted: 1)
    }

    mutating func beginErrand() -> Errand {
        live += 1
        return Errand(number: nextNumber())
    }

    mutating func endErrand(_ errand: Errand) { leave(errand.number, isReplay: false, counted: 0) }

    private mutating func leave(_ number: UInt64, isReplay: Bool, counted: Int) {
        live -= 1
        if isReplay { liveReplays -= 1 }
        for index in flushes.indices where flushes[index].covers(number, isReplay: isReplay) {
            flushes[index].left -= 1
            flushes[index].ended += counted
        }
    }

    mutating func begin(
        _ id: UInt64,
        _ deadline: Duration,
        includesReplays: Bool,
        _ completion: @escaping @Sendable (FlushReport) -> Void
    ) {
        let left = includesReplays ? live : live - liveReplays
        flushes.append(
            Flush(
                id: id,
                deadline: deadline,
                completion: completion,
                last: lastNumber,
                includesReplays: includesReplays,
                left: left
            )
        )
    }

    /// Ends the flushes that match.
    mutating func expire(where isOver: (Flush) -> Bool) {
        for index in flushes.indices where isOver(flushes[index]) { flushes[index].isExpired = true }
    }

    /// Removes and returns the flushes that have nothing left to wait for.
    mutating func takeFinished(among scheduled: DeadlineHeap<SettlementJob>) -> [Flush] {
        guard !flushes.isEmpty else { return [] }
        let finished = flushes.filter { $0.isExpired || !$0.canFinish(scheduled) }
        if !finished.isEmpty { flushes.removeAll { flush in finished.contains { $0.id == flush.id } } }
        return finished
    }
}
