import Cycles

/// The time of the authority, which determines the expiry of leases and keys.
///
/// Without a manual clock, the time is the wall time at the start plus the elapsed monotonic time: setting the
/// machine's clock neither ends nor prolongs a lease.
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
