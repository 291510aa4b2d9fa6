import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

@Suite(.ownThread) struct SiblingReportTests {
    private static let base = "/journal"

    private let observer = RecordingObserver()

    private func identity(_ tenant: String) -> JournalIdentity {
        JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key"), tenant: tenant)
    }

    private func writer(
        _ files: SimulatedFiles,
        _ tenant: String,
        _ observer: RecordingObserver,
        _ audience: JournalAudience
    ) -> JournalWriter {
        JournalWriter(
            files,
            directory: Self.base,
            identity: identity(tenant),
            observer: observer,
            audience: audience,
            threads: .none
        )
    }

    /// Another process has records of a tenant that this process has a client for, but has not worked for.
    @Test(arguments: [["acme", "zenith"], ["zenith", "acme"]])
    func recordsOfATenantThatHasAClientAreNotReported(order: [String]) throws {
        let disk = SimulatedDisk()
        let (audience, files) = (JournalAudience(), disk.process(1))
        let writers = order.map { writer(files, $0, observer, audience) }
        try leaveRecord(of: "zenith", on: disk)
        for writer in writers { writer.close {} }
        #expect(observer.events.isEmpty, "\(observer.events)")
    }

    /// Leaves a record file of another process on the disk.
    private func leaveRecord(of tenant: String, on disk: SimulatedDisk) throws {
        let other = writer(disk.process(2), tenant, RecordingObserver(), JournalAudience())
        let record = try #require(
            SettlementRecord(
                reservationID: "r",
                baseURL: "http://authority.test",
                mode: .commit,
                commit: .object(Array(#"{"idempotency_key":"k"}"#.utf8)),
                event: nil,
                recordedAtMilliseconds: 0
            )
        )
        #expect(other.writeBlocking(record))
        other.leaveLog("r")
        #expect(disk.paths.contains { $0.hasSuffix(".json") })
    }

    // MARK: Names that are not derived yet

    private func client(
        _ number: Int,
        _ tenant: String,
        _ files: SimulatedFiles,
        _ audience: JournalAudience
    ) -> JournalClient {
        let store = RecordStore(files: files, base: Self.base, identity: identity(tenant))
        return JournalClient(number, store, observer, audience) { _ in false }
    }

    /// Ends a round, and runs the work for observers and callers.
    private func end(_ rounds: inout JournalRounds) -> [JournalIdentity] {
        let outcome = rounds.end(at: .now, isHurried: false)
        for (_, work) in outcome.apart { for item in work { item() } }
        return outcome.unnamed
    }

    private var reportedFolders: [String] {
        observer.events.compactMap { event in
            if case .journalProblem(let problem) = event { problem.path } else { nil }
        }
    }

    /// Deriving a name takes long, and the journal's thread writes the records of all clients.
    @Test func aReportWaitsForNamesThatTheJournalsThreadDoesNotDerive() throws {
        let disk = SimulatedDisk()
        try leaveRecord(of: "left", on: disk)
        let files = disk.process(1)
        var rounds = JournalRounds(files, base: Self.base)
        let idle = client(1, "idle", files, JournalAudience())
        rounds.enter(idle)
        rounds.reportSiblings(to: idle)
        #expect(end(&rounds) == [identity("idle")])
        #expect(end(&rounds).isEmpty, "asked twice")
        #expect(JournalNames.derivedFolder(identity("idle")) == nil)
        #expect(reportedFolders.isEmpty)

        _ = JournalNames.folder(identity("idle"))
        rounds.derivedNames()
        #expect(end(&rounds).isEmpty)
        #expect(reportedFolders == ["\(Self.base)/\(JournalNames.folder(identity("left")))"])
    }

    @Test func aClientThatEntersMeanwhileIsKnownToTheReport() throws {
        let disk = SimulatedDisk()
        try leaveRecord(of: "left", on: disk)
        let files = disk.process(1)
        var rounds = JournalRounds(files, base: Self.base)
        let first = client(1, "first of two", files, JournalAudience())
        rounds.enter(first)
        rounds.reportSiblings(to: first)
        #expect(end(&rounds) == [identity("first of two")])
        _ = JournalNames.folder(identity("first of two"))
        rounds.enter(client(2, "left", files, JournalAudience()))
        rounds.derivedNames()
        #expect(end(&rounds).isEmpty)
        #expect(reportedFolders.isEmpty)
    }

    @Test func theCloseOfTheLastClientWaitsForTheReport() throws {
        let disk = SimulatedDisk()
        try leaveRecord(of: "left", on: disk)
        let files = disk.process(1)
        var rounds = JournalRounds(files, base: Self.base)
        let last = client(1, "left", files, JournalAudience())
        rounds.enter(last)
        rounds.enter(client(2, "another idle one", files, JournalAudience()))
        try leaveRecord(of: "first of two", on: disk)
        let isClosed = Lock(false)
        rounds.close(last) { isClosed.withLock { $0 = true } }
        #expect(end(&rounds) == [identity("another idle one")])
        #expect(!isClosed.withLock { $0 } && reportedFolders.isEmpty)

        _ = JournalNames.folder(identity("another idle one"))
        rounds.derivedNames()
        #expect(end(&rounds).isEmpty)
        #expect(isClosed.withLock { $0 })
        #expect(reportedFolders == ["\(Self.base)/\(JournalNames.folder(identity("first of two")))"])
    }
}
