import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// An authority behind a socket, whose requests a test can stop before they are handled or after.
final class RecoveryWorld: Sendable {
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
