import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A client that performs commands, one a line, and prints their results and the events of the client:
///
/// - `reserve NAME [SECONDS]`, `commit NAME AMOUNT`, `drop NAME`, `spend AMOUNT` (a reserve and a commit).
/// - `files none`, `files all`: takes all descriptors, and returns them.
/// - `memory`: sets the limit on memory to the present size, then takes memory until the process ends.
/// - `flush`: waits for the settlements.
final class FaultWorker {
    private let client: CyclesClient
    private var guards: [String: GuardBox] = [:]
    private let limit: rlimit
    private var fillers: [Int32] = []

    init(_ baseURL: String, journal: String) throws {
        var configuration = Faults.configuration(baseURL, journal: journal)
        configuration.observer = PrintingObserver()
        client = try CyclesClient(configuration: configuration)
        var limit = rlimit()
        getrlimit(limitOfFiles, &limit)
        self.limit = limit
    }

    func run() async throws {
        show("ready")
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            do throws(CyclesError) {
                show("\(line): \(try await perform(words))")
            } catch {
                show("\(line): \(error)")
            }
        }
        guards = [:]
        await client.shutdown()
        show("ended")
    }

    private func perform(_ words: [String]) async throws(CyclesError) -> String {
        let amount = Amount.tokens(words.last.flatMap { Int64($0) } ?? 0)
        switch words.first {
        case "reserve":
            let seconds = words.count > 2 ? Int64(words[2]) ?? 60 : 60
            guards[words[1]] = GuardBox(try await client.reserve(Faults.request(timeToLive: .seconds(seconds))))
            return "granted"
        case "commit":
            guard let reservation = guards.removeValue(forKey: words[1])?.take() else { return "no such guard" }
            return "\(try await reservation.commit(amount))"
        case "drop":
            guards[words[1]] = nil
            return "dropped"
        case "spend":
            let reservation = try await client.reserve(Faults.request)
            return "\(try await reservation.commit(amount))"
        case "files":
            if words[1] == "all" {
                returnFiles()
            } else {
                // The server closes the connection of this request, so that the next request needs another one.
                _ = try? await client.listReservations()
                takeFiles()
            }
            return "done"
        case "memory": exhaustMemory()
        case "flush":
            let report = await client.flush(timeout: .seconds(120))
            return "\(report.stillPending) pending"
        default: return "unknown"
        }
    }

    private func takeFiles() {
        var lower = limit
        lower.rlim_cur = 64
        setrlimit(limitOfFiles, &lower)
        while case let file = open("/dev/null", O_RDONLY), file >= 0 { fillers.append(file) }
    }

    private func returnFiles() {
        for file in fillers { close(file) }
        fillers = []
        var all = limit
        setrlimit(limitOfFiles, &all)
    }

    private func exhaustMemory() -> Never {
        // No address space beyond what the process has.
        var new = rlimit()
        getrlimit(limitOfMemory, &new)
        new.rlim_cur = 1
        setrlimit(limitOfMemory, &new)
        var kept: [[UInt8]] = []
        while true { kept.append([UInt8](repeating: 1, count: 1 << 20)) }
    }
}

#if canImport(Glibc)
    private let limitOfFiles = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    private let limitOfMemory = __rlimit_resource_t(RLIMIT_AS.rawValue)
#else
    private let limitOfFiles = RLIMIT_NOFILE
    private let limitOfMemory = RLIMIT_AS
#endif

/// Prints the warnings and errors of a client, each text once.
private final class PrintingObserver: CyclesObserver {
    private let printed = Lock(Set<String>())

    func observe(_ event: CyclesEvent) {
        switch event {
        case .journalProblem, .systemProblem, .recordSetAside, .settlementFailed, .leaseLost, .leaseStopped,
            .guardDropped:
            let text = "\(event)"
            if printed.withLock({ $0.insert(text).inserted }) { show("event: \(text)") }
        default: break
        }
    }
}
