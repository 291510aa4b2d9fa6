/// Is told what a client does, as it happens.
///
/// Without an observer a client writes warnings to standard error, once for each kind and reservation, and nothing else.
/// An observer replaces that.
public protocol CyclesObserver: Sendable {
    /// Something happened. Called from any thread, from several at once, and sometimes from the one that carries all
    /// requests: it must return soon, and must not wait for the client.
    func observe(_ event: CyclesEvent)
}

/// Something that a client did or noticed. Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum CyclesEvent: Sendable {
    /// A request is handed to the transport.
    case attemptStarted(AttemptStart)
    /// A request was answered, or will not be.
    case attemptFinished(AttemptEnd)
    /// A settlement that did not get through is attempted again.
    case retryScheduled(ScheduledRetry)
    /// A lease was extended.
    case leaseExtended(LeaseExtension)
    /// An attempt to extend a lease failed.
    case leaseAttemptFailed(LeaseAttemptFailure)
    /// A lease is not extended any more. It may still last for a while, and its work can still be settled.
    case leaseStopped(ReservationID, LeaseStop)
    /// A lease ran out before its work was settled. The settlement goes on.
    case leaseLost(LeaseLoss)
    /// A lease may run out although nothing has failed. Said once.
    case leaseAtRisk(ReservationID, LeaseRisk)
    /// A reservation was settled, or its settlement goes on in the background.
    case settled(ReservationID, Settlement)
    /// A settlement or release came to an end without success: the server refuses it for good, there is no time left to
    /// repeat it, or the work did not say what it cost under ``UnknownActualPolicy/fail``.
    case settlementFailed(ReservationID, CyclesError)
    /// A guard ended without being committed or released. Recorded spend above zero is settled; otherwise the hold is
    /// released.
    case guardDropped(ReservationID, recordedSpend: Amount?)
    /// The journal could not do something, or found something that it cannot use. Settlement goes on without it.
    case journalProblem(JournalProblem)
    /// The system refuses the client something that it needs, such as a thread. The client goes on as far as it can.
    case systemProblem(SystemProblem)
    /// A file of the journal was renamed, since no client can settle it. The spend in it is not in the ledger until
    /// somebody settles it by hand.
    case recordSetAside(SetAsideRecord)
    /// Something that was given for a settlement cannot be sent, and was left out. The settlement goes on.
    case valueIgnored(ReservationID, what: String)
}

extension CyclesEvent: CustomStringConvertible {
    /// What happened, on one line.
    public var description: String {
        switch self {
        case .attemptStarted(let start): "\(start) started"
        case .attemptFinished(let end):
            "\(end.attempt) finished after \(end.duration.readable): "
                + (end.error.map { "\($0)" } ?? "\(end.status.map(String.init) ?? "no status")")
        case .retryScheduled(let retry):
            "\(retry.reservationID): \(retry.operation) again in \(retry.delay.readable): \(retry.error)"
        case .leaseExtended(let lease):
            "\(lease.reservationID): lease extended\(lease.remainingTimeToLive.map { ", \($0.readable) left" } ?? "")"
        case .leaseAttemptFailed(let failure):
            switch failure.disposition {
            case .retrying(let delay):
                "\(failure.reservationID): lease not extended, again in \(delay.readable): \(failure.error)"
            case .stopped(let reason): "\(failure.reservationID): lease not extended, \(reason): \(failure.error)"
            }
        case .leaseStopped(let id, let reason): "\(id): lease not extended any more: \(reason)"
        case .leaseLost(let loss): "\(loss.reservationID): \(loss)"
        case .leaseAtRisk(let id, let risk): "\(id): lease may run out: \(risk)"
        case .settled(let id, let settlement): "\(id): \(settlement)"
        case .settlementFailed(let id, let error): "\(id): not settled: \(error)"
        case .guardDropped(let id, let spend):
            "\(id): guard dropped, \(spend.map { "recorded \($0)" } ?? "nothing recorded")"
        case .journalProblem(let problem): "journal: \(problem)"
        case .systemProblem(let problem): "system: \(problem)"
        case .recordSetAside(let record): "journal: \(record)"
        case .valueIgnored(let id, let what): "\(id): left out: \(what)"
        }
    }
}

extension AttemptStart: CustomStringConvertible {
    /// Which operation, on which reservation.
    public var description: String { reservationID.map { "\($0): \(operation)" } ?? operation }
}

/// A request that is handed to the transport.
public struct AttemptStart: Hashable, Sendable {
    /// Which operation, such as `commitReservation`.
    public let operation: String
    /// The key that it carries; nil for requests that only read.
    public let idempotencyKey: IdempotencyKey?
    /// The reservation that it is about, if it exists already.
    public let reservationID: ReservationID?

    /// The beginning of an attempt.
    public init(operation: String, idempotencyKey: IdempotencyKey? = nil, reservationID: ReservationID? = nil) {
        self.operation = operation
        self.idempotencyKey = idempotencyKey
        self.reservationID = reservationID
    }
}

/// A request that was answered, or will not be.
public struct AttemptEnd: Hashable, Sendable {
    /// What was sent.
    public let attempt: AttemptStart
    /// How long it took, waiting for a connection included.
    public let duration: Duration
    /// The status of the answer, if there was one.
    public let status: Int?
    /// The server's name for the request.
    public let requestID: String?
    /// The trace that the server filed the request under.
    public let traceID: String?
    /// What went wrong; nil for a success.
    public let error: CyclesError?

    /// The end of an attempt.
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

/// A settlement that is attempted again.
public struct ScheduledRetry: Hashable, Sendable {
    /// Which reservation it settles.
    public let reservationID: ReservationID
    /// Which operation is sent next.
    public let operation: String
    /// How long from now.
    public let delay: Duration
    /// Why the last attempt did not settle it.
    public let error: CyclesError

    /// A retry.
    public init(reservationID: ReservationID, operation: String, delay: Duration, error: CyclesError) {
        self.reservationID = reservationID
        self.operation = operation
        self.delay = delay
        self.error = error
    }
}

/// A lease that was extended.
public struct LeaseExtension: Hashable, Sendable {
    /// Which reservation.
    public let reservationID: ReservationID
    /// When it runs out now, by the server's clock, in milliseconds since 1970.
    public let expiresAtMilliseconds: Int64
    /// How long it lasts from the moment the answer was made, if the server says so.
    public let remainingTimeToLive: Duration?

    /// An extension.
    public init(reservationID: ReservationID, expiresAtMilliseconds: Int64, remainingTimeToLive: Duration? = nil) {
        self.reservationID = reservationID
        self.expiresAtMilliseconds = expiresAtMilliseconds
        self.remainingTimeToLive = remainingTimeToLive
    }
}

/// An attempt to extend a lease that failed.
public struct LeaseAttemptFailure: Hashable, Sendable {
    /// The next step after the failure. Switches over it need `@unknown default`.
    #if hasAttribute(nonexhaustive)
        @nonexhaustive
    #endif
    public enum Disposition: Hashable, Sendable {
        /// It is attempted again, after that long.
        case retrying(after: Duration)
        /// The lease is not extended any more.
        case stopped(LeaseStop)
    }

    /// Which reservation.
    public let reservationID: ReservationID
    /// What went wrong.
    public let error: CyclesError
    /// What happens next.
    public let disposition: Disposition

    /// A failure.
    public init(reservationID: ReservationID, error: CyclesError, disposition: Disposition) {
        self.reservationID = reservationID
        self.error = error
        self.disposition = disposition
    }
}

/// A file of the journal that was renamed, since no client can settle it.
public struct SetAsideRecord: Hashable, Sendable, CustomStringConvertible {
    /// The file by its new name, which ends in `.json.rejected` or `.corrupt`.
    public let path: String
    /// The reservation that the file settles; nil if the file cannot be read as a record.
    public let reservationID: ReservationID?
    /// Why no client can settle it.
    public let reason: String

    /// A file that was set aside.
    public init(path: String, reservationID: ReservationID?, reason: String) {
        self.path = path
        self.reservationID = reservationID
        self.reason = reason
    }

    /// The file, the reason, and what is left to do.
    public var description: String {
        let subject = reservationID.map { "the record of \($0)" } ?? "the file"
        return "\(path): \(subject) was set aside, and its spend has to be settled by hand: \(reason)"
    }
}

/// Something that the system refuses the client, such as a thread.
public struct SystemProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// What the system refuses, how the client goes on, and what to do.
    public let message: String

    /// A problem.
    public init(message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}

/// Something that the journal of settlements could not do, or found and cannot use.
public struct JournalProblem: Error, Hashable, Sendable, CustomStringConvertible {
    /// The file or directory; nil if there is none.
    public let path: String?
    /// What is wrong, and what became of it.
    public let message: String

    /// A problem.
    public init(path: String?, message: String) {
        self.path = path
        self.message = message
    }

    /// What is wrong, and where.
    public var description: String { path.map { "\($0): \(message)" } ?? message }
}
