public import Cycles

/// Keeps every event that it is told, for tests to look at.
public final class RecordingObserver: CyclesObserver {
    private let recorded = Lock([CyclesEvent]())

    /// An observer that has seen nothing yet.
    public init() {}

    /// What happened so far, in its order.
    public var events: [CyclesEvent] { recorded.withLock { $0 } }

    /// Keeps an event.
    public func observe(_ event: CyclesEvent) { recorded.withLock { $0.append(event) } }

    /// Forgets what happened so far.
    public func forget() { recorded.withLock { $0 = [] } }
}
