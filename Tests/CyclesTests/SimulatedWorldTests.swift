import CyclesSimulation
import Foundation
import Testing

/// Worlds of processes, networks, disks and servers that fail by chance, in virtual time.
@Suite(.serialized, .ownThread) struct SimulatedWorldTests {
    /// The first seed, which is another one in each run.
    private static let seed =
        UInt64(ProcessInfo.processInfo.environment["CYCLES_SIMULATION_SEED"] ?? "")
        ?? UInt64.random(in: 0..<1_000_000_000)

    @Test func everySpendIsChargedOnceAndNothingStaysHeld() {
        print("The simulation begins with seed \(Self.seed).")
        let (tally, failure) = Simulation.run(seed: Self.seed, lifecycles: isSlowed ? 250 : 500)
        if let failure { Issue.record("\(failure)") }
        #expect(failure != nil || tally["lifecycles"] == (isSlowed ? 250 : 500))
    }

    @Test func theSameSeedTakesTheSameCourse() {
        for seed in Self.seed..<Self.seed + 3 {
            let worlds = [0, 1].map { _ in SimulatedWorld(seed: seed, lifecycles: 60) }
            for world in worlds { world.run() }
            #expect(worlds[0].digest == worlds[1].digest, "seed \(seed)")
        }
    }

    @Test func worldsDifferBySeed() {
        let worlds = [1, 2].map { SimulatedWorld(seed: $0, lifecycles: 20) }
        for world in worlds { world.run() }
        #expect(worlds[0].digest != worlds[1].digest)
    }
}
