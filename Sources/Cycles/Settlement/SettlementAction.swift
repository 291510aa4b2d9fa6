/// A step that ``SettlementEngine`` performs for ``SettlementQueue``.
package enum SettlementAction: Sendable {
    /// Write the record, then call ``SettlementQueue/stored(_:isWritten:)``. For `floor` from now on the server does not
    /// want to be asked.
    indirect case store(SettlementJob, SettlementRecord, floor: Duration?)
    /// Send the request, then call ``SettlementQueue/answered(_:_:now:randomness:)``.
    case send(SettlementJob, SettlementStateMachine.Request)
    case tell(SettlementJob, SettlementJob.Progress)
    /// Tell the observer, then call ``SettlementQueue/reported(_:)``.
    indirect case reportRetry(SettlementJob, ScheduledRetry)
    /// Remove the record, or set it aside with the reason of a failure, then call ``SettlementQueue/forgotten(_:)``.
    case forget(SettlementJob, Result<Settlement, CyclesError>)
    /// Tell whoever waits for a flush.
    case endFlush(FlushReport, @Sendable (FlushReport) -> Void)
}

/// Actions in their order, of which the first two need no memory of their own.
package struct SettlementActions: Sendable {
    /// The time to set the alarm to, earlier than before; nil leaves it as it is. To be set under the lock that
    /// protects the queue, so that an older answer does not replace a newer one.
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
