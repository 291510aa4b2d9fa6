/// Receives the events of a client as they happen.
///
/// A client without an observer writes warnings to standard error, once for each kind of event and reservation. An
/// observer replaces these warnings.
public protocol CyclesObserver: Sendable {
    /// Receives an event. The client calls this method on any thread, possibly on several at once, and sometimes on the
    /// transport's I/O thread. The method must return soon, and must not wait for the client.
    func observe(_ event: CyclesEvent)
}

/// An action or observation of a client. Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum CyclesEvent: Sendable {
    /// A request was passed to the transport.
    case attemptStarted(AttemptStart)
    /// A request was answered, or failed without an answer.
    case attemptFinished(AttemptEnd)
    /// An attempt to settle or release failed, and is retried after a delay.
    case retryScheduled(ScheduledRetry)
    /// A reservation was granted, and a guard holds it.
    case reserved(ReservationID, tenant: String? = nil)
    /// The settlement or release of a reservation begins. ``settled(_:_:tenant:)`` or
    /// ``settlementFailed(_:_:tenant:)`` follows.
    case settlementStarted(ReservationID, tenant: String? = nil)
    /// A lease was extended.
    case leaseExtended(LeaseExtension)
    /// An attempt to extend a lease failed.
    case leaseAttemptFailed(LeaseAttemptFailure)
    /// A lease is no longer extended. The lease may still last for a while, and its work can still be settled.
    case leaseStopped(ReservationID, LeaseStop, tenant: String? = nil)
    /// A lease ended before its work was settled: it ran out, or the server reported its end. Settlement continues.
    case leaseLost(LeaseLoss)
    /// A lease may run out although no attempt has failed. Reported once for each reason.
    case leaseAtRisk(ReservationID, LeaseRisk, tenant: String? = nil)
    /// A reservation was settled, or its settlement continues in the background.
    case settled(ReservationID, Settlement, tenant: String? = nil)
    /// A settlement or release failed permanently: the server refused it, no time is left for a retry, or the cost of
    /// the work is unknown under ``UnknownActualPolicy/fail``.
    case settlementFailed(ReservationID, CyclesError, tenant: String? = nil)
    /// A guard went out of scope without commit or release. Recorded spend above zero is committed; otherwise the hold
    /// is released.
    case guardDropped(ReservationID, recordedSpend: Amount?, tenant: String? = nil)
    /// The journal failed to read, write or move a file, or found a file that it cannot use. Settlement continues
    /// without that file.
    case journalProblem(JournalProblem)
    /// The system refused a resource, such as a thread. The client continues as far as it can.
    case systemProblem(SystemProblem)
    /// A file of the journal was renamed, since no client can settle it. Its spend is missing from the ledger until an
    /// operator settles it.
    case recordSetAside(SetAsideRecord)
    /// An invalid value was left out of a settlement, or spend was recorded too late to be settled. `what` names the
    /// value and the reason.
    case valueIgnored(ReservationID, what: String, tenant: String? = nil)
}

extension CyclesEvent {
    /// The reservation that the event concerns; nil if it concerns none.
    public var reservationID: ReservationID? {
        switch self {
        case .attemptStarted(let attempt): attempt.reservationID
        case .attemptFinished(let end): end.attempt.reservationID
        case .retryScheduled(let retry): retry.reservationID
        case .leaseExtended(let lease): lease.reservationID
        case .leaseAttemptFailed(let failure): failure.reservationID
        case .leaseLost(let loss): loss.reservationID
        case .recordSetAside(let record): record.reservationID
        case .reserved(let id, _), .settlementStarted(let id, _), .leaseStopped(let id, _, _),
            .leaseAtRisk(let id, _, _), .settled(let id, _, _), .settlementFailed(let id, _, _),
            .guardDropped(let id, _, _), .valueIgnored(let id, _, _):
            id
        case .journalProblem, .systemProblem: nil
        }
    }
}

/// A request that was passed to the transport.
public struct AttemptStart: Hashable, Sendable {
    /// The tenant of the client; nil if none is configured.
    public var tenant: String?
    /// The operation of the specification, such as `commitReservation`.
    public let operation: String
    /// The idempotency key of the request; nil for requests that only read.
    public let idempotencyKey: IdempotencyKey?
    /// The reservation that the request concerns; nil if none exists yet.
    public let reservationID: ReservationID?

    /// Creates a description of a started attempt.
    public init(operation: String, idempotencyKey: IdempotencyKey? = nil, reservationID: ReservationID? = nil) {
        self.operation = operation
        self.idempotencyKey = idempotencyKey
        self.reservationID = reservationID
    }
}

/// A request that was answered, or failed without an answer.
public struct AttemptEnd: Hashable, Sendable {
    /// The attempt that has ended.
    public internal(set) var attempt: AttemptStart
    /// The duration of the attempt, including the wait for a connection.
    public let duration: Duration
    /// The HTTP status of the answer; nil without an answer.
    public let status: Int?
    /// The server's identifier of the request (`X-Request-Id`).
    public let requestID: String?
    /// The trace of the request at the server (`X-Cycles-Trace-Id`).
    public let traceID: String?
    /// The error; nil for a success.
    public let error: CyclesError?

    /// Creates a description of a finished attempt.
    public init(
        attempt: AttemptStart,
        duration: Duration,
        status: Int? = nil,
        requestID: String? = nil,
        traceID: String? = nil,
        error: CyclesError? = nil
    ) {
        self.attempt = attempt
        self.duration = duration
        self.status = status
        self.requestID = requestID
        self.traceID = traceID
        self.error = error
    }
}

/// A settlement or release that is attempted again.
public struct ScheduledRetry: Hashable, Sendable {
    /// The tenant of the client; nil if none is configured.
    public var tenant: String?
    /// The reservation to settle or release.
    public let reservationID: ReservationID
    /// The operation of the next attempt.
    public let operation: String
    /// The time until the next attempt.
    public let delay: Duration
    /// The error of the last attempt.
    public let error: CyclesError

    /// Creates a description of a scheduled retry.
    public init(reservationID: ReservationID, operation: String, delay: Duration, error: CyclesError) {
        self.reservationID = reservationID
        self.operation = operation
        self.delay = delay
        self.error = error
    }
}

/// A lease that was extended.
public struct LeaseExtension: Hashable, Sendable {
    /// The tenant of the client; nil if none is configured.
    public var tenant: String?
    /// The reservation of the lease.
    public let reservationID: ReservationID
    /// The new end of the lease: milliseconds since 1970, by the server's clock.
    public let expiresAtMilliseconds: Int64
    /// The remaining time of the lease when the server answered; nil if the server does not send it.
    public let remainingTimeToLive: Duration?

    /// Creates a description of an extension.
    public init(reservationID: ReservationID, expiresAtMilliseconds: Int64, remainingTimeToLive: Duration? = nil) {
        self.reservationID = reservationID
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.remainingTimeToLive = remainingTimeToLive
    }
}

/// A failed attempt to extend a lease.
public struct LeaseAttemptFailure: Hashable, Sendable {
    /// The next step after the failure. Switches over it need `@unknown default`.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Disposition: Hashable, Sendable {
        /// The extension is retried after a delay.
        case retrying(after: Duration)
        /// The lease is no longer extended.
        case stopped(LeaseStop)
    }

    /// The tenant of the client; nil if none is configured.
    public var tenant: String?
    /// The reservation of the lease.
    public let reservationID: ReservationID
    /// The error of the attempt.
    public let error: CyclesError
    /// The next step after the failure.
    public let disposition: Disposition

    /// Creates a description of a failed attempt.
    public init(reservationID: ReservationID, error: CyclesError, disposition: Disposition) {
        self.reservationID = reservationID
        self.error = error
        self.disposition = disposition
    }
}

/// A file of the journal that was renamed, since no client can settle it.
public struct SetAsideRecord: Hashable, Sendable, CustomStringConvertible {
    /// The tenant of the client; nil if none is configured.
    public var tenant: String?
    /// The new path of the file, which ends in `.json.rejected` or `.corrupt`.
    public let path: String
    /// The reservation that the file settles; nil if the file is not a readable record.
    public let reservationID: ReservationID?
    /// The reason why no client can settle the file.
    public let reason: String

    /// Creates a description of a file that was set aside.
    public init(path: String, reservationID: ReservationID?, reason: String) {
        self.path = path
        self.reservationID = reservationID
        self.reason = reason
    }

    /// The file, the reason, and the action required of an operator.
    public var description: String {
        let subject = reservationID.map { "the record of \($0)" } ?? "the file"
        return "\(path): \(subject) was set aside, and its spend has to be settled by hand: \(reason)"
    }
}

/// A resource that the system refused to the client, such as a thread.
public struct SystemProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The refused resource, the consequence for the client, and advice.
    public let message: String

    /// Creates a description of a problem.
    public init(message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}

/// A failed operation of the journal, or a file or directory that it cannot use.
public struct JournalProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The tenant of the client; nil if none is configured, and for a problem that concerns all clients.
    public var tenant: String?
    /// The file or directory; nil if the problem concerns neither.
    public let path: String?
    /// The problem and its consequence.
    public let message: String

    /// Creates a description of a problem.
    public init(path: String?, message: String) {
        self.path = path
        self.message = message
    }

    /// The file or directory, and the message.
    public var description: String { path.map { "\($0): \(message)" } ?? message }
}
