/// One settlement or release in a ``SettlementQueue``, identified by reference.
///
/// Unchecked Sendable is sound: only the methods of the job's queue access its variables, and a lock protects the
/// queue.
package final class SettlementJob: DeadlineHeapElement, @unchecked Sendable {
    /// The progress of a job, for the caller that began it.
    package enum Progress: Sendable {
        /// The job continues in the background. Sent at most once, to a waiting caller.
        case queued(Settlement)
        /// The job has finished. Sent once. `isAwaited` tells whether a caller still waits.
        case finished(Result<Settlement, CyclesError>, isAwaited: Bool)
    }

    enum Phase {
        /// The record is being written; the request is sent after that.
        case storing
        /// The request is in flight.
        case sending
        /// The next request is due at a time.
        case waiting(until: Duration)
        /// The job waits in the slow lane.
        case inLine
        /// The job has finished, or its record is being removed.
        case over
    }

    package let reservationID: ReservationID
    package let owner: SettlementOwner
    package let trace: TraceParent
    /// Receives the job's progress, on any thread. `finished` may arrive before `queued`.
    package let progress: @Sendable (Progress) -> Void

    var machine: SettlementStateMachine
    var phase = Phase.sending
    var lastError: CyclesError?
    /// The time until which a caller waits for the job; nil if none waits.
    var awaitedUntil: Duration?
    /// The end of the inline budget, whether or not a caller waits; zero for a replay.
    var inlineUntil = Duration.zero
    /// The earliest time of the next attempt, as requested by the server.
    var floor = Duration.zero
    /// Whether the next attempt ignores the back-off after attempts of other processes.
    var isHurried = false
    /// The time at which the last attempt began, in milliseconds since 1970; 0 if there was none.
    var attemptedAtMilliseconds: Int64 = 0
    /// Whether the record is on disk.
    var isDurable = false
    /// The number of unfinished writes of the record.
    var writes = 0
    /// Whether fast retries are used up, so that the job is sent through the slow lane.
    var isSlow = false
    var holdsPlace = false
    /// The generation of the API key in its last request.
    var keyGeneration = 0
    /// The job's number in the ``FlushLedger``: the number of its errand, if it belongs to one.
    var number: UInt64 = 0
    /// Whether an earlier process left the record in the journal.
    let isReplay: Bool
    // Sound: only the heap uses it, one statement at a time.
    @exclusivity(unchecked) var heapPosition: Int?

    package init(
        _ reservationID: ReservationID,
        of owner: SettlementOwner,
        _ machine: SettlementStateMachine,
        trace: TraceParent = .none,
        isReplay: Bool = false,
        _ progress: @escaping @Sendable (Progress) -> Void
    ) {
        self.reservationID = reservationID
        self.owner = owner
        self.machine = machine
        self.trace = trace
        self.isReplay = isReplay
        self.progress = progress
    }

    var nextAttempt: Duration? { if case .waiting(let time) = phase { time } else { nil } }

    /// The deadline of the job: its next attempt, or the end of its caller's wait.
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
                lastError: lastError,
                tenant: owner.identity.tenant
            )
        }
    }

    /// Whether the job belongs to an identity; nil stands for all identities.
    func belongs(to identity: Int?) -> Bool { identity == nil || owner.identity.number == identity }

    /// Whether the API key has changed since the job's last request was sent.
    var hasOutdatedKey: Bool { keyGeneration < owner.performer.credentials.generation }

    /// Whether the job cannot finish before a deadline.
    func isIdle(until deadline: Duration) -> Bool { writes == 0 && (nextAttempt.map { $0 > deadline } ?? false) }
}
