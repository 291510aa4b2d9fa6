extension CyclesEvent {
    /// The importance of an event, from `debug` up to `error`.
    public enum Severity: Int, Hashable, Sendable, Comparable, CaseIterable {
        /// The ordinary course of work, such as attempts and settlements.
        case debug
        /// Noteworthy; requires no action.
        case info
        /// A problem that the client handles, and that needs attention if it lasts.
        case warning
        /// Spend is missing from the ledger until an operator settles it.
        case error

        /// Orders severities from `debug` up.
        public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    /// The importance of the event. Without an observer, a client writes events from `warning` up to standard error.
    public var severity: Severity {
        switch self {
        case .attemptStarted, .attemptFinished, .reserved, .settlementStarted, .leaseExtended: .debug
        case .settled(_, let settlement, _):
            // A charged estimate, or a settlement by others or in the background, is not the ordinary course.
            switch settlement.outcome {
            case .committed, .released: settlement.chargedEstimate ? .info : .debug
            default: .info
            }
        case .leaseAttemptFailed(let failure):
            // The stop is reported as an event of its own.
            if case .stopped = failure.disposition { .info } else { .warning }
        case .guardDropped(_, let spend, _): spend == nil ? .warning : .info
        case .retryScheduled, .leaseStopped, .leaseLost, .leaseAtRisk, .journalProblem, .systemProblem, .valueIgnored:
            .warning
        case .settlementFailed, .recordSetAside: .error
        }
    }
}

extension CyclesEvent: CustomStringConvertible {
    /// The event as a sentence on one line.
    public var description: String {
        switch self {
        case .attemptStarted(let start): "\(start) has started"
        case .attemptFinished(let end): CyclesEvent.sentence(end)
        case .retryScheduled(let retry):
            "\(retry.operation) for \(retry.reservationID) is retried in \(retry.delay.readable): \(retry.error)"
        case .reserved(let id, _): "A guard holds \(id)"
        case .settlementStarted(let id, _): "The settlement of \(id) has started"
        case .leaseExtended(let lease):
            "The lease of \(lease.reservationID) was extended"
                + (lease.remainingTimeToLive.map { ", and lasts for \($0.readable)" } ?? "")
        case .leaseAttemptFailed(let failure): CyclesEvent.sentence(failure)
        case .leaseStopped(let id, let reason, _):
            "The lease of \(id) is no longer extended: \(reason); its work can still be settled"
        case .leaseLost(let loss): "\(loss)"
        case .leaseAtRisk(let id, let risk, _): "The lease of \(id) may run out: \(risk)"
        case .settled(let id, let settlement, _): "The settlement of \(id) has ended: \(settlement)"
        case .settlementFailed(let id, let error, _): "\(id) could not be settled: \(error)"
        case .guardDropped(let id, let spend, _):
            "The guard of \(id) ended without commit or release; "
                + (spend.map { "the recorded spend of \($0) is committed" } ?? "its hold is released")
        case .journalProblem(let problem): "The settlement journal has a problem: \(problem)"
        case .systemProblem(let problem): "The system refuses a resource: \(problem)"
        case .recordSetAside(let record): "A settlement needs an operator: \(record)"
        case .valueIgnored(let id, let what, _): "A value was left out of the settlement of \(id): \(what)"
        }
    }

    private static func sentence(_ end: AttemptEnd) -> String {
        let time = end.duration.readable
        if let error = end.error { return "\(end.attempt) failed after \(time): \(error)" }
        return "\(end.attempt) was answered\(end.status.map { " with \($0)" } ?? "") after \(time)"
    }

    private static func sentence(_ failure: LeaseAttemptFailure) -> String {
        let subject = "The lease of \(failure.reservationID) could not be extended"
        switch failure.disposition {
        case .retrying(let delay): return "\(subject); the next attempt is in \(delay.readable): \(failure.error)"
        case .stopped(let reason): return "\(subject), and no attempt follows: \(reason): \(failure.error)"
        }
    }
}

extension AttemptStart: CustomStringConvertible {
    /// The operation and the reservation.
    public var description: String { reservationID.map { "\(operation) for \($0)" } ?? operation }
}
