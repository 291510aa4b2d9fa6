import Cycles

/// A clock that stands still until it is told to advance.
///
/// It stands for both clocks that the protocol looks at: the monotonic one that measures spans, and the wall clock
/// that stamps instants.
public final class ManualClock: Sendable {
    private let elapsed = Monitor(Duration.zero)
    private let startMilliseconds: Int64

    /// A clock whose wall time begins at an instant in milliseconds since 1970.
    public init(startingAtMilliseconds startMilliseconds: Int64 = 1_767_225_600_000) {
        self.startMilliseconds = startMilliseconds
    }

    /// How far the clock has been advanced in all.
    public var now: Duration { elapsed.withLock { $0 } }

    /// The wall time, in milliseconds since 1970.
    public var nowMilliseconds: Int64 { startMilliseconds + now.wholeMilliseconds }

    /// Moves both clocks on. A negative span is ignored: time does not go back.
    public func advance(by span: Duration) {
        guard span > .zero else { return }
        elapsed.withLock { $0 += span }
    }
}
