#if Logging
    public import Logging

    /// Writes every event of a client to a logger, at the event's severity. Needs the package trait `Logging`.
    ///
    /// ```swift
    /// configuration.observer = LoggingObserver(logger: Logger(label: "cycles"))
    /// ```
    ///
    /// The message is the event's description. The metadata contain the values of the event: `cycles.reservation_id`,
    /// `cycles.tenant`, `cycles.operation`, `cycles.idempotency_key`, `cycles.status`, `cycles.request_id`,
    /// `cycles.trace_id`, `cycles.error`, `cycles.duration_ms` and `cycles.path`, as far as the event has them. No
    /// entry contains an API key.
    public struct LoggingObserver: CyclesObserver {
        private let logger: Logger

        /// Creates an observer that writes to a logger. The logger's level decides which events are written: attempts
        /// and extensions of leases are `debug`.
        public init(logger: Logger) { self.logger = logger }

        /// Writes an event to the logger.
        public func observe(_ event: CyclesEvent) {
            let level: Logger.Level =
                switch event.severity {
                case .debug: .debug
                case .info: .info
                case .warning: .warning
                case .error: .error
                }
            // Does not build the description of an event that is not written.
            guard level >= logger.logLevel else { return }
            logger.log(level: level, "\(event)", metadata: Self.metadata(of: event))
        }

        private static func metadata(of event: CyclesEvent) -> Logger.Metadata {
            var metadata: Logger.Metadata = [:]
            func set(_ name: String, _ value: (some CustomStringConvertible)?) {
                if let value { metadata["cycles.\(name)"] = "\(value)" }
            }
            func set(_ attempt: AttemptStart) {
                set("operation", attempt.operation)
                set("idempotency_key", attempt.idempotencyKey)
            }
            func set(_ error: CyclesError) {
                set("error", error.label)
                set("status", error.status)
                set("request_id", error.requestID)
                set("trace_id", error.traceID)
            }
            set("reservation_id", event.reservationID)
            set("tenant", event.tenant)
            switch event {
            case .attemptStarted(let attempt): set(attempt)
            case .attemptFinished(let end):
                set(end.attempt)
                end.error.map(set)
                set("duration_ms", (end.duration / .microseconds(1)).rounded() / 1_000)
                set("status", end.status)
                set("request_id", end.requestID)
                set("trace_id", end.traceID)
            case .retryScheduled(let retry):
                set("operation", retry.operation)
                set(retry.error)
            case .leaseAttemptFailed(let failure): set(failure.error)
            case .settlementFailed(_, let error, _): set(error)
            case .journalProblem(let problem): set("path", problem.path)
            case .recordSetAside(let record): set("path", record.path)
            case .reserved, .settlementStarted, .leaseExtended, .leaseStopped, .leaseLost, .leaseAtRisk, .settled,
                .guardDropped, .systemProblem, .valueIgnored:
                break
            }
            return metadata
        }
    }
#endif
