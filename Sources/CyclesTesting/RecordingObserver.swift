public import Cycles

/// Records all events of a client, for tests.
public final class RecordingObserver: CyclesObserver {
    private let recorded = Lock([CyclesEvent]())

    /// Creates an observer without recorded events.
    public init() {}

    /// The recorded events, in order.
    public var events: [CyclesEvent] { recorded.withLock { $0 } }

    /// Records an event.
    public func observe(_ event: CyclesEvent) { recorded.withLock { $0.append(event) } }

    /// Removes all recorded events.
    public func forget() { recorded.withLock { $0 = [] } }
}
