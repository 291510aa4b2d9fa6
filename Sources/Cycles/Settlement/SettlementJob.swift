/// One settlement or release on its way: its identity for whoever performs the queue's actions.
///
/// Unchecked since its variables belong to the queue that it is in: they are touched by that queue's methods only, one
/// thread at a time.
package final class SettlementJob: DeadlineHeapElement, @unchecked Sendable {
    /// The progress of a job, for the caller that asked for the settlement.
    package enum Progress: Sendable {
        /// It goes on in the background. Sent at most once, to whoever waits; `isDurable` says whether it survives the
        /// end of the process.
        case queued(isDurable: Bool)
        /// It is over. Sent once; `isAwaited` says whether somebody still waits.
        case finished(Result<Settlement, CyclesError>, isAwaited: Bool)
    }

    enum Phase {
        /// Its record is being written; its request is sent after that.
        case storing
        /// Its request is under way.
        case sending
        /// Its next request is due at that time.
        case waiting(until: Duration)
        /// It waits in line among the slow ones.
        case inLine
        /// It is over, or its record is being removed.
        case over
    }

    package let reservationID: ReservationID
    package let trace: TraceContext?
    /// Takes the job's progress: on any thread, and possibly the end before `queued`.
    package let progress: @Sendable (Progress) -> Void

    var machine: SettlementStateMachine
    var phase = Phase.sending
    var lastError: CyclesError?
    /// Until when somebody waits for the job; nil if nobody does, or any more.
    var awaitedUntil: Duration?
    /// The time before which the server does not want to be asked.
    var floor = Duration.zero
    /// Whether a journal has the record.
    var isDurable = false
    /// The number of writes of the record that are under way.
    var writes = 0
    /// Whether its quick retries are over, so that it takes a place among the slow ones.
    var isSlow = false
    var holdsPlace = false
    /// The API key that its last request carried.
    var keyGeneration = 0
    /// Where it stands among everything that the queue has begun. Whatever follows from something has its number.
    var number: UInt64 = 0
    /// Whether an earlier process began it.
    let isReplay: Bool
    // Sound: only the heap uses it, one statement at a time.
    @exclusivity(unchecked) var heapPosition: Int?

    package init(
        _ reservationID: ReservationID,
        _ machine: SettlementStateMachine,
        trace: TraceContext? = nil,
        isReplay: Bool = false,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        self.reservationID = reservationID
        self.machine = machine
        self.trace = trace
        self.isReplay = isReplay
        self.progress = progress
    }

    var nextAttempt: Duration? { if case .waiting(let time) = phase { time } else { nil } }

    /// When the queue has to look at the job if nothing happens before.
    var nextEvent: Duration? {
        guard let awaitedUntil else { return nextAttempt }
        return min(awaitedUntil, nextAttempt ?? awaitedUntil)
    }

    /// The job as callers see it; nil for a release.
    func pendingSettlement(now: Duration) -> PendingSettlement? {
        machine.record.map { record in
            PendingSettlement(
                reservationID: reservationID,
                isDurable: isDurable,
                isEvent: record.mode == .event,
                recordedAtMilliseconds: record.recordedAtMilliseconds,
                nextAttempt: nextAttempt.map { max(.zero, $0 - now) },
                lastError: lastError
            )
        }
    }

    /// Whether nothing can come of the job until after a deadline.
    func rests(beyond deadline: Duration) -> Bool { writes == 0 && (nextAttempt.map { $0 > deadline } ?? false) }
}
