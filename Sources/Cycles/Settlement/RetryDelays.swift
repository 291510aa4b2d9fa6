/// Computes the delays between attempts: a few fast retries with growing delays, then slow rounds.
package struct RetryDelays: Hashable, Sendable {
    private let policy: RetryPolicy
    private var retries = 0
    private var rounds = 0

    /// The maximum delay that a server can request with `Retry-After`: one hour.
    package static let longestFloor = Duration.seconds(3_600)

    /// The `Retry-After` of an error, at most ``longestFloor``.
    package static func floor(_ error: CyclesError) -> Duration {
        min(max(.zero, error.retryAfter ?? .zero), longestFloor)
    }

    package init(_ policy: RetryPolicy) { self.policy = policy }

    /// Whether fast retries are left.
    package var hasFastRetries: Bool { policy.isEnabled && retries < policy.maxRetries }

    /// The delay before the next fast retry, or before the next slow round if no fast retry is left.
    /// - Parameter randomness: From 0 up to 1.
    package mutating func next(randomness: Double) -> Duration {
        nextFast(isUnlimited: false, randomness: randomness) ?? nextRound(randomness: randomness)
    }

    /// The delay before a fast retry; nil if none is left.
    /// - Parameter isUnlimited: Whether the number of fast retries is unlimited, provided that retries are enabled.
    package mutating func nextFast(isUnlimited: Bool, randomness: Double) -> Duration? {
        guard policy.isEnabled, isUnlimited || hasFastRetries else { return nil }
        let delay = RetryDelays.growing(
            from: policy.initialDelay,
            by: policy.multiplier,
            step: retries,
            atMost: policy.maxDelay
        )
        retries += 1
        return RetryDelays.jittered(delay, policy.jitter, randomness)
    }

    /// The delay before a slow round: 60 seconds, doubling up to 15 minutes.
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
            // The comparison precedes the multiplication, which could overflow.
            if delay >= limit || delay > limit / multiplier { return limit }
            delay = delay * multiplier
        }
        return min(delay, limit)
    }

    private static func jittered(_ delay: Duration, _ jitter: Double, _ randomness: Double) -> Duration {
        delay * (1 + jitter * (2 * randomness - 1))
    }
}
