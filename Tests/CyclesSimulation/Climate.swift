import CyclesTesting

/// The character of a world: how many works it has at once, and how often what fails.
struct Climate {
    let faults: FaultyTransport.Faults
    let width: Int
    let maxExtensions: Int
    /// The share of requests and disk changes at which a process ends, in millionths.
    let crashes: Int
    let hasStorms: Bool
    let hasDiskFaults: Bool
    /// Whether the wall clock jumps.
    let hasJumps: Bool
    /// Whether extensions fail in a world without storms, never two of one lease in a row.
    let losesExtensions: Bool
    /// The share of processes with clients for tasks, in percent.
    let taskShare: Int
    /// The time for which the calls of tasks wait for retries.
    let inlineBudget: Duration

    init(_ source: inout SplitMix64) {
        // One world in six is without storms: nothing may expire in it.
        let character = Int.random(in: 0..<12, using: &source)
        hasStorms = character >= 2
        losesExtensions = character == 1
        hasJumps = Bool.random(using: &source)
        taskShare = [0, 50, 100].randomElement(using: &source)!
        inlineBudget = .seconds([0, 2, 20, 120].randomElement(using: &source)!)
        hasDiskFaults = hasStorms && Int.random(in: 0..<3, using: &source) == 0
        crashes = hasStorms ? [0, 500, 2_000, 8_000].randomElement(using: &source)! : 0
        width = Int.random(in: 1...12, using: &source)
        maxExtensions = hasStorms ? Int.random(in: 0...12, using: &source) : 100_000
        func share() -> Double { Double.random(in: 0...0.06, using: &source) }
        faults = FaultyTransport.Faults(
            lostRequest: share(),
            lostResponse: share(),
            reset: share(),
            serverError: share(),
            throttled: share(),
            truncated: share(),
            malformed: share(),
            delayed: share(),
            retryAfter: .seconds(Int64.random(in: 1...120, using: &source)),
            delay: .seconds(10)
        )
    }
}
