/// An action that ``SettlementEngine`` performs for ``SettlementQueue``.
package enum SettlementAction: Sendable {
    /// The claim on a record file that an attempt requires.
    package enum FileClaim: Sendable {
        /// Claim the file if the record is due, given the attempts of all processes.
        case whenDue
        /// Claim the file even if another process made an attempt recently.
        case atOnce
        /// Make no claim: the file is already claimed, or cannot be claimed.
        case done
    }

    /// Write the record, then call ``SettlementQueue/stored(_:isWritten:)``. `floor` is the wait that the server asked
    /// for, stored in the record. `isSentNext` says whether an attempt follows the write; otherwise the write ends one.
    indirect case store(SettlementJob, SettlementRecord, floor: Duration?, isSentNext: Bool)
    /// Send the request, then call ``SettlementQueue/answered(_:_:now:randomness:attemptedAt:)``. If the record has a
    /// file that is not locked for this attempt, claim the file first and call
    /// ``SettlementQueue/claimed(_:_:now:wall:randomness:)`` instead. With ``FileClaim/done``, send without a claim.
    case send(SettlementJob, SettlementStateMachine.Request, FileClaim)
    /// Release the lock on the record file. `at` is the time at which the attempt began.
    case endAttempt(SettlementJob, at: Int64)
    /// Take over the logs of processes that have ended, and replay the records of the owner's identity.
    case sweep(SettlementOwner)
    case tell(SettlementJob, SettlementJob.Progress)
    /// Report the retry to the observer, then call ``SettlementQueue/reported(_:)``. `leavesLog` says whether the next
    /// attempt lies beyond the inline budget, so that the record needs a file that other processes can find.
    indirect case reportRetry(SettlementJob, ScheduledRetry, leavesLog: Bool)
    /// Remove the record after a success, or set it aside with the error, then call ``SettlementQueue/forgotten(_:)``.
    case forget(SettlementJob, Result<Settlement, CyclesError>)
    /// Pass the report to the caller of a flush.
    case endFlush(FlushReport, @Sendable (FlushReport) -> Void)
}

/// A list of actions. The first two are stored inline, without an allocation.
package struct SettlementActions: Sendable {
    /// The new, earlier time of the alarm; nil for no change. Set the alarm under the lock that protects the queue, so
    /// that no older time replaces a newer one.
    package internal(set) var alarm: Duration?
    private var first: SettlementAction?
    private var second: SettlementAction?
    private var rest: [SettlementAction] = []

    mutating func append(_ action: SettlementAction) {
        if first == nil {
            first = action
        } else if second == nil {
            second = action
        } else {
            rest.append(action)
        }
    }

    package func forEach(_ body: (SettlementAction) -> Void) {
        if let first { body(first) }
        if let second { body(second) }
        for action in rest { body(action) }
    }
}
