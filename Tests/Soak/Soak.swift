import Cycles
import CyclesTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Runs lifecycles of all kinds over a socket for a long time, and measures the memory, threads and descriptors of the
/// process along the way.
///
/// - `Soak serve` serves an authority and prints its URL. It runs until it is ended.
/// - `Soak URL LIFECYCLES DIRECTORY` runs the lifecycles, with journals in the directory. Exits with 1 if the process
///   grew, or if the ledger of the authority differs from the work.
@main
struct Soak {
    static let parts = 20

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "serve" {
            let server = LoopbackServer(
                PartedAuthority(),
                options: .init(maxConnections: 1_024, idleTimeout: .seconds(600))
            )
            try server.start()
            show(server.baseURL)
            while true { pause() }
        }
        guard arguments.count == 3, let lifecycles = arguments.dropFirst().first.flatMap({ Int($0) }),
            lifecycles >= parts
        else {
            show("usage: Soak serve | Soak URL LIFECYCLES DIRECTORY (at least \(parts) lifecycles)")
            exit(2)
        }
        let work = try SoakWork(baseURL: arguments[arguments.startIndex], journal: arguments[arguments.endIndex - 1])
        let start = ContinuousClock.now
        var samples: [ProcessSize] = []
        show("lifecycles  seconds  resident KiB  threads  descriptors")
        for part in 0..<parts {
            try await work.run(lifecycles * part / parts..<lifecycles * (part + 1) / parts, isDurable: part % 2 == 1)
            let size = ProcessSize.current
            samples.append(size)
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            let row = [lifecycles * (part + 1) / parts, seconds, size.residentKiB, size.threads, size.descriptors]
            show(zip(row, [10, 7, 12, 7, 11]).map { padded($0, to: $1) }.joined(separator: "  "))
        }
        await work.shutDown()
        for (name, count) in work.tally.sorted(by: { $0.key < $1.key }) { show("\(padded(count, to: 10))  \(name)") }
        let findings = work.findings + ProcessSize.growth(samples)
        for finding in findings { show("FAILED: \(finding)") }
        show(findings.isEmpty ? "Flat after the warm-up; the ledger adds up, and nothing is reserved." : "Not flat.")
        exit(findings.isEmpty ? 0 : 1)
    }

    static func padded(_ number: Int, to width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.count)) + digits
    }
}

/// Prints a line at once, also to a file or a pipe.
func show(_ line: String) {
    print(line)
    fflush(nil)
}
