/// Work that may lead to settlements: reading the journal, or a reserve request whose task was cancelled.
package struct Errand: Hashable, Sendable {
    fileprivate let number: UInt64
    fileprivate let identity: Int
    /// Whether the errand leads to settlements that an earlier process left.
    fileprivate let isReplay: Bool
}

/// Counts the jobs and errands that each flush waits for: those in progress when the flush begins, and those that
/// result from them.
///
/// Every job and errand gets a number. A job that results from an errand gets the errand's number. A flush waits for
/// all numbers assigned before it began.
struct FlushLedger {
    struct Flush {
        let id: UInt64
        let deadline: Duration
        let completion: @Sendable (FlushReport) -> Void
        fileprivate let last: UInt64
        /// The identity whose work the flush waits for; nil for all.
        fileprivate let identity: Int?
        fileprivate let includesReplays: Bool
        /// The number of jobs and errands that the flush still waits for.
        fileprivate var left: Int
        fileprivate var ended = 0
        fileprivate var isExpired = false

        var report: FlushReport { FlushReport(settled: ended, stillPending: left) }

        fileprivate func covers(_ item: Item) -> Bool {
            item.number <= last && (includesReplays || !item.isReplay) && (identity == nil || identity == item.identity)
        }

        /// Whether any job or errand of the flush can finish before its deadline.
        fileprivate func canFinish(_ scheduled: DeadlineHeap<SettlementJob>) -> Bool {
            // Only scheduled jobs can be idle: if more are left than scheduled, at least one is in progress.
            left > scheduled.count
                || left
                    > scheduled.all.count {
                        covers(Item($0)) && $0.isIdle(until: deadline)
                    }
        }
    }

    /// A job or errand.
    fileprivate struct Item {
        let number: UInt64
        let identity: Int
        let isReplay: Bool

        init(_ job: SettlementJob) {
            (number, identity, isReplay) = (job.number, job.owner.identity.number, job.isReplay)
        }

        init(_ errand: Errand) {
            (number, identity, isReplay) = (errand.number, errand.identity, errand.isReplay)
        }
    }

    private struct Count {
        var live = 0
        var replays = 0
    }

    private var lastNumber: UInt64 = 0
    /// The numbers of unfinished jobs and errands of each identity.
    private var counts: [Int: Count] = [:]
    private var flushes: [Flush] = []

    /// The earliest deadline of all flushes.
    var nextDeadline: Duration? { flushes.isEmpty ? nil : flushes.lazy.map(\.deadline).min() }

    private mutating func nextNumber() -> UInt64 {
        lastNumber += 1
        return lastNumber
    }

    private mutating func count(_ item: Item, by change: Int) {
        var count = counts[item.identity] ?? Count()
        count.live += change
        if item.isReplay { count.replays += change }
        counts[item.identity] = count.live > 0 ? count : nil
    }

    /// Adds a job.
    mutating func enter(_ job: SettlementJob, after errand: Errand?) {
        job.number = errand?.number ?? nextNumber()
        let item = Item(job)
        count(item, by: 1)
        for index in flushes.indices where flushes[index].covers(item) { flushes[index].left += 1 }
    }

    /// Removes a finished job.
    mutating func leave(_ job: SettlementJob) { leave(Item(job), counted: 1) }

    mutating func beginErrand(of identity: Int, isReplay: Bool) -> Errand {
        let errand = Errand(number: nextNumber(), identity: identity, isReplay: isReplay)
        count(Item(errand), by: 1)
        return errand
    }

    mutating func endErrand(_ errand: Errand) { leave(Item(errand), counted: 0) }

    /// Whether any flush waits for the job.
    func isAwaited(_ job: SettlementJob) -> Bool { flushes.contains { $0.covers(Item(job)) } }

    private mutating func leave(_ item: Item, counted: Int) {
        count(item, by: -1)
        for index in flushes.indices where flushes[index].covers(item) {
            flushes[index].left -= 1
            flushes[index].ended += counted
        }
    }

    mutating func begin(
        _ id: UInt64,
        _ deadline: Duration,
        of identity: Int?,
        includesReplays: Bool,
        _ completion: @escaping @Sendable (FlushReport) -> Void
    ) {
        let counts = identity.map { [self.counts[$0] ?? Count()] } ?? Array(self.counts.values)
        flushes.append(
            Flush(
                id: id,
                deadline: deadline,
                completion: completion,
                last: lastNumber,
                identity: identity,
                includesReplays: includesReplays,
                left: counts.reduce(0) { $0 + $1.live - (includesReplays ? 0 : $1.replays) }
            )
        )
    }

    /// Ends the flushes for which `isOver` returns true.
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
