import Cycles
import CyclesTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A program for `Scripts/faults.sh`, which takes resources from it.
///
/// - `Faults serve` serves an authority and prints its URL. It closes the connection of a list of reservations.
/// - `Faults ledger URL` prints the ledger.
/// - `Faults work URL DIRECTORY` performs the commands of its standard input, with a journal in the directory.
/// - `Faults fork URL DIRECTORY` creates a client, forks at once, and spends 1 token in both processes.
/// - `Faults closed URL DIRECTORY` closes its standard streams and spends 1 token. It fails if a file or a connection of
///   the client has become a standard stream.
@main
struct Faults {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.first, arguments.count) {
        case ("serve", 1): try serve()
        case ("ledger", 2): try await printLedger(arguments[1])
        case ("work", 3): try await FaultWorker(arguments[1], journal: arguments[2]).run()
        case ("fork", 3): try await forkAtOnce(arguments[1], journal: arguments[2])
        case ("closed", 3): try spendWithoutStreams(arguments[1], journal: arguments[2])
        default: fatalError("usage: Faults serve | Faults ledger URL | Faults work|fork|closed URL DIRECTORY")
        }
    }

    static func configuration(_ baseURL: String, journal: String?) -> CyclesConfiguration {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = journal.map { .directory($0) } ?? .disabled
        configuration.retry.initialDelay = .milliseconds(50)
        configuration.retry.maxDelay = .milliseconds(200)
        configuration.retry.inlineBudget = .milliseconds(500)
        return configuration
    }

    private static func serve() throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key-of-the-test", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000_000))
        let server = LoopbackServer(HangingUpTransport(authority: authority))
        try server.start()
        show(server.baseURL)
        while true { pause() }
    }

    private static func printLedger(_ baseURL: String) async throws {
        let client = try CyclesClient(configuration: configuration(baseURL, journal: nil))
        let balance = try await client.getBalances().balances.first
        show("\(balance?.spent, default: "?") spent, \(balance?.reserved, default: "?") reserved")
        await client.shutdown()
    }

    static var request: ReservationCreateRequest { request() }

    static func request(timeToLive: Duration = .seconds(60)) -> ReservationCreateRequest {
        ReservationCreateRequest(
            action: Action(kind: "llm.completion", name: "model"),
            estimate: .tokens(100),
            timeToLive: timeToLive,
            gracePeriod: .zero
        )
    }

    private static func forkAtOnce(_ baseURL: String, journal: String) async throws {
        let first = try BlockingCyclesClient(configuration: configuration(baseURL, journal: journal))
        let child = fork()
        // A thread of the parent derives the name of the journal's folder. The child must not wait for that thread.
        let client = child == 0 ? try BlockingCyclesClient(configuration: first.configuration) : first
        let reservation = try client.reserve(request)
        let settlement = try reservation.commit(.tokens(1))
        show("\(child == 0 ? "the child" : "the parent"): \(settlement)")
        expectRest()
        if child == 0 {
            client.shutdown()
            _exit(0)
        }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        client.shutdown()
        // The transport of tasks has a thread.
        let tasks = try CyclesClient(configuration: first.configuration)
        _ = try await tasks.getBalances()
        expectRest()
        await tasks.shutdown()
        exit(status == 0 ? 0 : 1)
    }

    /// Waits until the client's threads wait. Those of a client without work delay no fork.
    private static func expectRest() {
        for _ in 0..<20_000 where ForkGate.runningThreads > 0 { usleep(1_000) }
        guard ForkGate.runningThreads == 0 else {
            fatalError("\(ForkGate.runningThreads) threads have not come to rest")
        }
    }

    private static func spendWithoutStreams(_ baseURL: String, journal: String) throws {
        let client = try BlockingCyclesClient(configuration: configuration(baseURL, journal: journal))
        let reservation = try client.reserve(request)
        // As a daemon does. The next files and sockets get these numbers: the log's among them.
        let streams = STDIN_FILENO...STDERR_FILENO
        for stream in streams { close(stream) }
        _ = try reservation.commit(.tokens(1))
        // While the client lives, its log and its connection are open.
        let isHarmed = streams.contains { isFileOrConnection($0) }
        client.shutdown()
        exit(isHarmed ? 1 : 0)
    }

    /// Whether output to the descriptor would reach a file or a server.
    private static func isFileOrConnection(_ descriptor: Int32) -> Bool {
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG { return true }
        var address = sockaddr()
        var length = socklen_t(MemoryLayout<sockaddr>.size)
        return getpeername(descriptor, &address, &length) == 0 && address.sa_family == sa_family_t(AF_INET)
    }
}

/// Answers all requests but lists of reservations, whose connection is closed.
private struct HangingUpTransport: BlockingHTTPTransport {
    let authority: LocalAuthority

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        if request.method == .get, request.url.contains("/reservations") {
            throw HTTPTransportError(kind: .connectionFailed, message: "closed", wasRequestSent: true)
        }
        return try authority.send(request)
    }
}

// Swift hides the call, since most of its runtime does not survive it; blocking clients do.
@_silgen_name("fork") private func fork() -> Int32

/// Prints a line at once, also to a file or a pipe.
func show(_ line: String) {
    print(line)
    fflush(nil)
}
