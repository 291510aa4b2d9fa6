import Cycles

/// The authority's own time, by which everything expires.
///
/// Without a manual clock it is the wall clock as it stood at the beginning, moved on by the monotonic clock: setting
/// the machine's clock neither ends nor prolongs a lease.
struct AuthorityClock: Sendable {
    private let manual: ManualClock?
    private let start = ContinuousClock.now
    private let startMilliseconds: Int64

    init(_ manual: ManualClock?) {
        self.manual = manual
        startMilliseconds = SystemTime.wall.duration.wholeMilliseconds
    }

    var nowMilliseconds: Int64 {
        if let manual { return manual.nowMilliseconds }
        return startMilliseconds + (ContinuousClock.now - start).wholeMilliseconds
    }
}
