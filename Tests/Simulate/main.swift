import CyclesSimulation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

// Runs the simulation on all processors: Simulate SEED LIFECYCLES PROCESSORS.
let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
guard numbers.count == 3, numbers[2] > 0 else {
    print("usage: Simulate SEED LIFECYCLES PROCESSORS")
    exit(2)
}
let (seed, lifecycles, processors) = (numbers[0], Int(numbers[1]), Int(numbers[2]))
let start = ContinuousClock.now
let (tally, failure) = Simulation.run(seed: seed, lifecycles: lifecycles, threads: processors)
let seconds = (ContinuousClock.now - start) / .seconds(1)

func grouped(_ number: Int) -> String {
    var digits = String(number)
    for place in stride(from: digits.count - 3, to: 0, by: -3) {
        digits.insert(" ", at: digits.index(digits.startIndex, offsetBy: place))
    }
    return digits
}

for (name, count) in tally.counts.sorted(by: { $0.key < $1.key }) {
    let text = grouped(count)
    print(String(repeating: " ", count: max(0, 12 - text.count)) + text, "", name)
}
let rate = Int(Double(tally["lifecycles"]) / max(seconds, 0.001))
print("\(Int(seconds)) s, \(grouped(rate)) lifecycles a second; \(clock() / CLOCKS_PER_SEC) s of processor time")
if let failure {
    print("\n" + failure.description)
    exit(1)
}
print("No violation.")
