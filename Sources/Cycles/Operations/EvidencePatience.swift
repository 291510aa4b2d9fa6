/// How often to ask again for an envelope that is not there yet.
struct EvidencePatience {
    private let deadline: Duration
    private var wait = Duration.milliseconds(100)

    init(start: Duration, limit: Duration) {
        // A limit without end must not overflow.
        deadline = start + min(limit, .seconds(1_000_000_000))
    }

    /// How long to wait before the next attempt: 100 ms, doubling to 2 s, the last one at the deadline; nil when time
    /// is up.
    mutating func nextWait(at now: Duration) -> Duration? {
        let left = deadline - now
        guard left > .zero else { return nil }
        defer { wait = min(wait * 2, .seconds(2)) }
        return min(wait, left)
    }
}
