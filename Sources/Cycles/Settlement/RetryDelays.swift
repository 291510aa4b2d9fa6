/// How long to wait before the next attempt: a few quick ones with growing delays, then ever slower rounds.
package struct RetryDelays: Hashable, Sendable {
    private let policy: RetryPolicy
    private var retries = 0
    private var rounds = 0

    /// The longest that a server is believed when it asks to wait.
    package static let longestFloor = Duration.seconds(3_600)

    /// The wait that the server asks for, at most ``longestFloor``.
    package static func floor(_ error: CyclesError) -> Duration {
        min(max(.zero, error.retryAfter ?? .zero), longestFloor)
    }

    package init(_ policy: RetryPolicy) { self.policy = policy }

    /// Whether quick retries are left.
    package var hasFastRetries: Bool { policy.isEnabled && retries < policy.maxRetries }

    /// The delay before the next quick retry, or before a slow round once those are used up.
    /// - Parameter randomness: From 0 up to 1.
    package mutating func next(randomness: Double) -> Duration {
        nextFast(goesOn: false, randomness: randomness) ?? nextRound(randomness: randomness)
    }

    /// The delay before a quick retry; nil if there is none any more.
    /// - Parameter goesOn: Whether there is no end to them, once retries are enabled at all.
    package mutating func nextFast(goesOn: Bool, randomness: Double) -> Duration? {
        guard policy.isEnabled, goesOn || hasFastRetries else { return nil }
        let delay = RetryDelays.growing(
            from: policy.initialDelay,
            by: policy.multiplier,
            step: retries,
            atMost: policy.maxDelay
        )
        retries += 1
        return RetryDelays.jittered(delay, policy.jitter, randomness)
    }

    /// The delay before a slow round: a minute, doubling to a quarter of an hour.
    package mutating func nextRound(randomness: Double) -> Duration {
        let delay = RetryDelays.growing(from: .seconds(60), by: 2, step: rounds, atMost: .seconds(900))
        rounds = min(rounds + 1, 64)
        return RetryDelays.jittered(delay, policy.jitter, randomness)
    }

    private static func growing(
        from initial: Duration,
        by multiplier: Double,
        step: Int,
        atMost limit: Duration
    ) -> Duration {
        var delay = initial
        for _ in 0..<step {
            // Compared before it is multiplied: no product can overflow.
            if delay >= limit || delay > limit / multiplier { return limit }
            delay = delay * multiplier
        }
        return min(delay, limit)
    }

    private static func jittered(_ delay: Duration, _ jitter: Double, _ randomness: Double) -> Duration {
        delay * (1 + jitter * (2 * randomness - 1))
    }
}
