import CyclesSimulation
import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// A folder that is there for one test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The names of all files below, without their folders. The log of a process that runs is not among them.
    var files: [String] {
        (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? [])
            .filter { $0.contains(".") && !$0.hasSuffix(".log") }.map { String($0.split(separator: "/").last ?? "") }
            .sorted()
    }

    /// The records in the logs, as another process would read them.
    var loggedRecords: [SettlementRecord] {
        get throws {
            let logs = (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? [])
                .filter { $0.hasSuffix(".log") }
            return try logs.flatMap { log in
                let bytes = try SystemFileSystem().read(path + "/" + log, limit: CommitLogFormat.maxBytes)
                return try CommitLogContents(of: bytes).entries.map { try SettlementRecord(parsing: $0.record) }
            }
        }
    }

    /// All files' contents together.
    var contents: String {
        (FileManager.default.enumerator(atPath: path)?.allObjects as? [String] ?? []).sorted()
            .compactMap {
                FileManager.default.contents(atPath: path + "/" + $0).map { String(decoding: $0, as: UTF8.self) }
            }
            .joined(separator: "\n")
    }
}

/// The world of one test: an authority that outlives the clients, which come and go as processes do.
struct World {
    let folder: TemporaryFolder
    let bench: LifecycleBench

    init(_ change: (inout CyclesConfiguration) -> Void = { _ in }) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        bench = try LifecycleBench { configuration in
            configuration.journal = .directory(folder.path)
            change(&configuration)
        }
    }

    /// A client that starts while the others, if they are still there, do nothing.
    func restarted(_ change: (inout CyclesConfiguration) -> Void = { _ in }) throws -> CyclesClient {
        var configuration = bench.client.configuration
        change(&configuration)
        return try .waiting(configuration: configuration, transport: bench.wire, clock: bench.clock)
    }

    var identityFolder: String {
        folder.path + "/" + JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-1", tenant: "acme")
    }

    func file(_ id: ReservationID) -> String { identityFolder + "/" + JournalNames.file(id) }

    /// - Parameter time: The time of the last attempt, in milliseconds since 1970; 0 for none.
    func plant(_ name: String, _ contents: String, attemptedAt time: Int64 = 0) throws {
        let files = SystemFileSystem()
        try files.prepareDirectory(identityFolder)
        try files.createFile(identityFolder + "/" + name, Array(contents.utf8))
        guard JournalNames.isRecord(name) else { return }
        try files.openDirectory(identityFolder).open(name)?.setModified(atMilliseconds: time)
    }

    /// The time of the last attempt by the file of a reservation, in milliseconds since 1970.
    func attemptTime(_ id: ReservationID) throws -> Int64? {
        try SystemFileSystem().openDirectory(identityFolder).status(of: JournalNames.file(id))?.modifiedAtMilliseconds
    }

    var problems: [JournalProblem] {
        bench.events { if case .journalProblem(let problem) = $0 { problem } else { nil } }
    }

    var setAside: [SetAsideRecord] {
        bench.events { if case .recordSetAside(let record) = $0 { record } else { nil } }
    }
}

private let unauthorized = #"{"error":"UNAUTHORIZED","message":"m","request_id":"r"}"#
private let throttled = #"{"error":"LIMIT_EXCEEDED","message":"m","request_id":"r"}"#

private func record(_ id: String, _ baseURL: String = "http://authority.test", mode: String = "commit") -> String {
    #"{"version":1,"reservation_id":"\#(id)","base_url":"\#(baseURL)","mode":"\#(mode)","commit_body":{"a":1},"#
        + #""event_fallback_body":{"b":2},"recorded_at_ms":0}"#
}

@Suite struct JournalTests {
    @Test func aRecordIsOnDiskBeforeTheCommitLeavesAndGoneOnceItIsSettled() async throws {
        let world = try World()
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let seen = Lock<[SettlementRecord]?>(nil)
        world.bench.wire.whenSent("commit") { request in
            seen.withLock { $0 = try? world.folder.loggedRecords }
        }
        try await guarded.commit(.tokens(420), metadata: ["job": 7])
        let record = try #require(seen.withLock { $0 }?.first)
        #expect(record.commitBody == world.bench.wire.requests[1].body)
        #expect(record.mode == .commit && record.recordedAtMilliseconds == world.bench.clock.nowMilliseconds)
        let event = try JSONValue(parsing: try #require(record.eventBody))
        #expect(event["metadata"]?["recovered_reservation_id"] != nil && event["actual"]?["amount"] == 420)
        #expect(try world.folder.loggedRecords.isEmpty && world.folder.files.isEmpty && world.problems.isEmpty)
    }

    @Test func filesAreForTheirOwnerOnlyAndHoldNoKey() async throws {
        let world = try World { $0.retry.isEnabled = false }
        world.bench.wire.answer("commit", status: 401, unauthorized)
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let path = world.file(guarded.reservationID)
        #expect(try await guarded.commit(.tokens(1)).outcome == .queued(isDurable: true))
        func mode(_ path: String) throws -> Int {
            try #require(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
        }
        #expect(try mode(path) == 0o600 && mode(world.identityFolder) == 0o700)
        #expect(world.folder.contents.contains("idempotency_key") && !world.folder.contents.contains("key-1"))
    }

    @Test func whatIsLeftSettlesAfterARestart() async throws {
        let world = try World()
        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let guarded = try await world.bench.client.reserve(world.bench.request())
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        let pending = await world.bench.client.pendingSettlements()
        #expect(pending.count == 1 && pending[0].isDurable && pending[0].lastError?.status == 401)
        await world.bench.client.shutdown(timeout: .zero)
        #expect(world.folder.files.count == 1)
        let failures = world.bench.events { if case .settlementFailed = $0 { true } else { nil } }
        #expect(failures.isEmpty)

        world.bench.clock.advance(by: .seconds(5))
        let client = try world.restarted()
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
        #expect(await client.pendingSettlements().isEmpty)
        let commits = world.bench.wire.requests.filter { $0.operationName == "commit" }
        #expect(Set(commits.map(\.body)).count == 1 && Set(commits.map { $0.headers["X-Idempotency-Key"] }).count == 1)
    }

    @Test(arguments: [(Amount.tokens(420), false), (.credits(1), true)], [false, true])
    func aReplayedSettlementTellsThatItChargesTheEstimate(
        actual: (amount: Amount, isUnknown: Bool),
        isLate: Bool
    ) async throws {
        let world = try World()
        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let reservation = try await world.bench.client.reserve(world.bench.request())
        try await reservation.commit(actual.amount)
        await world.bench.client.shutdown(timeout: .zero)
        world.bench.clock.advance(by: .seconds(isLate ? 3_600 : 5))
        world.bench.observer.forget()

        _ = try world.restarted()
        let settled = world.bench.events { if case .settled(_, let settlement, _) = $0 { settlement } else { nil } }
        #expect(settled.map(\.chargedEstimate) == [actual.isUnknown])
        #expect(settled.first?.charged == (isLate ? nil : actual.isUnknown ? .tokens(1_000) : .tokens(420)))
        #expect(world.bench.operations.last == (isLate ? "event" : "commit"))
    }

    @Test func aCommitAfterShutdownIsLeftForTheNextClient() async throws {
        let world = try World()
        let guarded = try await world.bench.client.reserve(world.bench.request())
        await world.bench.client.shutdown()
        world.bench.wire.loseRequest("commit")
        #expect(try await guarded.commit(.tokens(5)).outcome == .queued(isDurable: true))
        #expect(world.folder.files.count == 1)
        world.bench.clock.advance(by: .seconds(5))
        _ = try world.restarted()
        #expect(world.bench.figures == [99_995, 0, 5] && world.folder.files.isEmpty)
    }

    @Test func whatTheServerAsksToWaitForHoldsAfterARestart() async throws {
        let world = try World()
        world.bench.wire.answer("commit", status: 429, throttled, headers: ["Retry-After": "600"])
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let path = world.file(guarded.reservationID)
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        let record = try SettlementRecord(parsing: try SystemFileSystem().read(path, limit: 1_000_000))
        #expect(record.notBeforeMilliseconds == world.bench.clock.nowMilliseconds + 600_000)
        await world.bench.client.shutdown(timeout: .zero)

        world.bench.clock.advance(by: .seconds(100))
        let client = try world.restarted()
        world.bench.clock.advance(by: .milliseconds(499_999))
        await client.flush(timeout: .zero)
        #expect(world.bench.operations.filter { $0 == "commit" }.count == 1)
        world.bench.clock.advance(by: .milliseconds(1))
        #expect(world.bench.operations.last == "event" && world.folder.files.isEmpty)
        #expect(world.bench.authority.balances()[0].spent == .tokens(420))
    }

    @Test func aToolsEndDoesNotWaitForWhatAnEarlierProcessLeft() async throws {
        let world = try World()
        try world.plant(JournalNames.file("rsv_old"), record("rsv_old"))
        for _ in 0..<80 { world.bench.wire.answer("commit", status: 503) }
        let client = try world.restarted()
        #expect(world.bench.operations == ["commit"])
        // Nothing is waited for, and so nothing is left.
        let report = Lock<FlushReport?>(nil)
        let flush = Task {
            let result = await client.flush(timeout: .milliseconds(10), includesReplays: false)
            report.withLock { $0 = result }
        }
        await until {
            world.bench.clock.advance(by: .milliseconds(10))
            return report.withLock { $0 } != nil
        }
        await flush.value
        #expect(report.withLock { $0 } == FlushReport(settled: 0, stillPending: 0))
        let blocking = try BlockingCyclesClient.waiting(
            configuration: client.configuration,
            transport: world.bench.wire,
            clock: world.bench.clock
        )
        #expect(blocking.flush(timeout: .milliseconds(10), includesReplays: false).stillPending == 0)
        blocking.shutdown(timeout: .zero, includesReplays: false)
        await client.shutdown(timeout: .zero, includesReplays: false)
        #expect(world.folder.files == [JournalNames.file("rsv_old")])
    }

    @Test func aServerIsBelievedForAnHourAtMost() async throws {
        let world = try World()
        let body = #"{"version":1,"reservation_id":"rsv_x","base_url":"http://authority.test","commit_body":{},"#
        try world.plant(
            JournalNames.file("rsv_x"),
            body + #""recorded_at_ms":0,"not_before_ms":\#(world.bench.clock.nowMilliseconds + 1_000_000_000)}"#,
            attemptedAt: world.bench.clock.nowMilliseconds
        )
        _ = try world.restarted()
        world.bench.clock.advance(by: .seconds(3_599))
        #expect(world.bench.operations.isEmpty)
        world.bench.clock.advance(by: .seconds(1))
        #expect(world.bench.operations == ["commit"])
    }

    @Test func theSwitchToAnEventIsOnDiskBeforeTheEventIsSent() async throws {
        let world = try World { $0.heartbeat = .disabled }
        let guarded = try await world.bench.client.reserve(world.bench.request())
        world.bench.clock.advance(by: .seconds(120))
        let seen = Lock<[SettlementRecord]?>(nil)
        world.bench.wire.whenSent("event") { _ in
            seen.withLock { $0 = $0 ?? (try? world.folder.loggedRecords) }
        }
        // The event's answer is lost, and so is the process.
        world.bench.wire.loseAnswer("event")
        for _ in 0..<10 { world.bench.wire.loseRequest("event") }
        let box = GuardBox(guarded)
        async let settlement = box.take()?.commit(.tokens(420))
        await world.bench.advanceUntil { world.bench.operations.count >= 5 }
        #expect(try await settlement?.outcome == .queued(isDurable: true))
        let record = try #require(seen.withLock { $0 }?.first)
        #expect(record.mode == .event)
        await world.bench.client.shutdown(timeout: .zero)

        world.bench.wire.forgetPlans()
        world.bench.clock.advance(by: .seconds(30))
        _ = try world.restarted()
        let operations = world.bench.operations
        #expect(operations.filter { $0 == "commit" }.count == 1 && operations.last == "event")
        #expect(world.folder.files.isEmpty && world.bench.figures == [99_580, 0, 420])
    }

    @Test func whatIsRefusedForGoodIsKeptAside() async throws {
        let world = try World()
        var request = world.bench.request()
        request.overagePolicy = .reject
        let guarded = try await world.bench.client.reserve(request)
        let name = JournalNames.file(guarded.reservationID)
        var refusal: CyclesError?
        do throws(CyclesError) { try await guarded.commit(.tokens(5_000)) } catch let error { refusal = error }
        #expect(refusal?.errorCode == .budgetExceeded)
        #expect(world.folder.files == [name + ".rejected"])
        _ = try world.restarted()
        #expect(world.folder.files == [name + ".rejected"] && world.bench.operations.count == 2)

        // An operator finds in it why, and for what it was.
        let entry = try #require(SettlementJournal(world.bench.client.configuration).identities().first?.entries.first)
        #expect(entry.rejection == "\(try #require(refusal))" && entry.rejection?.contains("BUDGET_EXCEEDED") == true)
        #expect(entry.action == request.action && entry.subject?.tenant == "acme" && entry.actual == .tokens(5_000))
    }

    @Test func aLongReasonIsCut() async throws {
        let world = try World()
        let message = String(repeating: "x", count: 3_000)
        world.bench.wire.answer(
            "commit",
            status: 409,
            #"{"error":"BUDGET_FROZEN","message":"\#(message)","request_id":"r"}"#
        )
        let guarded = try await world.bench.client.reserve(world.bench.request())
        do { try await guarded.commit(.tokens(5)) } catch { #expect(error.errorCode == .budgetFrozen) }
        let entry = try #require(SettlementJournal(world.bench.client.configuration).identities().first?.entries.first)
        #expect(entry.state == .rejected && entry.rejection?.count == 2_000 && entry.rejection?.last == "…")
    }

    @Test func whatCannotHaveItsReasonIsPutAsideWithout() throws {
        let folder = try TemporaryFolder()
        let recorder = RecordingObserver()
        let identity = JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key"), tenant: "acme")
        let journal = JournalWriter(
            FaultyFiles(.create, passing: 2),
            directory: folder.path,
            identity: identity,
            observer: recorder,
            threads: .none
        )
        let record = try SettlementRecord(parsing: Array(record("rsv_1").utf8))
        journal.write(record) { #expect($0) }
        let ends = Lock(0)
        journal.setAside(record.reservationID, reason: "no room") { ends.withLock { $0 += 1 } }
        #expect(ends.withLock { $0 } == 1 && folder.files == [JournalNames.file(record.reservationID) + ".rejected"])
        let entry = try #require(SettlementJournal(.directory(folder.path)).identities().first?.entries.first)
        #expect(entry.rejection == nil && entry.reservationID == "rsv_1")
    }

    @Test func aDroppedGuardsRecordIsWrittenBeforeItIsGone() async throws {
        let folder = try TemporaryFolder()
        // A client whose journal has a thread of its own, and whose requests get nowhere.
        let mock = MockTransport()
        mock.on(.post, "/v1/reservations") { _ in
            HTTPResponse(
                json:
                    #"{"decision":"ALLOW","affected_scopes":[],"reservation_id":"rsv_d","expires_at_ms":1,"remaining_ttl_ms":60000}"#
            )
        }
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .directory(folder.path)
        configuration.observer = RecordingObserver()
        let client = try CyclesClient(configuration: configuration, transport: mock)
        let request = ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10))
        do {
            let guarded = try await client.reserve(request)
            guarded.addSpend(.tokens(3))
        }
        #expect(try folder.loggedRecords.map(\.reservationID) == ["rsv_d"])
        await client.shutdown(timeout: .zero)
        #expect(folder.files == [JournalNames.file("rsv_d")])
    }

    // MARK: Files that cannot be used

    @Test func corruptRecordsAreKeptAsideAndDoNotStopOthers() async throws {
        let world = try World()
        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let guarded = try await world.bench.client.reserve(world.bench.request())
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        await world.bench.client.shutdown(timeout: .zero)
        try world.plant("v2-00.json", "{")
        try world.plant("v2-11.json", #"{"version":9,"reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#)
        // Another reservation's file, under a wrong name.
        try world.plant(
            "v2-22.json",
            #"{"version":1,"reservation_id":"r","base_url":"http://authority.test","commit_body":{},"recorded_at_ms":0}"#
        )
        try world.plant("v2-33.json", String(repeating: " ", count: 1_024 * 1_024 + 1))

        world.bench.clock.advance(by: .seconds(5))
        _ = try world.restarted()
        #expect(world.bench.figures == [99_580, 0, 420])
        // A newer client can still settle its own, and one that cannot be read may be readable later.
        #expect(world.folder.files == ["v2-00.corrupt", "v2-11.json", "v2-22.corrupt", "v2-33.json"])
        #expect(world.setAside.map(\.path) == ["v2-00", "v2-22"].map { world.identityFolder + "/\($0).corrupt" })
        #expect(world.problems.count == 2 && world.problems.contains { $0.message.contains("version 9 is newer") })
    }

    /// The form in which other clients keep an event.
    @Test(arguments: [#""commit_body":null,"#, ""])
    func anEventOfAnotherClientIsCharged(member: String) async throws {
        let world = try World()
        let name = JournalNames.file("rsv_1")
        let contents =
            #"{"version":1,"reservation_id":"rsv_1","base_url":"http://authority.test","mode":"event",\#(member)"#
            + #""event_fallback_body":{"idempotency_key":"k","subject":{"tenant":"acme"},"#
            + #""action":{"kind":"a","name":"b"},"actual":{"unit":"TOKENS","amount":7}},"recorded_at_ms":0}"#
        try world.plant(name, contents)
        world.bench.wire.answer("event", status: 429, throttled, headers: ["Retry-After": "60"])
        let client = try world.restarted()
        #expect(world.folder.files == [name] && world.setAside.isEmpty)
        #expect(
            world.folder.contents
                == contents.dropLast() + #","not_before_ms":\#(world.bench.clock.nowMilliseconds + 60_000)}"#
        )
        #expect(await client.pendingSettlements().map(\.isEvent) == [true])
        world.bench.clock.advance(by: .seconds(60))
        #expect(world.folder.files.isEmpty && world.bench.figures == [99_993, 0, 7])
        #expect(world.bench.wire.requests.last?.headers["X-Idempotency-Key"] == "k")
    }

    @Test func recordsOfAnotherServerAreLeftAlone() async throws {
        let world = try World()
        let name = JournalNames.file("r")
        try world.plant(
            name,
            #"{"version":1,"reservation_id":"r","base_url":"http://other","commit_body":{},"recorded_at_ms":0}"#
        )
        _ = try world.restarted()
        #expect(world.folder.files == [name] && world.bench.operations.isEmpty && world.problems.isEmpty)
    }

    @Test func recordsOfOlderClientsMoveToTheStandardName() async throws {
        let world = try World()
        func record(_ id: String) -> String {
            #"{"version":1,"reservation_id":"\#(id)","base_url":"http://authority.test","commit_body":{"a":1},"recorded_at_ms":0}"#
        }
        // Two reservations that share a legacy name: the file is that of one of them.
        try world.plant("a_b.json", record("a/b"))
        world.bench.wire.answer("commit", status: 401, unauthorized)
        world.bench.wire.answer("commit", status: 401, unauthorized)
        try world.plant(JournalNames.file("a:b"), record("a:b"))
        let client = try world.restarted()
        #expect(world.folder.files == [JournalNames.file("a/b"), JournalNames.file("a:b")].sorted())
        #expect(await client.pendingSettlements().map(\.reservationID.rawValue).sorted() == ["a/b", "a:b"])
    }

    /// The legacy names sort before and after the standard ones.
    @Test(arguments: ["rsv_1", "z"])
    func aStandardRecordComesBeforeALegacyOne(id: String) async throws {
        let world = try World()
        try world.plant(JournalNames.file(ReservationID(id)), record(id, mode: "event"))
        try world.plant(id + ".json", record(id))
        world.bench.wire.loseRequest("event")
        _ = try world.restarted()
        // Having become an event it is not committed any more.
        #expect(world.bench.operations == ["event"])
        #expect(world.folder.files == [JournalNames.file(ReservationID(id))])
    }

    @Test(arguments: ["rsv_1", "z"])
    func aCorruptRecordDoesNotCostTheLegacyOne(id: String) async throws {
        let world = try World()
        let standard = JournalNames.file(ReservationID(id))
        try world.plant(standard, "{")
        try world.plant(id + ".json", record(id))
        world.bench.wire.loseRequest("commit")
        let client = try world.restarted()
        #expect(world.bench.operations == ["commit"])
        #expect(
            world.folder.files == [standard.replacingOccurrences(of: ".json", with: ".corrupt"), standard].sorted()
        )
        #expect(await client.pendingSettlements().map(\.isDurable) == [true])
    }

    @Test func legacyRecordsOfAnotherServerAreLeftAlone() async throws {
        let world = try World()
        try world.plant("rsv_1.json", record("rsv_1", "http://other"))
        try world.plant(JournalNames.file("z"), record("z", "http://other"))
        try world.plant("z.json", record("z"))
        _ = try world.restarted()
        #expect(world.folder.files == ["rsv_1.json", JournalNames.file("z"), "z.json"].sorted())
        #expect(world.bench.operations.isEmpty && world.problems.count == 1)
    }

    @Test func oldTemporaryFilesGo() async throws {
        let world = try World()
        try world.plant("v2-00.json.1.00000000.tmp", "x")
        try world.plant("v2-11.json.1.00000000.tmp", "x")
        let old = Date(timeIntervalSinceNow: -3_700)
        try FileManager.default.setAttributes(
            [.modificationDate: old],
            ofItemAtPath: world.identityFolder + "/v2-00.json.1.00000000.tmp"
        )
        _ = try world.restarted()
        #expect(world.folder.files == ["v2-11.json.1.00000000.tmp"])
    }

    @Test func siblingsAreReported() async throws {
        let world = try World()
        let other = world.folder.path + "/0123456789abcdef"
        try SystemFileSystem().prepareDirectory(other)
        try SystemFileSystem().createFile(other + "/v2-00.json", [])
        _ = try world.restarted()
        #expect(world.problems.count == 1 && world.problems.first?.path == other)
        #expect(world.problems.first?.message.hasPrefix("1 settlements") == true)
    }

    // MARK: For operators

    @Test func operatorsSeeWhatWaitsAndWhatWasPutAside() async throws {
        let world = try World()
        var journal: SettlementJournal { SettlementJournal(world.bench.client.configuration) }
        let none = try journal.identities()
        #expect(none.isEmpty && journal.problem == nil)
        #expect(journal.ownName.map { world.identityFolder.hasSuffix($0) } == true)

        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let id = guarded.reservationID
        _ = try await guarded.commit(.tokens(420))
        await world.bench.client.shutdown(timeout: .zero)
        try world.plant("v2-00.corrupt", "{")
        try world.plant("v2-44.json.rejected", record("rsv_9", mode: "event"))
        try world.plant("v2-55.json.1.0a.tmp", "")
        let other = world.folder.path + "/0123456789abcdef"
        try SystemFileSystem().prepareDirectory(other)
        try SystemFileSystem().createFile(other + "/v2-00.json", Array(record("rsv_2", "http://other.test").utf8))
        // A folder that is none of the journal's is left out.
        try SystemFileSystem().prepareDirectory(world.folder.path + "/lost+found")
        try SystemFileSystem().createFile(world.folder.path + "/lost+found/a.json", [])

        let identities = try journal.identities()
        #expect(identities.map(\.isOwn).filter { $0 }.count == 1 && identities.count == 2)
        let own = try #require(identities.first { $0.isOwn })
        let states = Set(own.entries.map(\.state))
        #expect(own.entries.count == 3 && states == [.pending, .rejected, .corrupt])
        let waiting = own.entries.first { $0.state == .pending }
        let pending = try #require(waiting)
        #expect(pending.reservationID == id && pending.actual == .tokens(420) && pending.path == world.file(id))
        #expect(pending.baseURL == "http://authority.test" && pending.idempotencyKey != nil && pending.problem == nil)
        #expect(own.entries.first { $0.state == .corrupt }?.problem != nil)
        #expect(own.entries.first { $0.state == .rejected }?.isEvent == true)
        #expect(identities.first { !$0.isOwn }?.entries.first?.baseURL == "http://other.test")
        // Without a configuration nothing is the own one's.
        let files = SettlementJournal(.directory(world.folder.path))
        #expect(try files.ownName == nil && files.identities().allSatisfy { !$0.isOwn })

        #expect(try String(decoding: journal.contents(of: pending), as: UTF8.self).contains(id.rawValue))
        try journal.discard(pending)
        #expect(try journal.identities().flatMap(\.entries).count == 3)
        #expect(throws: JournalProblem.self) { try journal.contents(of: pending) }
        #expect(SettlementJournal(.disabled).directory == nil && SettlementJournal(.disabled).problem != nil)
    }

    @Test func operatorsSeeTheLogsOfProcessesThatEnded() throws {
        let disk = SimulatedDisk()
        func process(_ number: Int32, _ id: ReservationID) throws -> JournalWriter {
            let journal = JournalWriter(
                disk.process(number),
                directory: "/journal",
                identity: JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("k"), tenant: "acme"),
                observer: RecordingObserver(),
                threads: .none
            )
            #expect(journal.writeBlocking(try SettlementRecord(parsing: Array(record(id.rawValue).utf8))))
            return journal
        }
        let ended = try process(1, "rsv_1")
        let running = try process(2, "rsv_2")
        disk.kill(1)
        let operatorFiles = disk.process(3)
        let journal = SettlementJournal(.directory("/journal"), nil, operatorFiles)
        let before = disk.paths
        let entries = try journal.identities().flatMap(\.entries)
        #expect(entries.map(\.reservationID) == ["rsv_1"] && entries.allSatisfy { $0.isLogged && $0.state == .pending })
        #expect(try journal.logsInUse() == disk.paths.filter { $0.contains("/2-") })
        #expect(try SettlementRecord(parsing: journal.contents(of: entries[0])).reservationID == "rsv_1")
        // Looking changes nothing.
        #expect(disk.paths == before)

        try journal.discard(entries[0])
        #expect(try journal.identities().isEmpty && disk.paths == before.filter { $0.contains("/2-") })
        withExtendedLifetime((ended, running)) {}
    }

    @Test func operatorsSeeWhyAPlaceCannotBeUsed() throws {
        let world = try World()
        try world.plant("v2-00.json", record("rsv_1"))
        try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: world.identityFolder)
        let journal = SettlementJournal(world.bench.client.configuration)
        #expect(journal.problem?.path == world.identityFolder)
        #expect(try journal.identities().count == 1)
    }

    // MARK: Places that cannot be used

    private func commit(_ world: World) async throws -> [JournalProblem] {
        let guarded = try await world.bench.client.reserve(world.bench.request())
        #expect(try await guarded.commit(.tokens(7)).charged == .tokens(7))
        return world.problems
    }

    @Test func aLinkInPlaceOfTheDirectoryIsRefused() async throws {
        let target = try TemporaryFolder()
        let world = try World()
        try FileManager.default.createSymbolicLink(atPath: world.identityFolder, withDestinationPath: target.path)
        // The record continues in its file.
        world.bench.wire.answer("commit", status: 401, unauthorized)
        let guarded = try await world.bench.client.reserve(world.bench.request())
        #expect(try await guarded.commit(.tokens(7)).outcome == .queued(isDurable: true))
        #expect(!world.problems.isEmpty)
        #expect(target.files.isEmpty)
    }

    @Test func aDirectoryThatOthersMayWriteToIsRefused() async throws {
        let world = try World()
        try FileManager.default.setAttributes([.posixPermissions: 0o770], ofItemAtPath: world.folder.path)
        let problems = try await commit(world)
        #expect(problems.contains { $0.message.contains("may write") })
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: world.folder.path)
        world.bench.observer.forget()
        #expect(try await commit(world).isEmpty)
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/self")))
    func aDirectoryThatCannotBeMadeDoesNotStopTheCommit() async throws {
        // No user can make directories there.
        let world = try World { $0.journal = .directory("/proc/cycles/journal") }
        let problems = try await commit(world)
        #expect(problems.contains { $0.path == "/proc/cycles" || $0.path == "/proc/cycles/journal" })
    }

    @Test func aJournalThatCannotBeWrittenDoesNotStopTheCommit() async throws {
        for fault in [FaultyFiles.Fault.create, .rename, .sync, .prepare] {
            let bench = try LifecycleBench()
            let folder = try TemporaryFolder()
            var configuration = bench.client.configuration
            configuration.journal = .directory(folder.path)
            let client = try CyclesClient(
                configuration: configuration,
                environment: .testing(
                    .tasks(InlineCallbackTransport(bench.wire)),
                    bench.clock,
                    files: FaultyFiles(fault)
                )
            )
            bench.wire.answer("commit", status: 401, unauthorized)
            let guarded = try await client.reserve(bench.request())
            #expect(try await guarded.commit(.tokens(7)).outcome == .queued(isDurable: false))
            await client.flush(timeout: .zero)
            #expect(bench.figures == [99_993, 0, 7])
            let problems = bench.events { if case .journalProblem(let problem) = $0 { problem } else { nil } }
            #expect(problems.contains { $0.message.contains("No space left on device") })
        }
    }

    @Test(arguments: [(FaultyFiles.Fault.create, 1), (.sync, .max)])
    fileprivate func whatNobodyRefusedIsNotKeptAside(fault: FaultyFiles.Fault, times: Int) async throws {
        let bench = try LifecycleBench()
        let folder = try TemporaryFolder()
        var configuration = bench.client.configuration
        configuration.journal = .directory(folder.path)
        let client = try CyclesClient(
            configuration: configuration,
            environment: .testing(
                .tasks(InlineCallbackTransport(bench.wire)),
                bench.clock,
                files: FaultyFiles(fault, times: times)
            )
        )
        // The record gets there after all, with what the server asks for.
        bench.wire.answer("commit", status: 429, throttled, headers: ["Retry-After": "600"])
        let guarded = try await client.reserve(bench.request())
        let name = JournalNames.file(guarded.reservationID)
        _ = try await guarded.commit(.tokens(7))
        await client.shutdown(timeout: .zero)
        #expect(folder.files == [name])
        bench.clock.advance(by: .seconds(600))
        _ = try CyclesClient.waiting(configuration: configuration, transport: bench.wire, clock: bench.clock)
        #expect(folder.files.isEmpty && bench.authority.balances()[0].spent == .tokens(7))
    }

    @Test func withoutAHomeTheJournalIsOffAndThatIsReported() async throws {
        let bench = try LifecycleBench()
        var configuration = bench.client.configuration
        configuration.journal = .automatic
        let client = try CyclesClient(
            configuration: configuration,
            environment: .testing(.tasks(InlineCallbackTransport(bench.wire)), bench.clock, files: FaultyFiles(.home))
        )
        for _ in 0..<2 { try await client.reserve(bench.request()).commit(.tokens(1)) }
        let problems = bench.events { if case .journalProblem(let problem) = $0 { problem } else { nil } }
        #expect(problems.count == 1 && problems.first?.path == nil)
        #expect(bench.figures == [99_998, 0, 2])
    }

    // MARK: Many

    @Test func tenThousandRecordsAreReplayedAFewAtATime() async throws {
        let world = try World()
        let count = isSlowed ? 500 : 10_000
        var budget: Int64 = 0
        for number in 0..<count {
            let held = try await world.bench.client.createReservation(world.bench.request(2))
            let id = try #require(held.reservationID)
            let body = #"{"idempotency_key":"k\#(number)","actual":{"unit":"TOKENS","amount":1}}"#
            try world.plant(
                JournalNames.file(id),
                #"{"version":1,"reservation_id":"\#(id)","base_url":"http://authority.test","commit_body":\#(body),"#
                    + #""recorded_at_ms":0}"#
            )
            budget += 1
        }
        let gate = CountingTransport(world.bench.authority)
        let client = try CyclesClient(
            configuration: world.bench.client.configuration,
            environment: .testing(.tasks(gate), world.bench.clock)
        )
        #expect(gate.waiting == 1)
        #expect(await client.pendingSettlements().count == count)
        while gate.answerOne() { #expect(gate.waiting <= 8) }
        #expect(world.folder.files.isEmpty)
        #expect(world.bench.authority.balances()[0].spent == .tokens(budget))
    }

    @Test func aRejectedKeyEndsTheRoundAfterOneProbe() async throws {
        let world = try World()
        for number in 0..<50 {
            let id = ReservationID("rsv_\(number)")
            try world.plant(
                JournalNames.file(id),
                #"{"version":1,"reservation_id":"\#(id)","base_url":"http://authority.test","commit_body":{},"recorded_at_ms":0}"#
            )
        }
        world.bench.authority.removeAPIKey("key-1")
        let client = try world.restarted()
        #expect(world.bench.operations.count == 1)
        world.bench.clock.advance(by: .seconds(60))
        #expect(world.bench.operations.count == 2)
        #expect(await client.pendingSettlements().count == 50)
    }

    @Test func eachRoundBeginsWithOneProbe() async throws {
        let world = try World()
        for number in 0..<20 {
            try world.plant(JournalNames.file(ReservationID("rsv_\(number)")), record("rsv_\(number)"))
        }
        // The first round shows that the key is accepted, and that the server is busy with all but the first.
        world.bench.wire.answer(
            "commit",
            status: 200,
            #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":1}}"#
        )
        for _ in 0..<19 { world.bench.wire.answer("commit", status: 503) }
        let gate = CountingTransport(world.bench.wire)
        var configuration = world.bench.client.configuration
        configuration.retry.isEnabled = false
        let client = try CyclesClient(
            configuration: configuration,
            environment: .testing(.tasks(gate), world.bench.clock)
        )
        #expect(gate.waiting == 1)
        _ = gate.answerOne()
        #expect(gate.waiting == 8)
        while gate.answerOne() {}
        #expect(world.bench.operations.count == 20)
        world.bench.authority.removeAPIKey("key-1")
        world.bench.clock.advance(by: .seconds(60))
        #expect(gate.waiting == 1)
        while gate.answerOne() {}
        #expect(world.bench.operations.count == 21)
        #expect(await client.pendingSettlements().count == 19)
    }

    /// The first answer of a round determines the number of concurrent requests after it.
    @Test(
        arguments: [
            (404, "<html>", 1), (400, "", 1), (404, #"{"error":"Not Found"}"#, 1), (503, "", 1), (429, throttled, 1),
            (404, #"{"error":"NOT_FOUND","message":"m","request_id":"r"}"#, 8),
            (409, #"{"error":"BUDGET_FROZEN","message":"m","request_id":"r"}"#, 8),
        ]
    )
    func onlyAnAnswerOfTheServerItselfProvesTheKey(status: Int, body: String, expected: Int) async throws {
        let world = try World()
        for number in 0..<20 {
            try world.plant(JournalNames.file(ReservationID("rsv_\(number)")), record("rsv_\(number)"))
        }
        world.bench.wire.answer("commit", status: status, body)
        let gate = CountingTransport(world.bench.wire)
        let client = try CyclesClient(
            configuration: world.bench.client.configuration,
            environment: .testing(.tasks(gate), world.bench.clock)
        )
        #expect(gate.waiting == 1)
        _ = gate.answerOne()
        #expect(gate.waiting == expected)
        await client.shutdown(timeout: .zero)
    }

    @Test func aRefusalOfTheOldKeySaysNothingAboutTheNewOne() async throws {
        let world = try World()
        for number in 0..<5 {
            try world.plant(JournalNames.file(ReservationID("rsv_\(number)")), record("rsv_\(number)"))
        }
        let gate = CountingTransport(world.bench.authority)
        let client = try CyclesClient(
            configuration: world.bench.client.configuration,
            environment: .testing(.tasks(gate), world.bench.clock)
        )
        #expect(gate.waiting == 1)
        world.bench.authority.removeAPIKey("key-1")
        world.bench.authority.addAPIKey("key-2", tenant: "acme")
        try await client.updateAPIKey("key-2")
        // The probe with the old key is answered only now: 401. The others go on with the new one, and so does it.
        var answers = 0
        while gate.answerOne() || answers == 1 {
            answers += 1
            world.bench.clock.advance(by: .zero)
        }
        #expect(answers == 6)
        #expect(await client.pendingSettlements().isEmpty)
    }
}

/// A client whose files are not those of the system, in virtual time.
private func client(
    _ world: World,
    files: any FileSystem,
    isInline: Bool = true
) throws -> CyclesClient {
    let transport = ClientTransport.tasks(InlineCallbackTransport(world.bench.wire))
    var environment = ClientEnvironment.testing(transport, world.bench.clock, files: files)
    environment.isJournalInline = isInline
    return try CyclesClient(configuration: world.bench.client.configuration, environment: environment)
}

@Suite struct JournalHazardTests {
    @Test func aShutdownWaitsForTheDisk() async throws {
        let world = try World()
        let files = GatedFiles()
        let client = try client(world, files: files, isInline: false)
        let box = GuardBox(try await client.reserve(world.bench.request()))
        let work = Task { try await box.take()?.commit(.tokens(7)) }
        await until { files.isWriting }
        let end = Task {
            await client.shutdown(timeout: .zero)
            files.note("shut down")
        }
        // A shutdown that does not wait ends during these turns.
        for _ in 0..<1_000 { await Task.yield() }
        files.open()
        await end.value
        // In the log, and then in a file for others to find.
        #expect(files.notes == ["written", "written", "shut down"])
        _ = try? await work.value
        // The next client finds the settlement that could not be sent any more.
        world.bench.clock.advance(by: .seconds(5))
        _ = try world.restarted()
        #expect(world.bench.figures == [99_993, 0, 7] && world.folder.files.isEmpty)
    }

    @Test func whatCouldNotBeWrittenIsWrittenOnceItCan() async throws {
        let world = try World()
        let client = try client(world, files: FaultyFiles(.create, times: 1))
        for _ in 0..<100 { world.bench.wire.answer("commit", status: 503) }
        let guarded = try await client.reserve(world.bench.request())
        guarded.addSpend(.tokens(7))
        _ = consume guarded
        // The disk was full for a moment; the first retry finds room.
        #expect(world.problems.count == 1 && world.folder.files.count == 1)
        #expect(await client.pendingSettlements().first?.isDurable == true)
        await client.shutdown(timeout: .zero)
        #expect(world.folder.files.count == 1)
    }

    @Test func aFolderThatWasRemovedIsMadeAnew() async throws {
        let world = try World()
        let first = try await world.bench.client.reserve(world.bench.request())
        try await first.commit(.tokens(1))
        try FileManager.default.removeItem(atPath: world.folder.path + "/" + LogFolder.name)
        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let second = try await world.bench.client.reserve(world.bench.request())
        #expect(try await second.commit(.tokens(2)).outcome == .queued(isDurable: true))
        #expect(world.folder.files.count == 1 && world.problems.isEmpty)
    }

    @Test func aFolderThatCannotBeListedIsReported() async throws {
        let world = try World()
        try world.plant(JournalNames.file("rsv_1"), record("rsv_1"))
        _ = try client(world, files: FaultyFiles(.list, times: 3))
        #expect(world.problems.contains { $0.message.contains("No space left") }, "\(world.problems)")
    }

    @Test func whatIsBeingSettledIsNeitherSettledAgainNorGivenBack() async throws {
        let world = try World()
        for _ in 0..<20 { world.bench.wire.answer("commit", status: 503, headers: ["Retry-After": "30"]) }
        var request = world.bench.request()
        request.idempotencyKey = "job-7"
        let first = try await world.bench.client.reserve(request)
        #expect(try await first.commit(.tokens(400)).outcome == .queued(isDurable: true))
        do {
            _ = try await world.bench.client.reserve(request)
            Issue.record("a reservation that is being settled became a guard")
        } catch { #expect("\(error)".contains("is being settled")) }
        #expect(!world.bench.operations.contains("release") && world.folder.contents.contains("\"amount\":400"))
        // The same after a restart.
        await world.bench.client.shutdown(timeout: .zero)
        let next = try world.restarted()
        do {
            _ = try await next.reserve(request)
            Issue.record("a reservation that is being settled became a guard")
        } catch { #expect("\(error)".contains("is being settled")) }
        world.bench.wire.forgetPlans()
        world.bench.clock.advance(by: .seconds(31))
        #expect(world.bench.figures == [99_600, 0, 400] && world.folder.files.isEmpty)
        #expect(!world.bench.operations.contains("release"))
    }

    @Test(arguments: [202, 200, 307])
    func whateverIsNoSuccessMayAskToWait(status: Int) async throws {
        let world = try World()
        world.bench.wire.answer("commit", status: status, "{}", headers: ["Retry-After": "600"])
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let path = world.file(guarded.reservationID)
        #expect(try await guarded.commit(.tokens(7)).outcome == .queued(isDurable: true))
        world.bench.clock.advance(by: .seconds(599))
        #expect(world.bench.operations.count { $0 == "commit" } == 1)
        let record = try SystemFileSystem().read(path, limit: 1_000_000)
        #expect(try SettlementRecord(parsing: record).notBeforeMilliseconds != nil)
        world.bench.clock.advance(by: .seconds(2))
        #expect(world.folder.files.isEmpty)
    }
}

/// Record files that several processes find.
@Suite struct SharedRecordTests {
    /// A world in which an attempt of a commit has failed and its process has ended.
    private func worldWithARecord() async throws -> (world: World, id: ReservationID) {
        let world = try World()
        for _ in 0..<2 { world.bench.wire.answer("commit", status: 401, unauthorized) }
        let guarded = try await world.bench.client.reserve(world.bench.request())
        let id = guarded.reservationID
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        await world.bench.client.shutdown(timeout: .zero)
        return (world, id)
    }

    private func client(_ world: World, _ gate: CountingTransport) throws -> CyclesClient {
        try CyclesClient(
            configuration: world.bench.client.configuration,
            environment: .testing(.tasks(gate), world.bench.clock)
        )
    }

    /// A client on a disk in memory.
    private static func simulated(_ world: World, files: any FileSystem) throws -> CyclesClient {
        let transport = ClientTransport.tasks(InlineCallbackTransport(world.bench.wire))
        return try CyclesClient(
            configuration: world.bench.client.configuration,
            environment: .testing(transport, world.bench.clock, files: files)
        )
    }

    @Test func eachAttemptSetsTheTimeOfTheFile() async throws {
        let (world, id) = try await worldWithARecord()
        #expect(try world.attemptTime(id) == world.bench.clock.nowMilliseconds)
        world.bench.clock.advance(by: .seconds(30))
        let gate = CountingTransport(world.bench.authority)
        let client = try client(world, gate)
        #expect(gate.waiting == 1)
        #expect(try world.attemptTime(id) == world.bench.clock.nowMilliseconds)
        _ = client
    }

    @Test func theBackOffSurvivesARestart() async throws {
        let (world, _) = try await worldWithARecord()
        let attempts = world.bench.operations.count
        let client = try world.restarted()
        world.bench.clock.advance(by: .milliseconds(4_999))
        #expect(world.bench.operations.count == attempts)
        #expect(await client.pendingSettlements().count == 1)
        world.bench.clock.advance(by: .milliseconds(1))
        #expect(world.bench.operations.count == attempts + 1)
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
    }

    @Test func aFlushDoesNotWaitForTheBackOff() async throws {
        let (world, _) = try await worldWithARecord()
        let client = try world.restarted()
        await client.flush(timeout: .zero)
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
    }

    @Test func ofTwoProcessesOneSendsARecord() async throws {
        let (world, _) = try await worldWithARecord()
        world.bench.clock.advance(by: .seconds(5))
        let gate = CountingTransport(world.bench.authority)
        let clients = try [client(world, gate), client(world, gate)]
        #expect(gate.waiting == 1)
        // However urgent it is to the other.
        await clients[1].flush(timeout: .zero)
        #expect(gate.waiting == 1)
        while gate.answerOne() {}
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
        // The other finds nothing, and says nothing.
        world.bench.observer.forget()
        world.bench.clock.advance(by: .seconds(30))
        #expect(gate.waiting == 0 && world.bench.observer.events.isEmpty)
        for client in clients { #expect(await client.pendingSettlements().isEmpty) }
    }

    @Test func anAttemptOfAnotherProcessPutsOffTheNext() async throws {
        let (world, id) = try await worldWithARecord()
        let attempts = world.bench.operations.count
        _ = try world.restarted()
        world.bench.clock.advance(by: .seconds(3))
        // Another process makes one.
        let file = try SystemFileSystem().openDirectory(world.identityFolder).open(JournalNames.file(id))
        try file?.setModified(atMilliseconds: world.bench.clock.nowMilliseconds)
        world.bench.clock.advance(by: .milliseconds(4_999))
        #expect(world.bench.operations.count == attempts)
        world.bench.clock.advance(by: .milliseconds(1))
        #expect(world.bench.operations.count == attempts + 1 && world.folder.files.isEmpty)
    }

    @Test func anEventWhoseLastAttemptIsTooOldIsSetAsideAndReported() async throws {
        let world = try World()
        let name = JournalNames.file("rsv_1")
        try world.plant(
            name,
            record("rsv_1", mode: "event"),
            attemptedAt: world.bench.clock.nowMilliseconds - 6 * 86_400_000 - 1
        )
        let client = try world.restarted()
        #expect(world.bench.operations.isEmpty && world.folder.files == [name + ".rejected"])
        #expect(await client.pendingSettlements().isEmpty)
        let reported = try #require(world.setAside.first)
        #expect(reported.reservationID == "rsv_1" && reported.reason.contains("6 days"))
        let entry = try #require(SettlementJournal(client.configuration).identities().first?.entries.first)
        #expect(entry.rejection == reported.reason)
    }

    @Test func aRecordThatIsBeingSentIsNotDiscarded() async throws {
        let (world, id) = try await worldWithARecord()
        world.bench.clock.advance(by: .seconds(5))
        let gate = CountingTransport(world.bench.authority)
        let client = try client(world, gate)
        let journal = SettlementJournal(client.configuration)
        let entry = try #require(journal.identities().first?.entries.first)
        #expect(entry.reservationID == id)
        #expect(throws: JournalProblem.self) { try journal.discard(entry) }
        #expect(world.folder.files.count == 1)
        while gate.answerOne() {}
        #expect(world.folder.files.isEmpty)
    }

    @Test func aMoveToANewKeyKeepsTheTimeAndTheLock() async throws {
        let world = try World { $0.tenant = nil }
        let old =
            world.folder.path + "/"
            + JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-1", tenant: nil)
        let new =
            world.folder.path + "/"
            + JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-2", tenant: nil)
        let files = SystemFileSystem(registry: DirectoryRegistry())
        try files.prepareDirectory(old)
        let time = world.bench.clock.nowMilliseconds
        for id in ["rsv_1", "rsv_2"] as [ReservationID] {
            try files.writeRecord(
                Array(record(id.rawValue).utf8),
                to: "\(old)/\(JournalNames.file(id))",
                attemptedAt: id == "rsv_1" ? 0 : time,
                isLocked: false
            )
        }
        let gate = CountingTransport(world.bench.authority)
        let client = try client(world, gate)
        #expect(gate.waiting == 1)
        try await client.updateAPIKey("key-2")
        let directory = try files.openDirectory(new)
        #expect(try files.list(old).isEmpty && directory.list().count == 2)
        #expect(directory.status(of: JournalNames.file("rsv_2"))?.modifiedAtMilliseconds == time)
        let sent = try #require(try directory.open(JournalNames.file("rsv_1")))
        #expect(try !sent.lock(isShared: false))
    }

    @Test func theLogsOfProcessesThatEndAreTakenOverLater() async throws {
        let world = try World()
        let disk = SimulatedDisk()
        let other = JournalWriter(
            disk.process(1),
            directory: world.folder.path,
            identity: JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("k"), tenant: "acme"),
            observer: RecordingObserver(),
            threads: .none
        )
        #expect(other.writeBlocking(try SettlementRecord(parsing: Array(record("rsv_other").utf8))))
        let client = try Self.simulated(world, files: disk.process(2))
        #expect(await client.pendingSettlements().isEmpty)
        disk.kill(1)
        // Its own settlement is slow: the rounds look for the others.
        world.bench.wire.answer("commit", status: 401, unauthorized)
        let guarded = try await client.reserve(world.bench.request())
        _ = try await guarded.commit(.tokens(1))
        world.bench.clock.advance(by: .seconds(60))
        let commits = world.bench.wire.requests.filter { $0.operationName == "commit" }
        #expect(commits.contains { $0.url.contains("rsv_other") })
        #expect(disk.paths.filter { $0.hasSuffix(".log") }.allSatisfy { $0.contains("/2-") })
        withExtendedLifetime(other) {}
    }

    /// A journal of a process on a simulated disk, and its claims.
    private func journal(
        _ disk: SimulatedDisk,
        _ process: Int32,
        tenant: String? = "acme",
        key: String = "k"
    ) -> JournalWriter {
        JournalWriter(
            disk.process(process),
            directory: "/journal",
            identity: JournalIdentity(baseURL: "http://authority.test", apiKey: Secret(key), tenant: tenant),
            observer: RecordingObserver(),
            threads: .none
        )
    }

    private func claim(_ journal: JournalWriter, _ id: ReservationID, at wall: Int64 = 1_000_000) -> RecordClaim? {
        let result = Lock<RecordClaim?>(nil)
        journal.claim(id, ignoresBackOff: true, at: wall) { claim in result.withLock { $0 = claim } }
        return result.withLock { $0 }
    }

    private func describe(_ claim: RecordClaim?) -> String {
        switch claim {
        case .granted: "granted"
        case .notDue: "not due"
        case .busy: "busy"
        case .gone: "gone"
        case .rejected: "rejected"
        case nil: "none yet"
        }
    }

    @Test func aRewriteKeepsTheClaimUntilTheAttemptEnds() throws {
        let disk = SimulatedDisk()
        let (first, second) = (journal(disk, 1), journal(disk, 2))
        var record = try SettlementRecord(parsing: Array(record("rsv_1").utf8))
        first.write(record) { #expect($0) }
        first.leaveLog("rsv_1")
        #expect(describe(claim(first, "rsv_1")) == "granted" && describe(claim(second, "rsv_1")) == "busy")
        // The record becomes an event, and its attempt continues.
        _ = record.becomeEvent()
        first.write(record, sentAt: 1_000_100) { #expect($0) }
        #expect(first.beginAttempt("rsv_1") && describe(claim(second, "rsv_1")) == "busy")
        // The attempt ends with what the server asks for.
        record.notBeforeMilliseconds = 5
        first.write(record) { #expect($0) }
        #expect(!first.beginAttempt("rsv_1"))
        guard case .granted(let found?)? = claim(second, "rsv_1") else {
            Issue.record("the claim was not released")
            return
        }
        #expect(found.mode == .event && found.notBeforeMilliseconds == 5)
        second.setAside("rsv_1", reason: "no") {}
        #expect(describe(claim(first, "rsv_1")) == "rejected")
    }

    /// Between the list of a folder and the use of its names, other processes settle records and set files aside.
    @Test(arguments: [false, true]) func aFileThatAnotherProcessTakesAwayIsNoProblem(whenRenamed: Bool) throws {
        let folder = try TemporaryFolder()
        let identity = JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("k"), tenant: "acme")
        let path = "\(folder.path)/\(JournalNames.folder(identity))"
        let real = SystemFileSystem(registry: DirectoryRegistry())
        try real.prepareDirectory(path)
        for (name, contents) in [(JournalNames.file("rsv_1"), record("rsv_1")), ("v2-00.json", "{")] {
            try real.createFile("\(path)/\(name)", Array(contents.utf8))
        }
        var store = RecordStore(files: VanishingFiles(whenRenamed: whenRenamed), base: folder.path, identity: identity)
        let records = store.load(except: [])
        #expect(records.count == (whenRenamed ? 1 : 0))
        if whenRenamed { store.setAside("rsv_1", rejection: "no", report: "no") }
        #expect(store.endBatch().events.isEmpty)
        // Nor is a file that returns ignored.
        try real.createFile("\(path)/v2-00.json", Array("{".utf8))
        store = RecordStore(files: real, base: folder.path, identity: identity)
        _ = store.load(except: [])
        #expect(store.endBatch().events.count == 1)

        let journal = SettlementJournal(.directory(folder.path), nil, VanishingFiles(whenRenamed: false))
        #expect(try journal.identities().flatMap(\.entries).isEmpty)
    }

    /// A record leaves the log while it is attempted if the API key that identifies its client changes, or if the log
    /// fails.
    @Test(arguments: ["leaves the log", "changes the key", "loses the log"])
    func aRecordThatGetsItsFileDuringAnAttemptIsClaimedForIt(reason: String) throws {
        let disk = SimulatedDisk()
        let first = journal(disk, 1, tenant: nil)
        first.write(try SettlementRecord(parsing: Array(record("rsv_1").utf8)), sentAt: 1_000_000) { #expect($0) }
        #expect(first.beginAttempt("rsv_1"))
        switch reason {
        case "leaves the log": first.leaveLog("rsv_1")
        case "changes the key": first.changeKey(Secret("other")) {}
        default:
            // The sync of the log fails, and the folder of logs has no room for another log.
            disk.fail(.sync)
            disk.fail(.directorySync)
            first.write(try SettlementRecord(parsing: Array(record("rsv_2").utf8)), sentAt: 1_000_000) { #expect($0) }
        }
        let second = journal(disk, 2, tenant: nil, key: reason == "changes the key" ? "other" : "k")
        #expect(describe(claim(second, "rsv_1")) == "busy")
        first.endAttempt("rsv_1", at: 1_000_000)
        #expect(describe(claim(second, "rsv_1")) == "granted")
    }

    @Test func aFileThatCannotBeLockedTellsAllTheSameHowLongToWait() throws {
        let disk = SimulatedDisk()
        let (first, second) = (journal(disk, 1), journal(disk, 2))
        let now: Int64 = 1_767_225_600_000
        var waiting = try SettlementRecord(parsing: Array(record("rsv_1").utf8))
        waiting.attemptedAtMilliseconds = now
        waiting.notBeforeMilliseconds = now + 30_000
        first.write(waiting) { #expect($0) }
        first.leaveLog("rsv_1")
        disk.fail(.lock, times: 2)
        #expect(describe(claim(second, "rsv_1", at: now + 29_000)) == "not due")
        #expect(describe(claim(second, "rsv_1", at: now + 30_000)) == "granted")
    }

    @Test func aClaimEndsWithItsAttemptItsProcessOrItsClient() throws {
        let disk = SimulatedDisk()
        let (first, second) = (journal(disk, 1), journal(disk, 2))
        first.write(try SettlementRecord(parsing: Array(record("rsv_1").utf8))) { #expect($0) }
        first.leaveLog("rsv_1")
        _ = claim(first, "rsv_1")
        first.endAttempt("rsv_1", at: 1_000_000)
        #expect(describe(claim(second, "rsv_1")) == "granted" && describe(claim(first, "rsv_1")) == "busy")
        second.close {}
        #expect(describe(claim(first, "rsv_1")) == "granted")
        disk.kill(1)
        #expect(describe(claim(journal(disk, 3), "rsv_1")) == "granted")
        disk.kill(3)
        let last = journal(disk, 4)
        _ = claim(last, "rsv_1")
        last.remove("rsv_1", mayReturn: true) {}
        #expect(describe(claim(last, "rsv_1")) == "gone")
    }

    @Test func aProcessClaimsAFewFilesAtATime() throws {
        let disk = SimulatedDisk()
        let journal = journal(disk, 1)
        let ids = (0..<60).map { ReservationID("rsv_\($0)") }
        for id in ids {
            journal.write(try SettlementRecord(parsing: Array(record(id.rawValue).utf8))) { #expect($0) }
            journal.leaveLog(id)
        }
        let granted = Lock(0)
        for id in ids {
            journal.claim(id, ignoresBackOff: false, at: 1_000_000) { _ in granted.withLock { $0 += 1 } }
        }
        #expect(granted.withLock { $0 } == 48)
        journal.endAttempt(ids[0], at: 1_000_000)
        #expect(granted.withLock { $0 } == 49)
        for id in ids { journal.remove(id, mayReturn: true) {} }
        #expect(granted.withLock { $0 } == 60)
    }

    @Test func aRecordFromALogHasTheTimeOfItsLastAttempt() throws {
        let disk = SimulatedDisk()
        let first = journal(disk, 1)
        for (id, time) in [("rsv_0", 0), ("rsv_1", 77_000)] as [(String, Int64)] {
            var record = try SettlementRecord(parsing: Array(record(id).utf8))
            record.attemptedAtMilliseconds = time
            first.write(record) { #expect($0) }
        }
        disk.kill(1)
        let times = Lock([String: Int64]())
        journal(disk, 2).load { records, _ in
            for record in records {
                times.withLock { $0[record.reservationID.rawValue] = record.attemptedAtMilliseconds }
            }
        }
        #expect(times.withLock { $0 } == ["rsv_0": 0, "rsv_1": 77_000])
    }
}

@Suite struct KeyRotationTests {
    @Test func aKeyThatChangesWhileARefusalIsHandledIsUsedAtOnce() async throws {
        let rotator = Rotator()
        let bench = try LifecycleBench { $0.observer = rotator }
        bench.authority.addAPIKey("key-2", tenant: "acme")
        let scope = bench.client.scope
        rotator.rotate { scope.updateAPIKey("key-2") { _ in } }
        bench.wire.answer("commit", status: 401, unauthorized)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        async let settlement = box.take()?.commit(.tokens(3))
        await bench.advanceUntil {
            bench.operations.count { $0 == "commit" } == 2 || bench.clock.monotonic > .seconds(30)
        }
        #expect(try await settlement?.charged == .tokens(3))
        #expect(bench.operations == ["reserve", "commit", "commit"] && bench.clock.monotonic < .seconds(2))
    }

    @Test func aNewKeySettlesWhatTheOldOneHeldBack() async throws {
        let world = try World()
        let guarded = try await world.bench.client.reserve(world.bench.request())
        world.bench.authority.removeAPIKey("key-1")
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        world.bench.authority.addAPIKey("key-2", tenant: "acme")
        try await world.bench.client.updateAPIKey("key-2")
        #expect(world.bench.figures == [99_580, 0, 420] && world.folder.files.isEmpty)
        #expect(world.bench.wire.requests.last?.headers["X-Cycles-API-Key"] == "key-2")
        #expect(try await world.bench.client.getBalances().balances.count == 1)
    }

    @Test func aRecordIsFoundByTheNextKeyOfItsTenant() async throws {
        let world = try World()
        let guarded = try await world.bench.client.reserve(world.bench.request())
        world.bench.authority.removeAPIKey("key-1")
        #expect(try await guarded.commit(.tokens(420)).outcome == .queued(isDurable: true))
        await world.bench.client.shutdown(timeout: .zero)
        #expect(!world.folder.contents.contains("key-1"))
        world.bench.authority.addAPIKey("key-2", tenant: "acme")
        world.bench.clock.advance(by: .seconds(5))
        _ = try world.restarted { $0.apiKey = "key-2" }
        #expect(world.bench.figures == [99_580, 0, 420])
    }

    @Test func withoutATenantRecordsMoveToTheNewIdentity() async throws {
        let world = try World { $0.tenant = nil }
        var request = world.bench.request()
        request.subject.tenant = "acme"
        let guarded = try await world.bench.client.reserve(request)
        let name = JournalNames.file(guarded.reservationID)
        world.bench.authority.removeAPIKey("key-1")
        #expect(try await guarded.commit(.tokens(4)).outcome == .queued(isDurable: true))
        let old = JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-1", tenant: nil)
        let new = JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-2", tenant: nil)
        #expect(try SystemFileSystem().list(world.folder.path + "/" + old) == [name])
        // The new key is not accepted yet.
        try await world.bench.client.updateAPIKey("key-2")
        #expect(try SystemFileSystem().list(world.folder.path + "/" + old) == [])
        #expect(try SystemFileSystem().list(world.folder.path + "/" + new) == [name])
        world.bench.authority.addAPIKey("key-2", tenant: "acme")
        await world.bench.client.flush(timeout: .zero)
        #expect(world.folder.files.isEmpty && world.bench.authority.balances().contains { $0.spent == .tokens(4) })
    }

    @Test func whatCannotBeMovedIsForgottenWhereItIsOnceItIsSettled() async throws {
        let world = try World { $0.tenant = nil }
        var request = world.bench.request()
        request.subject.tenant = "acme"
        let guarded = try await world.bench.client.reserve(request)
        world.bench.authority.removeAPIKey("key-1")
        #expect(try await guarded.commit(.tokens(4)).outcome == .queued(isDurable: true))
        // A file stands where the folder of the new key would be.
        let new = JournalNames.folder(baseURL: "http://authority.test", apiKey: "key-2", tenant: nil)
        try SystemFileSystem().createFile(world.folder.path + "/" + new, [])
        world.bench.authority.addAPIKey("key-2", tenant: "acme")
        try await world.bench.client.updateAPIKey("key-2")
        #expect(world.problems.contains { $0.message.contains("could not be moved") })
        #expect(world.bench.figures == [99_996, 0, 4] && world.folder.files.isEmpty)
    }

    @Test func leasesThatAnOldKeyStoppedGoOn() async throws {
        let bench = try LifecycleBench()
        let guarded = try await bench.client.reserve(bench.request())
        bench.authority.removeAPIKey("key-1")
        bench.clock.advance(by: .seconds(46))
        bench.authority.addAPIKey("key-2", tenant: "acme")
        try await bench.client.updateAPIKey("key-2")
        bench.clock.advance(by: .seconds(120))
        #expect(bench.authority.activeReservations == [guarded.reservationID])
        try await guarded.commit(.tokens(1))
    }

    @Test func aKeyThatCannotBeSentIsRefused() async throws {
        let bench = try LifecycleBench()
        for key in ["", " ", "a\nb"] {
            let error = await bench.failure { () throws(CyclesError) in try await bench.client.updateAPIKey(key) }
            guard case .configuration(let issue) = error else {
                Issue.record("\(error as Any)")
                continue
            }
            #expect(issue.name == "apiKey")
        }
        #expect(try await bench.client.getBalances().balances.count == 1)
    }

    @Test func noErrorShowsAnyOfTheKeys() async throws {
        let bench = try LifecycleBench { $0.apiKey = "an-old-secret" }
        try await bench.client.updateAPIKey("a-new-secret")
        bench.wire.answer(
            "balances?tenant=acme",
            status: 401,
            #"{"error":"UNAUTHORIZED","message":"an-old-secret, a-new-secret","request_id":"r"}"#
        )
        let error = await bench.failure { () throws(CyclesError) in try await bench.client.getBalances() }
        #expect(error?.status == 401 && !"\(error as Any)".contains("secret"))
    }

    @Test func blockingClientsChangeTheirKeyToo() throws {
        let bench = try LifecycleBench()
        let client = try BlockingCyclesClient.waiting(
            configuration: bench.client.configuration,
            transport: bench.wire,
            clock: bench.clock
        )
        bench.authority.addAPIKey("key-2", tenant: "acme")
        bench.authority.removeAPIKey("key-1")
        try client.updateAPIKey("key-2")
        #expect(try client.getBalances().balances.count == 1)
        #expect(client.pendingSettlements().isEmpty)
    }
}

/// Does something once, as soon as a settlement was refused.
private final class Rotator: CyclesObserver {
    private let action = Lock<(@Sendable () -> Void)?>(nil)

    func rotate(_ body: @escaping @Sendable () -> Void) { action.withLock { $0 = body } }

    func observe(_ event: CyclesEvent) {
        guard case .retryScheduled = event else { return }
        let body = action.withLock { action in
            defer { action = nil }
            return action
        }
        body?()
    }
}

/// Files that are not written before a test says so.
private final class GatedFiles: FileSystem {
    private let real = SystemFileSystem(registry: DirectoryRegistry())
    private let state = WaitableLock((isWriting: false, isOpen: false, notes: [String]()))

    var isWriting: Bool { state.withLock { $0.isWriting } }
    var notes: [String] { state.withLock { $0.notes } }
    func open() { state.withLock { $0.isOpen = true } }
    func note(_ text: String) { state.withLock { $0.notes.append(text) } }

    private func pass() {
        state.withLock { $0.isWriting = true }
        state.wait { $0.isOpen ? () : nil }
    }

    var homeDirectory: String? { real.homeDirectory }
    var processID: Int32 { real.processID }
    var registry: DirectoryRegistry { real.registry }
    func prepareDirectory(_ path: String) throws(FileError) { try real.prepareDirectory(path) }
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError) {
        pass()
        try real.createFile(path, contents)
        note("written")
    }
    func rename(_ path: String, to other: String) throws(FileError) { try real.rename(path, to: other) }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func syncDirectory(_ path: String) throws(FileError) { try real.syncDirectory(path) }
    func list(_ path: String) throws(FileError) -> [String] { try real.list(path) }
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] { try real.read(path, limit: limit) }
    func mayWrite(to directory: String) -> Bool { real.mayWrite(to: directory) }
    func age(of path: String) -> Duration? { real.age(of: path) }
    func identity(of path: String) -> FileIdentity? { real.identity(of: path) }
    func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory {
        CheckedDirectory(try real.openDirectory(path)) { (action, name) throws(FileError) in
            guard action == .create else { return }
            self.pass()
            self.note("written")
        }
    }
}

/// Files of which some calls fail, as on a disk that is full.
private final class FaultyFiles: FileSystem {
    enum Fault { case create, rename, sync, prepare, home, list }

    private let fault: Fault
    /// The number of calls that still succeed, and the number that fail after them.
    private let left: Lock<(successes: Int, failures: Int)>
    private let real = SystemFileSystem(registry: DirectoryRegistry())

    init(_ fault: Fault, passing successes: Int = 0, times failures: Int = .max) {
        self.fault = fault
        left = Lock((successes, failures))
    }

    private func fail(_ fault: Fault, _ path: String) throws(FileError) {
        guard fault == self.fault else { return }
        let happens = left.withLock { left in
            guard left.successes == 0 else {
                left.successes -= 1
                return false
            }
            defer { left.failures = max(0, left.failures - 1) }
            return left.failures > 0
        }
        if happens { throw FileError(action: "\(fault)", path: path, reason: "No space left on device") }
    }

    var homeDirectory: String? { fault == .home ? nil : real.homeDirectory }
    var processID: Int32 { real.processID }
    var registry: DirectoryRegistry { real.registry }
    func prepareDirectory(_ path: String) throws(FileError) {
        try fail(.prepare, path)
        try real.prepareDirectory(path)
    }
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError) {
        try fail(.create, path)
        try real.createFile(path, contents)
    }
    func rename(_ path: String, to other: String) throws(FileError) {
        try fail(.rename, path)
        try real.rename(path, to: other)
    }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func syncDirectory(_ path: String) throws(FileError) {
        try fail(.sync, path)
        try real.syncDirectory(path)
    }
    func list(_ path: String) throws(FileError) -> [String] {
        try fail(.list, path)
        return try real.list(path)
    }
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] { try real.read(path, limit: limit) }
    func mayWrite(to directory: String) -> Bool { real.mayWrite(to: directory) }
    func age(of path: String) -> Duration? { real.age(of: path) }
    func identity(of path: String) -> FileIdentity? { real.identity(of: path) }
    func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory {
        CheckedDirectory(try real.openDirectory(path)) { (action, name) throws(FileError) in
            let fault: Fault =
                switch action {
                case .create: .create
                case .rename: .rename
                case .sync: .sync
                case .list: .list
                }
            try self.fail(fault, path + "/" + name)
        }
    }
}

/// Files that another process removes just before they are read or renamed.
private final class VanishingFiles: FileSystem {
    private let whenRenamed: Bool
    private let real = SystemFileSystem(registry: DirectoryRegistry())

    init(whenRenamed: Bool) { self.whenRenamed = whenRenamed }

    var homeDirectory: String? { real.homeDirectory }
    var processID: Int32 { real.processID }
    var registry: DirectoryRegistry { real.registry }
    func prepareDirectory(_ path: String) throws(FileError) { try real.prepareDirectory(path) }
    func createFile(_ path: String, _ contents: [UInt8]) throws(FileError) { try real.createFile(path, contents) }
    func rename(_ path: String, to other: String) throws(FileError) {
        if whenRenamed, path.hasSuffix(".json") { try real.remove(path) }
        try real.rename(path, to: other)
    }
    func remove(_ path: String) throws(FileError) { try real.remove(path) }
    func syncDirectory(_ path: String) throws(FileError) { try real.syncDirectory(path) }
    func list(_ path: String) throws(FileError) -> [String] { try real.list(path) }
    func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        if !whenRenamed { try real.remove(path) }
        return try real.read(path, limit: limit)
    }
    func mayWrite(to directory: String) -> Bool { real.mayWrite(to: directory) }
    func age(of path: String) -> Duration? { real.age(of: path) }
    func identity(of path: String) -> FileIdentity? { real.identity(of: path) }
    func openDirectory(_ path: String) throws(FileError) -> any OpenDirectory { try real.openDirectory(path) }
}

/// A directory whose calls, and those on its files, a test looks at before they are made.
private final class CheckedDirectory: OpenDirectory {
    enum Call { case create, rename, sync, list }

    typealias Check = @Sendable (Call, _ name: String) throws(FileError) -> Void

    private let inner: any OpenDirectory
    private let check: Check

    init(_ inner: any OpenDirectory, _ check: @escaping Check) {
        self.inner = inner
        self.check = check
    }

    var hasLocks: Bool { inner.hasLocks }
    func list() throws(FileError) -> [String] {
        try check(.list, "")
        return try inner.list()
    }
    func create(_ name: String) throws(FileError) -> any OpenFile {
        try check(.create, name)
        return CheckedFile(try inner.create(name), name, check)
    }
    func open(_ name: String) throws(FileError) -> (any OpenFile)? {
        try inner.open(name).map { CheckedFile($0, name, check) }
    }
    func status(of name: String) -> FileStatus? { inner.status(of: name) }
    func rename(_ name: String, to other: String) throws(FileError) {
        try check(.rename, name)
        try inner.rename(name, to: other)
    }
    func remove(_ name: String) throws(FileError) { try inner.remove(name) }
    func sync() throws(FileError) {
        try check(.sync, "")
        try inner.sync()
    }

    private final class CheckedFile: OpenFile {
        private let inner: any OpenFile
        private let name: String
        private let check: Check

        init(_ inner: any OpenFile, _ name: String, _ check: @escaping Check) {
            self.inner = inner
            self.name = name
            self.check = check
        }

        func lock(isShared: Bool) throws(FileError) -> Bool { try inner.lock(isShared: isShared) }
        func status() throws(FileError) -> FileStatus { try inner.status() }
        func write(_ bytes: [UInt8], at offset: Int) throws(FileError) { try inner.write(bytes, at: offset) }
        func read(limit: Int) throws(FileError) -> [UInt8] { try inner.read(limit: limit) }
        func setModified(atMilliseconds time: Int64) throws(FileError) {
            try inner.setModified(atMilliseconds: time)
        }
        func sync() throws(FileError) {
            try check(.sync, name)
            try inner.sync()
        }
        func close() { inner.close() }
    }
}

/// Holds requests until a test lets them through, one by one.
private final class CountingTransport: CallbackTransport {
    typealias Completion = @Sendable (Transferred) -> Void

    private let inner: any BlockingHTTPTransport
    private let held = Lock([(HTTPRequest, Completion)]())

    init(_ inner: any BlockingHTTPTransport) { self.inner = inner }

    var waiting: Int { held.withLock { $0.count } }

    func start(_ request: HTTPRequest, _ done: @escaping Completion) {
        held.withLock { $0.append((request, done)) }
    }

    /// Whether there was one to answer.
    func answerOne() -> Bool {
        guard let (request, done) = held.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return false }
        done(Transferred(Result { () throws(HTTPTransportError) in try inner.send(request) }))
        return true
    }
}
