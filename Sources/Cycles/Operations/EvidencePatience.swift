/// Schedules the retries for an envelope that is not available yet.
struct EvidencePatience {
    private let deadline: Duration
    private var wait = Duration.milliseconds(100)

    init(start: Duration, limit: Duration) {
        // Limited, so that the deadline cannot overflow.
        deadline = start + min(limit, .seconds(1_000_000_000))
    }

    /// Returns the delay before the next attempt: 100 ms, doubling up to 2 s, with the last attempt at the deadline.
    /// Returns nil after the deadline.
    mutating func nextWait(at now: Duration) -> Duration? {
        let left = deadline - now
        guard left > .zero else { return nil }
        defer { wait = min(wait * 2, .seconds(2)) }
        return min(wait, left)
    }
}
