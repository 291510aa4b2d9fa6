import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// Processes that are killed, and others that go on where they were.
@Suite(.enabled(if: Programs.areCompiled), .serialized) struct RecoveryTests {
    /// An authority behind a socket, whose requests a test can stop before they are handled or after.
    private final class World: Sendable {
        let clock: ManualClock?
        let authority: LocalAuthority
        let gate: GateTransport
        let server: LoopbackServer
        let folder: URL
        let worker: URL
        private let keys = Lock(Set<String>())

        init(clock: ManualClock? = nil) throws {
            self.clock = clock
            authority = LocalAuthority(clock: clock)
            authority.addAPIKey("key-of-the-test", tenant: "acme")
            authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000_000))
            gate = GateTransport(authority)
            server = LoopbackServer(gate)
            try server.start()
            folder = try Programs.temporaryFolder()
            worker = try Programs.compiled("RecoveryWorker")
        }

        deinit {
            server.stop()
            try? FileManager.default.removeItem(at: folder)
        }

        var journal: String { folder.appendingPathComponent("journal").path }

        func start(_ lifecycles: Int, _ label: String) throws -> Process {
            let process = Process()
            process.executableURL = worker
            process.arguments = [
                server.baseURL, journal, "\(lifecycles)", folder.appendingPathComponent("notes").path, label,
            ]
            process.standardInput = Pipe()
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            return process
        }

        /// Starts a worker that does nothing but settle what is left, and waits for its end.
        func settleWhatIsLeft() throws {
            let process = try start(0, "settle")
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
        }

        /// The records that are in the journal, in files of their own and in the logs.
        var records: [SettlementRecord] {
            let files = SystemFileSystem()
            let paths = FileManager.default.enumerator(atPath: journal)?.allObjects as? [String] ?? []
            let filed = paths.filter { $0.hasSuffix(".json") }.compactMap { path in
                (try? files.read(journal + "/" + path, limit: SettlementRecord.maxBytes))
                    .flatMap { try? SettlementRecord(parsing: $0) }
            }
            let logged = paths.filter { $0.hasSuffix(".log") }.flatMap { path in
                (try? files.read(journal + "/" + path, limit: CommitLogFormat.maxBytes))
                    .flatMap { try? CommitLogContents(of: $0) }?.entries ?? []
            }
            return filed + logged.compactMap { try? SettlementRecord(parsing: $0.record) }
        }

        /// Keeps the keys of records, to look for their charges later.
        func remember(_ records: [SettlementRecord]) {
            let found = records.compactMap { $0.commitBody.flatMap { SettlementRecord.key(in: $0)?.rawValue } }
            keys.withLock { $0.formUnion(found) }
        }

        var remembered: Set<String> { keys.withLock { $0 } }

        var files: [String] {
            (FileManager.default.enumerator(atPath: journal)?.allObjects as? [String] ?? []).filter { $0.contains(".") }
        }

        var spent: Int64 { authority.balances().first?.spent?.amount ?? -1 }
        var reserved: Int64 { authority.balances().first?.reserved?.amount ?? -1 }
    }

    private func kill(_ process: Process) {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
    }

    @Test(arguments: [GateTransport.Moment.beforeHandling, .afterHandling])
    func aCommitInFlightSurvivesTheProcess(moment: GateTransport.Moment) async throws {
        let world = try World()
        world.gate.hold("commit", moment)
        let process = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        // It was on disk before it left.
        let record = try #require(world.records.first)
        #expect(record.mode == .commit && record.commitBody.flatMap { SettlementRecord.key(in: $0) } == "first-0")
        kill(process)
        world.gate.open(dropping: true)
        #expect(world.records.count == 1)
        #expect(world.spent == (moment == .afterHandling ? 3 : 0))

        try world.settleWhatIsLeft()
        #expect(world.spent == 3 && world.reserved == 0 && world.files.isEmpty)
        let commits = world.gate.requests("commit")
        #expect(commits.count >= 2 && commits.allSatisfy { $0.body == record.commitBody })
        #expect(Set(commits.map { $0.headers["X-Idempotency-Key"] }) == ["first-0"])
    }

    @Test func aSwitchToAnEventSurvivesTheProcess() async throws {
        let clock = ManualClock()
        let world = try World(clock: clock)
        world.gate.hold("commit", .beforeHandling)
        let first = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        kill(first)
        world.gate.open(dropping: true)
        // By the time the next process starts, the reservation has expired.
        clock.advance(by: .seconds(60))
        world.gate.hold("events", .beforeHandling)
        let second = try world.start(0, "second")
        await until { world.gate.held >= 1 }
        let record = try #require(world.records.first)
        #expect(record.mode == .event)
        kill(second)
        world.gate.open(dropping: true)

        let commits = world.gate.requests("commit").count
        try world.settleWhatIsLeft()
        // It is not committed any more.
        #expect(world.gate.requests("commit").count == commits)
        let events = world.gate.requests("events")
        #expect(events.count >= 2 && events.allSatisfy { $0.body == record.eventBody })
        #expect(world.spent == 3 && world.files.isEmpty)
    }

    @Test func whatAServerAskedToWaitForSurvivesTheProcess() async throws {
        let world = try World()
        world.gate.answerOnce("commit", HTTPResponse(status: 429, headers: ["Retry-After": "2"], body: []))
        let process = try world.start(1, "first")
        await until { world.records.first?.notBeforeMilliseconds != nil }
        let notBefore = try #require(world.records.first?.notBeforeMilliseconds)
        kill(process)
        try world.settleWhatIsLeft()
        #expect(world.spent == 3 && world.files.isEmpty)
        #expect(try #require(world.gate.times("commit").last) >= notBefore)
    }

    @Test func twoProcessesThatReplayTheSameRecordChargeOnce() async throws {
        let world = try World()
        world.gate.hold("commit", .beforeHandling)
        let process = try world.start(1, "first")
        await until { world.gate.held >= 1 }
        kill(process)
        world.gate.open(dropping: true)
        world.gate.hold("commit", .beforeHandling)
        let workers = try [world.start(0, "a"), world.start(0, "b")]
        await until { world.gate.held >= 2 }
        world.gate.open()
        for worker in workers { worker.waitUntilExit() }
        #expect(world.spent == 3 && world.files.isEmpty)
    }

    /// How often a worker is killed; more where there is time.
    private static let kills = Int(ProcessInfo.processInfo.environment["CYCLES_TESTS_KILLS"] ?? "") ?? 12

    @Test(.timeLimit(.minutes(20))) func killedAtRandomMomentsEverySpendIsChargedOnce() async throws {
        let world = try World()
        for round in 0..<Self.kills {
            let before = world.gate.requests("commit").count
            let process = try world.start(1_000, "run\(round)")
            await until { world.gate.requests("commit").count > before }
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...300)))
            kill(process)
            // Whatever is on disk now has to be charged.
            world.remember(world.records)
        }
        try world.settleWhatIsLeft()
        // A file that was being written when its process was killed stays for an hour.
        let left = world.files.filter { !$0.hasSuffix(".tmp") }
        #expect(left.isEmpty, "\(left)")
        // What was held when a process was killed runs out.
        await until { world.reserved == 0 }
        #expect(world.reserved == 0)
        // One charge for each key that the server accepted, and none without.
        let accepted = world.gate.acceptedKeys
        #expect(world.spent == Int64(accepted.count) * 3)
        for key in world.remembered { #expect(accepted.contains(key)) }
        let noted = try String(contentsOf: world.folder.appendingPathComponent("notes"), encoding: .utf8)
            .split(separator: "\n").map { String($0.split(separator: " ").last ?? "") }
        for key in noted { #expect(accepted.contains(key)) }
        #expect(Set(noted).count == noted.count && !noted.isEmpty)
    }
}

/// Stops requests at a moment until a test lets them go.
final class GateTransport: BlockingHTTPTransport {
    enum Moment: Sendable { case beforeHandling, afterHandling }

    private struct State {
        var holds: (operation: String, moment: Moment)?
        var held = 0
        /// Whether those that are held are forgotten when they are let go.
        var drops = false
        var planned: [String: HTTPResponse] = [:]
        var requests: [(operation: String, request: HTTPRequest, milliseconds: Int64)] = []
        var acceptedKeys: Set<String> = []
    }

    private let inner: any BlockingHTTPTransport
    private let state = WaitableLock(State())

    init(_ inner: LocalAuthority) { self.inner = inner }

    var held: Int { state.withLock { $0.held } }
    var acceptedKeys: Set<String> { state.withLock { $0.acceptedKeys } }

    func requests(_ operation: String) -> [HTTPRequest] {
        state.withLock { $0.requests.filter { $0.operation == operation }.map(\.request) }
    }

    func times(_ operation: String) -> [Int64] {
        state.withLock { $0.requests.filter { $0.operation == operation }.map(\.milliseconds) }
    }

    func hold(_ operation: String, _ moment: Moment) {
        state.withLock { state in
            state.holds = (operation, moment)
            state.drops = false
        }
    }

    /// - Parameter dropping: Whether what is held is lost, as if it had been lost with its process.
    func open(dropping: Bool = false) {
        state.withLock { state in
            state.holds = nil
            state.held = 0
            state.drops = dropping
        }
    }

    func answerOnce(_ operation: String, _ response: HTTPResponse) {
        state.withLock { $0.planned[operation] = response }
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let operation = String(request.url.split(separator: "/").last ?? "")
        let planned = state.withLock { state in
            state.requests.append((operation, request, SystemTime.wall.duration.wholeMilliseconds))
            return state.planned.removeValue(forKey: operation)
        }
        if let planned { return planned }
        try wait(operation, .beforeHandling)
        let response = try inner.send(request)
        if ["commit", "events"].contains(operation), (200..<300).contains(response.status),
            let key = request.headers["X-Idempotency-Key"]
        {
            state.withLock { _ = $0.acceptedKeys.insert(key) }
        }
        try wait(operation, .afterHandling)
        return response
    }

    private func wait(_ operation: String, _ moment: Moment) throws(HTTPTransportError) {
        let isHeld = state.withLock { state in
            guard let holds = state.holds, holds.operation == operation, holds.moment == moment else { return false }
            state.held += 1
            return true
        }
        guard isHeld else { return }
        let isDropped = state.wait { $0.holds == nil ? $0.drops : nil }
        if isDropped { throw HTTPTransportError(kind: .connectionFailed, message: "dropped", wasRequestSent: nil) }
    }
}
