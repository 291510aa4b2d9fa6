/// Names something that is no settlement but may lead to some: reading the journal, or a reserve whose task is gone.
package struct Errand: Hashable, Sendable {
    fileprivate let number: UInt64
}

/// Counts what goes on, for flushes: what goes on when a flush begins, and whatever follows from that.
///
/// Everything that begins gets a number, and whatever follows from an errand gets the errand's. A flush waits for the
/// numbers that there are when it begins.
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

        /// Whether something that it waits for can finish before the deadline.
        fileprivate func canFinish(_ scheduled: DeadlineHeap<SettlementJob>) -> Bool {
            // Only what is scheduled may rest: with more than that left, some of it is under way.
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

    /// A job begins.
    mutating func enter(_ job: SettlementJob, after errand: Errand?) {
        job.number = errand?.number ?? nextNumber()
        live += 1
        if job.isReplay { liveReplays += 1 }
        for index in flushes.indices where flushes[index].covers(job.number, isReplay: job.isReplay) {
            flushes[index].left += 1
        }
    }

    /// A job is over.
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

    /// Ends flushes whose time is over.
    mutating func expire(where isOver: (Flush) -> Bool) {
        for index in flushes.indices where isOver(flushes[index]) { flushes[index].isExpired = true }
    }

    /// Takes the flushes that need not wait any longer.
    mutating func takeFinished(among scheduled: DeadlineHeap<SettlementJob>) -> [Flush] {
        guard !flushes.isEmpty else { return [] }
        let finished = flushes.filter { $0.isExpired || !$0.canFinish(scheduled) }
        if !finished.isEmpty { flushes.removeAll { flush in finished.contains { $0.id == flush.id } } }
        return finished
    }
}
