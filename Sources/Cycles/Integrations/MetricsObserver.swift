#if Metrics
    internal import CoreMetrics

    /// Counts and times the work of a client with swift-metrics. Needs the package trait `Metrics`.
    ///
    /// ```swift
    /// configuration.observer = MetricsObserver()
    /// ```
    ///
    /// | Metric | Kind | Dimensions | Meaning |
    /// |---|---|---|---|
    /// | `cycles.attempts` | counter | `operation` | requests passed to the transport |
    /// | `cycles.errors` | counter | `operation`, `error` | attempts that failed or were denied; `error` is the server's code, or the kind of the error |
    /// | `cycles.duration` | timer | `operation` | the time from request to answer, the wait for a connection included |
    /// | `cycles.settlements` | counter | `outcome` | settlements that have ended: `committed`, `recorded`, `already_settled`, `released`, `failed` |
    /// | `cycles.held` | meter | | guards that hold a reservation |
    /// | `cycles.pending` | meter | | settlements and releases that have begun and not ended |
    ///
    /// The handlers come from the factory that the metrics system has when the observer is created.
    public final class MetricsObserver: CyclesObserver {
        private struct Work {
            var held: Set<ReservationID> = []
            var pending: Set<ReservationID> = []
        }

        private struct Instruments {
            var counters: [[String]: Counter] = [:]
            var timers: [String: Timer] = [:]
        }

        private let prefix: String
        private let factory: any MetricsFactory
        private let held: Meter
        private let pending: Meter
        private let work = Lock(Work())
        private let instruments = Lock(Instruments())

        /// Creates an observer.
        /// - Parameter prefix: The beginning of each metric's name, followed by a full stop.
        public init(prefix: String = "cycles") {
            self.prefix = prefix
            factory = MetricsSystem.factory
            held = Meter(label: "\(prefix).held", factory: factory)
            pending = Meter(label: "\(prefix).pending", factory: factory)
        }

        /// Counts and times an event.
        public func observe(_ event: CyclesEvent) {
            switch event {
            case .attemptStarted(let attempt): counter("attempts", ["operation": attempt.operation]).increment()
            case .attemptFinished(let end):
                timer(end.attempt.operation).recordNanoseconds(
                    Int64(clamping: end.duration.attoseconds / 1_000_000_000)
                )
                if let error = end.error {
                    let dimensions: KeyValuePairs = ["operation": end.attempt.operation, "error": Self.label(error)]
                    counter("errors", dimensions).increment()
                }
            case .reserved(let id, _): change { $0.held.insert(id) }
            case .guardDropped(let id, _, _): change { $0.held.remove(id) }
            case .settlementStarted(let id, _):
                change {
                    $0.held.remove(id)
                    $0.pending.insert(id)
                }
            case .settled(let id, let settlement, _):
                if let outcome = Self.label(settlement.outcome) {
                    end(id, outcome)
                } else {
                    change { $0.pending.insert(id) }
                }
            case .settlementFailed(let id, _, _): end(id, "failed")
            default: break
            }
        }

        private func end(_ id: ReservationID, _ outcome: String) {
            counter("settlements", ["outcome": outcome]).increment()
            change {
                $0.held.remove(id)
                $0.pending.remove(id)
            }
        }

        private func change(_ body: (inout Work) -> Void) {
            // Set under the lock, so that an older number never replaces a newer one.
            work.withLock { work in
                body(&work)
                held.set(work.held.count)
                pending.set(work.pending.count)
            }
        }

        // MARK: Instruments

        private func counter(_ name: String, _ dimensions: KeyValuePairs<String, String>) -> Counter {
            instruments.withLock { instruments in
                let key = [name] + dimensions.map(\.value)
                if let counter = instruments.counters[key] { return counter }
                let counter = Counter(
                    label: "\(prefix).\(name)",
                    dimensions: dimensions.map { ($0.key, $0.value) },
                    factory: factory
                )
                instruments.counters[key] = counter
                return counter
            }
        }

        private func timer(_ operation: String) -> Timer {
            instruments.withLock { instruments in
                if let timer = instruments.timers[operation] { return timer }
                let timer = Timer(label: "\(prefix).duration", dimensions: [("operation", operation)], factory: factory)
                instruments.timers[operation] = timer
                return timer
            }
        }

        /// The value of the dimension `error`. Codes that the client does not know share one value, so that a server
        /// cannot create any number of metrics.
        private static func label(_ error: CyclesError) -> String {
            if case .unrecognized = error.errorCode { return "UNRECOGNIZED" }
            if case .denied(let denial) = error, case .unrecognized = denial.reason { return "UNRECOGNIZED" }
            return error.label
        }

        /// The value of the dimension `outcome`; nil for a settlement that has not ended.
        private static func label(_ outcome: Settlement.Outcome) -> String? {
            switch outcome {
            case .committed: "committed"
            case .recorded: "recorded"
            case .alreadySettled: "already_settled"
            case .released: "released"
            case .queued: nil
            }
        }
    }
#endif
