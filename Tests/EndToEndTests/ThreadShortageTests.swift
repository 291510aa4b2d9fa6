import CyclesTesting
import Testing

@testable import Cycles

/// Gives threads while it has any.
private final class Threads: Sendable {
    private let state: Lock<(left: Int, asked: Int)>

    init(_ count: Int) { state = Lock((count, 0)) }

    /// The number of requested threads.
    var asked: Int { state.withLock { $0.asked } }

    func provide(_ count: Int) { state.withLock { $0.left = count } }

    var source: ThreadSource {
        ThreadSource { [self] _, body in
            let hasThread = state.withLock { state in
                state.asked += 1
                guard state.left > 0 else { return false }
                state.left -= 1
                return true
            }
            return hasThread ? SystemThread.start(body) : nil
        }
    }
}

/// Answers commits with 503 while it is broken.
private final class BreakableAuthority: HTTPTransport, BlockingHTTPTransport {
    let authority = testAuthority()
    private let failures: Lock<Int>
    private let isOpen: WaitableLock<Bool>

    /// - Parameters:
    ///   - failures: How many commits fail.
    ///   - holdsCommits: Whether commits are not answered before ``open()``.
    init(failures: Int, holdsCommits: Bool) {
        self.failures = Lock(failures)
        isOpen = WaitableLock(!holdsCommits)
    }

    func open() { isOpen.withLock { $0 = true } }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let fails = failures.withLock { failures in
            guard request.url.hasSuffix("/commit"), failures > 0 else { return false }
            failures -= 1
            return true
        }
        if request.url.hasSuffix("/commit") { isOpen.wait { $0 ? () : nil } }
        return fails ? HTTPResponse(status: 503) : try authority.send(request)
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        func answer() throws(HTTPTransportError) -> HTTPResponse { try send(request) }
        return try answer()
    }

    func shutdown() async {}
}

/// A client on a system without free threads: its alarms, its I/O and its journal.
@Suite struct ThreadShortageTests {
    private let observer = RecordingObserver()
    private let request = ReservationCreateRequest(
        action: Action(kind: "llm.completion", name: "model"),
        estimate: .tokens(100),
        timeToLive: .seconds(5)
    )

    private var reports: Int {
        observer.events.count { if case .systemProblem = $0 { true } else { false } }
    }

    private func served(
        failures: Int = 0,
        holdsCommits: Bool = false,
        _ body: (BreakableAuthority, CyclesConfiguration) async throws -> Void
    ) async throws {
        let authority = BreakableAuthority(failures: failures, holdsCommits: holdsCommits)
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        var configuration = CyclesConfiguration(baseURL: server.baseURL, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = observer
        configuration.retry.initialDelay = .milliseconds(20)
        configuration.retry.inlineBudget = .seconds(600)
        try await body(authority, configuration)
    }

    private func client(
        _ configuration: CyclesConfiguration,
        alarm: Threads,
        transfers: Threads
    ) throws -> CyclesClient {
        let curl = CurlTransport(configuration: configuration, threads: transfers.source)
        return try CyclesClient(
            configuration: configuration,
            environment: environment(curl.forTasks(isOwned: true), alarm)
        )
    }

    private func environment(_ transport: ClientTransport, _ threads: Threads) -> ClientEnvironment {
        ClientEnvironment(
            transport: transport,
            time: SystemTimeSource(threads: threads.source),
            threads: threads.source
        )
    }

    // MARK: The clock

    @Test func aThreadThatDoesNotStartIsTriedAgainAndReportedOnce() async throws {
        let threads = Threads(0)
        let time = SystemTimeSource(threads: threads.source)
        time.prepare(
            ThreadShortagePlan { [observer] in
                observer.observe(.systemProblem($0))
            } standIn: { _, work in
                // At once: it is asked again for the time that is left.
                SystemThread.start(work)?.detach()
                return true
            }
        )
        let rings = Lock(0)
        let alarm = time.makeAlarm { rings.withLock { $0 += 1 } }
        alarm.set(to: time.monotonic + .seconds(3_600))
        await until { reports == 1 && threads.asked >= 2 }
        threads.provide(1)
        alarm.set(to: time.monotonic)
        await until { rings.withLock { $0 } == 1 }
        #expect(reports == 1)
    }

    @Test func aCallerThatBlocksRunsTheAlarms() {
        let time = SystemTimeSource(threads: Threads(0).source)
        time.block(for: .milliseconds(20))
    }

    @Test func anAlarmCountsAsUnattendedUntilItsThreadRuns() {
        let time = Lock<SystemTimeSource?>(nil)
        let seen = Lock<[Bool]>([])
        let source = ThreadSource { _, _ in
            // Another thread asks while the start fails.
            let isUnattended = time.withLock { $0 }?.isUnattended ?? false
            seen.withLock { $0.append(isUnattended) }
            return nil
        }
        let clock = SystemTimeSource(threads: source)
        time.withLock { $0 = clock }
        let alarm = clock.makeAlarm {}
        #expect(!clock.isUnattended)
        alarm.set(to: clock.monotonic + .seconds(3_600))
        #expect(seen.withLock { $0 } == [true])
        #expect(clock.isUnattended)
        alarm.set(to: nil)
        #expect(!clock.isUnattended)
        time.withLock { $0 = nil }
    }

    // MARK: Clients

    @Test func theThreadOfTheTransportKeepsLeasesAndRetries() async throws {
        try await served(failures: 2) { authority, configuration in
            // The retries take place, however long a busy machine delays them.
            var configuration = configuration
            configuration.retry.inlineBudget = .seconds(60)
            let client = try client(configuration, alarm: Threads(0), transfers: Threads(1))
            let guarded = try await client.reserve(request)
            await until { observer.events.contains { if case .leaseExtended = $0 { true } else { false } } }
            let settlement = try await guarded.commit(.tokens(7))
            // On a busy machine the lease may run out first, and the spend is recorded as an event.
            switch settlement.outcome {
            case .committed, .recorded: break
            default: Issue.record("\(settlement)")
            }
            #expect(reports == 1)
            await client.shutdown()
        }
    }

    @Test func aCommitIsQueuedInTimeWithoutAThreadForAlarms() async throws {
        try await served(holdsCommits: true) { authority, configuration in
            var configuration = configuration
            configuration.retry.inlineBudget = .milliseconds(100)
            configuration.readTimeout = .seconds(600)
            let client = try client(configuration, alarm: Threads(0), transfers: Threads(1))
            #expect(try await client.reserve(request).commit(.tokens(7)).outcome == .queued(isDurable: false))
            authority.open()
            await client.shutdown()
        }
    }

    @Test func theThreadsOfTasksStandInWhereTheTransportHasNone() async throws {
        try await served(failures: 2) { authority, configuration in
            var configuration = configuration
            configuration.retry.inlineBudget = .seconds(60)
            let none = Threads(0)
            let client = try CyclesClient(
                configuration: configuration,
                environment: environment(.tasks(TaskCallbackTransport(authority)), none)
            )
            // A lease that outlasts the delays of a busy machine, so that the commit is not too late.
            var request = request
            request.timeToLive = .seconds(3_600)
            let settlement = try await client.reserve(request).commit(.tokens(7))
            #expect(settlement.charged == .tokens(7), "\(settlement) \(observer.events)")
            await client.shutdown()
            #expect(reports == 1)
        }
    }

    @Test func aFlushThatFindsNoThreadEndsInTime() async throws {
        let none = Threads(0)
        let time = SystemTimeSource(threads: none.source)
        var configuration = CyclesConfiguration(baseURL: "http://127.0.0.1:1", apiKey: "k")
        // The look for records that other processes left behind would be pending, too.
        configuration.journal = .disabled
        let environment = ClientEnvironment(
            transport: .tasks(TaskCallbackTransport(MockTransport())),
            time: time,
            threads: none.source
        )
        let client = try CyclesClient(configuration: configuration, environment: environment)
        let errand = client.scope.engine.beginErrand(of: try #require(client.scope.identity))
        let report = await client.flush(timeout: .milliseconds(50))
        #expect(report == FlushReport(settled: 0, stillPending: 1))
        client.scope.engine.endErrand(errand)
    }

    @Test func aBlockingClientNeedsNoThreadAtAll() async throws {
        try await served(failures: 2) { authority, configuration in
            var configuration = configuration
            configuration.retry.inlineBudget = .seconds(60)
            let none = Threads(0)
            func work() throws -> Settlement {
                let curl = CurlTransport(configuration: configuration, threads: none.source)
                let client = try BlockingCyclesClient(
                    configuration: configuration,
                    environment: environment(curl.forThreads(isOwned: true), none)
                )
                defer { client.shutdown() }
                return try client.reserve(request).commit(.tokens(7))
            }
            let settlement = try work()
            #expect(settlement.charged == .tokens(7))
            #expect(reports == 1)
        }
    }

    @Test func aThreadThatDoesNotStartIsNotLent() async throws {
        let configuration = CyclesConfiguration(baseURL: "http://127.0.0.1:1", apiKey: "k")
        let transport = Lock<CurlTransport?>(nil)
        let answers = Lock<[Bool]>([])
        let source = ThreadSource { _, _ in
            // Another thread asks while the start fails.
            let isLent = transport.withLock { $0 }?.lendThread(at: .now) {} ?? true
            answers.withLock { $0.append(isLent) }
            return nil
        }
        let agent = CurlTransport(configuration: configuration, threads: source)
        transport.withLock { $0 = agent }
        #expect(!agent.lendThread(at: .now) {})
        #expect(answers.withLock { $0 } == [false])
        transport.withLock { $0 = nil }
    }

    @Test func aThreadThatEndsDoesItsErrandBefore() async throws {
        let configuration = CyclesConfiguration(baseURL: "http://127.0.0.1:1", apiKey: "k")
        let transport = CurlTransport(configuration: configuration)
        let isDone = Flag()
        // The thread is lent once it runs.
        await until { transport.lendThread(at: .now + .seconds(3_600)) { isDone.set() } }
        #expect(!isDone.isSet)
        await transport.shutdown()
        #expect(isDone.isSet)
        #expect(!transport.lendThread(at: .now) {})
    }

    @Test func aRequestThatFindsNoThreadFailsAndTheNextTriesAgain() async throws {
        try await served { authority, configuration in
            let transfers = Threads(0)
            let client = try client(configuration, alarm: Threads(10), transfers: transfers)
            do throws(CyclesError) {
                _ = try await client.getBalances()
                Issue.record("answered")
            } catch {
                guard case .transport(let failure) = error else {
                    Issue.record("\(error)")
                    return
                }
                #expect(failure.kind == .resourcesExhausted && failure.wasRequestSent == false, "\(failure)")
                #expect(failure.message.contains("ulimit -u"), "\(failure)")
            }
            transfers.provide(1)
            #expect(try await client.getBalances().balances.count == 1)
            await client.shutdown()
        }
    }
}
