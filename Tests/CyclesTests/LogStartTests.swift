import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// A start after a process that left a large log.
@Suite struct LogStartTests {
    private let identity = JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key"), tenant: "acme")

    private func record(_ number: Int) -> SettlementRecord? {
        SettlementRecord(
            reservationID: ReservationID("rsv_\(number)"),
            baseURL: identity.baseURL,
            mode: .commit,
            commit: .object(
                Array(#"{"idempotency_key":"k\#(number)","actual":{"unit":"TOKENS","amount":1}}"#.utf8)
            ),
            event: Array(#"{"b":2}"#.utf8),
            recordedAtMilliseconds: 1
        )
    }

    /// The number of records in the log; more where there is time.
    private static let count = Int(ProcessInfo.processInfo.environment["CYCLES_TESTS_LOGGED_RECORDS"] ?? "") ?? 500

    @Test func manyRecordsInALogBecomeFiles() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = SystemFileSystem(registry: DirectoryRegistry())
        var log = CommitLog(CommitLogFormat.LogID((1, 2)), size: CommitLogFormat.maxBytes)
        let fingerprint = JournalNames.folder(identity)
        for number in 0..<Self.count {
            let record = try #require(self.record(number))
            let entry = CommitLog.Record(
                fingerprint: fingerprint,
                contents: record.encoded,
                attemptedAtMilliseconds: 0
            )
            let hasRoom = log.put(CommitLog.Key(client: 1, id: record.reservationID), entry)
            #expect(hasRoom)
        }
        let path = "\(folder)/\(LogFolder.name)/1-00000000.log"
        for directory in [folder, "\(folder)/\(LogFolder.name)"] { try files.prepareDirectory(directory) }
        try files.createFile(path, CommitLogFormat.header(log.id) + log.write().bytes)

        let observer = RecordingObserver()
        let journal = JournalWriter(
            files,
            directory: folder,
            identity: identity,
            observer: observer,
            threads: .none
        )
        let found = Lock(Set<ReservationID>())
        let start = ContinuousClock.now
        journal.load { records, _ in found.withLock { $0.formUnion(records.map(\.reservationID)) } }
        print("\(Self.count) records in a log were ready to be sent after \(ContinuousClock.now - start)")
        #expect(found.withLock { $0.count } == Self.count && observer.events.isEmpty)
        #expect(files.age(of: path) == nil)
    }
}
