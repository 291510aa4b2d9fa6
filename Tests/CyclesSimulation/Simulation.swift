import Cycles
import CyclesTesting

/// Many worlds, whose seeds follow one another.
package struct Simulation {
    /// The number of works in a world.
    private static let worldSize = 250

    /// The first violation in a world, with the history that led to it.
    package struct Failure: Sendable, CustomStringConvertible {
        package let seed: UInt64
        package let lifecycles: Int
        package let text: String
        package let history: [String]

        package var description: String {
            """
            \(text)
            The world has seed \(seed) and \(lifecycles) lifecycles. Its history, as far as it concerns the broken one:
            \(history.joined(separator: "\n"))
            To repeat it: Scripts/simulate.sh --seed \(seed) --lifecycles \(lifecycles)
            """
        }
    }

    private struct State {
        var left: Int
        var nextSeed: UInt64
        var tally = Tally()
        var failure: Failure?
        var running: Int

        /// The next world; nil if there is none.
        mutating func next() -> (seed: UInt64, lifecycles: Int)? {
            guard left > 0, failure == nil else { return nil }
            defer {
                left -= min(left, worldSize)
                nextSeed &+= 1
            }
            return (nextSeed, min(left, worldSize))
        }
    }

    /// Runs worlds until they have begun a number of lifecycles, or until one of them fails.
    /// - Parameters:
    ///   - seed: The seed of the first world.
    ///   - threads: The number of threads, each of which runs one world at a time.
    package static func run(seed: UInt64, lifecycles: Int, threads: Int = 1) -> (tally: Tally, failure: Failure?) {
        let state = SharedState(State(left: lifecycles, nextSeed: seed, running: threads))
        let work: @Sendable () -> Void = {
            while let (seed, size) = state.lock.withLock({ $0.next() }) {
                let (tally, failure) = runWorld(seed, size)
                state.lock.withLock { state in
                    state.tally.add(tally)
                    state.failure = state.failure ?? failure
                }
            }
            state.lock.withLock { $0.running -= 1 }
        }
        for _ in 1..<max(threads, 1) where !ThreadSource.system.start(work) { work() }
        work()
        return state.lock.wait { state in state.running <= 0 ? (state.tally, state.failure) : nil }
    }

    private final class SharedState: Sendable {
        let lock: WaitableLock<State>
        init(_ state: sending State) { lock = WaitableLock(state) }
    }

    private static func runWorld(_ seed: UInt64, _ size: Int) -> (Tally, Failure?) {
        let world = SimulatedWorld(seed: seed, lifecycles: size)
        world.run()
        var tally = world.tally
        tally.count("worlds")
        guard let first = world.violations.first else { return (tally, nil) }
        // Only a second run keeps the history, which would cost all other worlds their speed.
        let again = SimulatedWorld(seed: seed, lifecycles: size, watching: first.work ?? -1)
        again.run()
        var history = again.history
        if again.digest != world.digest { history.append("The second run took another course.") }
        let text = "Lifecycle \(first.work.map(String.init) ?? "unknown"): \(first.text)"
        return (tally, Failure(seed: seed, lifecycles: size, text: text, history: history))
    }
}
