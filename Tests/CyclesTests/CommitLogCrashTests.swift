import CyclesSimulation
import CyclesTesting
import Testing

@testable import Cycles

/// The journals of simulated processes on one disk, and what each was told.
private final class JournalBench: Sendable {
    /// A settlement as the process knows it.
    struct Fate: Sendable {
        /// The form that is on disk for certain; nil before the first.
        var acknowledged: [UInt8]?
        /// The forms that may be there, since a write was begun.
        var begun: [[UInt8]] = []
        /// Whether the end of the settlement was begun, so that the record may be gone.
        var isEnding = false
        /// Whether it is gone for good.
        var isOver = false
    }

    static let base = "/journal"
    static let identity = JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key"), tenant: "acme")
    static var folder: String { "\(base)/\(JournalNames.folder(identity))" }

    let disk: SimulatedDisk
    let journal: JournalWriter
    let observer = RecordingObserver()
    let process: Int32
    private let fates = Lock([String: Fate]())

    init(_ disk: SimulatedDisk, process: Int32 = 1) {
        self.disk = disk
        self.process = process
        journal = JournalWriter(
            disk.process(process),
            directory: JournalBench.base,
            identity: JournalBench.identity,
            observer: observer,
            threads: .none
        )
    }

    var state: [String: Fate] { fates.withLock { $0 } }
    var problems: [String] {
        observer.events.compactMap { if case .journalProblem(let problem) = $0 { problem.message } else { nil } }
    }

    static func record(_ id: String, floor: Int64? = nil, padding: Int = 0) -> SettlementRecord {
        var record = SettlementRecord(
            reservationID: ReservationID(id),
            baseURL: "http://authority.test",
            mode: .commit,
            commit: .object(
                Array(#"{"idempotency_key":"\#(id)","p":"\#(String(repeating: "x", count: padding))"}"#.utf8)
            ),
            event: Array(#"{"b":2}"#.utf8),
            recordedAtMilliseconds: 0
        )
        record?.notBeforeMilliseconds = floor
        return record!
    }

    @discardableResult
    func put(_ id: String, floor: Int64? = nil, padding: Int = 0) -> Bool {
        let record = JournalBench.record(id, floor: floor, padding: padding)
        let contents = record.encoded
        fates.withLock { $0[id, default: Fate()].begun.append(contents) }
        let isDurable = journal.writeBlocking(record)
        if isDurable { fates.withLock { $0[id]?.acknowledged = contents } }
        return isDurable
    }

    /// - Parameter mayReturn: As after a commit; an event's end is for good.
    func end(_ id: String, mayReturn: Bool) {
        fates.withLock { $0[id]?.isEnding = true }
        journal.remove(ReservationID(id), mayReturn: mayReturn) { [self] in
            if !mayReturn { fates.withLock { $0[id]?.isOver = true } }
        }
    }

    func setAside(_ id: String) {
        fates.withLock { $0[id]?.isEnding = true }
        journal.setAside(ReservationID(id), reason: "refused") { [self] in
            // Where there is no file to be kept aside, the next process is refused again.
            let isAside = disk.paths.contains("\(JournalBench.folder)/\(JournalNames.file(ReservationID(id))).rejected")
            fates.withLock { $0[id]?.isOver = isAside }
        }
    }

    /// The records that the process finds when it starts, by their reservations.
    func load() -> [String: [UInt8]] {
        let found = Lock([String: [UInt8]]())
        journal.load { records, _ in
            found.withLock { found in for record in records { found[record.reservationID.rawValue] = record.encoded } }
        }
        return found.withLock { $0 }
    }

    func close() { journal.close {} }
}

/// One at a time: tests that measure time share the processors.
@Suite(.serialized, .ownThread) struct CommitLogCrashTests {
    /// A moment at which the machine may crash, and what the process had been told by then.
    private struct Moment: Sendable {
        let image: SimulatedDisk.Image
        let fates: [String: JournalBench.Fate]
    }

    /// Runs a process, and returns the moment after each change on its disk.
    /// - Parameter isKept: Whether to keep the moment of a number; logs of megabytes let no test keep all.
    private func moments(
        where isKept: @escaping @Sendable (_ number: Int) -> Bool = { _ in true },
        _ work: (JournalBench) -> Void
    ) -> [Moment] {
        let bench = JournalBench(SimulatedDisk())
        let kept = Lock((moments: [Moment](), changes: 0))
        bench.disk.watch { image in
            let fates = bench.state
            kept.withLock { kept in
                if isKept(kept.changes) { kept.moments.append(Moment(image: image, fates: fates)) }
                kept.changes += 1
            }
        }
        work(bench)
        return kept.withLock { $0.moments }
    }

    /// Checks that the next process finds what the first was promised, and nothing that was over for good.
    private func check(_ moment: Moment, _ survivors: SimulatedDisk.Survivors, _ comment: String) {
        let next = JournalBench(moment.image.crashed(survivors), process: 2)
        let found = next.load()
        for (id, fate) in moment.fates {
            if fate.isOver {
                #expect(!found.keys.contains(id), "\(id) was over, \(comment)")
            } else if let contents = found[id] {
                // A record that is set aside has its reason first.
                if fate.isEnding { continue }
                #expect(fate.begun.contains(contents), "\(id) is not as it was written, \(comment)")
                // A form that was acknowledged is not lost to an earlier one.
                if let acknowledged = fate.acknowledged, let first = fate.begun.firstIndex(of: acknowledged) {
                    #expect(fate.begun[first...].contains(contents), "\(id) went back, \(comment)")
                }
            } else {
                #expect(fate.acknowledged == nil || fate.isEnding, "\(id) is lost, \(comment)")
            }
        }
        for id in found.keys { #expect(moment.fates[id] != nil, "\(id) came from nowhere, \(comment)") }
        let setAside = next.observer.events.filter { if case .recordSetAside = $0 { true } else { false } }
        #expect(setAside.isEmpty && next.problems.isEmpty, "\(setAside) \(next.problems), \(comment)")
        // The third process finds no log any more.
        #expect(!next.disk.paths.contains { $0.hasSuffix(".log") }, "\(comment)")
    }

    private func ordinaryWork(_ bench: JournalBench) {
        bench.put("a")
        bench.end("a", mayReturn: true)
        bench.put("b")
        bench.put("c")
        bench.end("b", mayReturn: false)
        bench.put("c", floor: 5)
        bench.put("d")
        bench.journal.leaveLog("d")
        bench.put("d", floor: 9)
        bench.setAside("c")
        bench.put("e")
        bench.end("d", mayReturn: false)
        bench.end("e", mayReturn: true)
        bench.put("f")
        bench.close()
    }

    @Test func aCrashAtAnyMomentLosesAndRevivesNothing() {
        for (number, moment) in moments({ ordinaryWork($0) }).enumerated() {
            check(moment, .none, "moment \(number), nothing unsynced")
            check(moment, .all, "moment \(number), everything unsynced")
            for seed in 0..<2 {
                check(moment, .random(seed: UInt64(2 * number + seed)), "moment \(number), seed \(seed)")
            }
        }
    }

    @Test func theLastWriteMayBeTornAtAnyByte() {
        let moments = moments { bench in
            bench.put("a")
            bench.put("b")
            bench.end("a", mayReturn: true)
            bench.put("c")
        }
        for (number, moment) in moments.enumerated() {
            // Another part of the bytes for each moment.
            for byte in stride(from: number % 23, to: min(moment.image.lastWriteSize, 1_500), by: 23) {
                check(moment, .lastWriteTorn(at: byte), "moment \(number), byte \(byte)")
            }
        }
    }

    /// Enough to fill logs, to follow them by larger ones, and to begin others anew.
    @Test(arguments: 0..<4) func longWorkSurvivesCrashesToo(seed: UInt64) {
        // One of 60 changes, another one for each seed.
        let moments = moments { number in
            var generator = SplitMix64(seed: seed &* 1_000_003 &+ UInt64(number))
            return Int.random(in: 0..<60, using: &generator) == 0
        } _: { bench in
            var generator = SplitMix64(seed: seed)
            var live: [String] = []
            for number in 0..<60 {
                let id = "r\(number)"
                bench.put(id, padding: Int.random(in: 0..<9_000, using: &generator))
                live.append(id)
                if Int.random(in: 0..<9, using: &generator) == 0 { bench.disk.fail(.sync) }
                while live.count > Int.random(in: 0..<12, using: &generator) {
                    let id = live.remove(at: Int.random(in: 0..<live.count, using: &generator))
                    switch Int.random(in: 0..<6, using: &generator) {
                    case 0: bench.end(id, mayReturn: false)
                    case 1: bench.setAside(id)
                    case 2:
                        bench.journal.leaveLog(ReservationID(id))
                        bench.end(id, mayReturn: false)
                    case 3: bench.put(id, floor: 7)
                    default: bench.end(id, mayReturn: true)
                    }
                }
            }
        }
        for (number, moment) in moments.enumerated() {
            check(moment, .none, "moment \(number), nothing unsynced")
            check(moment, .random(seed: seed &+ UInt64(number)), "moment \(number)")
        }
    }

    /// Records so large that each log has room for a few.
    private func workThatFillsLogs(_ bench: JournalBench) {
        bench.put("stays")
        for number in 0..<40 {
            bench.put("r\(number)", padding: 90_000)
            // Some outlive their log.
            if number >= 3 { bench.end("r\(number - 3)", mayReturn: false) }
        }
    }

    @Test func aLogThatIsUsedAgainRevivesNothing() {
        let moments = moments(where: { $0.isMultiple(of: 9) }, workThatFillsLogs)
        for (number, moment) in moments.enumerated() {
            check(moment, .none, "moment \(number), nothing unsynced")
            check(moment, .random(seed: UInt64(number)), "moment \(number)")
            check(moment, .lastWriteTorn(at: number * 7 % 130), "moment \(number), torn")
        }
    }

    @Test func aLogThatAnotherReplacedReplacesThatInTurn() {
        let bench = JournalBench(SimulatedDisk())
        let names = Lock(Set<String>())
        bench.disk.watch { [disk = bench.disk] _ in
            let logs = disk.paths.filter { $0.hasSuffix(".log") }
            names.withLock { $0.formUnion(logs) }
        }
        workThatFillsLogs(bench)
        #expect(names.withLock { $0.count } == 3)
        #expect(bench.problems.isEmpty)
    }

    @Test func aKilledProcessLosesNothing() {
        let disk = SimulatedDisk()
        let first = JournalBench(disk, process: 1)
        first.put("a")
        first.put("b")
        first.end("a", mayReturn: true)
        let second = JournalBench(disk, process: 2)
        #expect(second.load().isEmpty)
        disk.kill(1)
        let third = JournalBench(disk, process: 3)
        #expect(third.load().keys.sorted() == ["b"])
    }

    @Test func aDamagedFrameIsReportedAndTheOthersSettle() throws {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        for id in ["a", "b", "c"] { first.put(id) }
        disk.kill(1)
        let log = try #require(disk.paths.first { $0.hasSuffix(".log") })
        // A byte in the middle of the record of "b", whose batch has the block after that of "a".
        disk.flip(log, at: 2 * 4_096 + 300)
        let second = JournalBench(disk, process: 2)
        #expect(second.load().keys.sorted() == ["a", "c"])
        #expect(disk.paths.contains(log + ".corrupt") && !disk.paths.contains(log))
        #expect(second.observer.events.contains { if case .recordSetAside = $0 { true } else { false } })
    }

    @Test func aFileWithoutAHeaderIsSetAside() throws {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        first.put("a")
        disk.kill(1)
        let log = try #require(disk.paths.first { $0.hasSuffix(".log") })
        for offset in [0, CommitLogFormat.headerCopyOffset] { disk.flip(log, at: offset) }
        let next = JournalBench(disk, process: 2)
        #expect(next.load().isEmpty)
        #expect(disk.paths.contains(log + ".corrupt") && !disk.paths.contains(log))
        #expect(next.observer.events.contains { if case .recordSetAside = $0 { true } else { false } })
    }

    @Test func aLogOfANewerVersionIsReportedAndLeft() throws {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        first.put("a")
        disk.kill(1)
        let log = try #require(disk.paths.first { $0.hasSuffix(".log") })
        let newer = log.replacing("/1-", with: "/7-")
        var bytes = CommitLogFormat.header(CommitLogFormat.LogID((1, 2)))
        bytes[8] = 2
        withUnsafeBytes(of: CRC32C.checksum(bytes[..<28]).littleEndian) { bytes.replaceSubrange(28..<32, with: $0) }
        try disk.process(3).createFile(newer, bytes)
        disk.kill(3)
        let next = JournalBench(disk, process: 2)
        #expect(next.load().keys.sorted() == ["a"])
        #expect(disk.paths.contains(newer) && next.problems.count == 1)
        #expect(next.problems.first?.contains("its version 2 is newer") == true, "\(next.problems)")
    }

    @Test func aRecordThatNoReaderWouldAcceptIsNotKept() {
        let bench = JournalBench(SimulatedDisk())
        #expect(!bench.put("a", padding: SettlementRecord.maxBytes))
        #expect(bench.problems.count == 1 && bench.problems[0].contains("send less metadata"), "\(bench.problems)")
        #expect(bench.load().isEmpty)
    }

    // MARK: Failed syncs and full disks

    @Test func aLogWhoseSyncFailedIsNotUsedAgain() throws {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        bench.put("a")
        let log = try #require(disk.paths.first { $0.hasSuffix(".log") })
        disk.fail(.sync)
        #expect(bench.put("b"))
        #expect(!disk.paths.contains(log) && bench.problems.count == 1)
        let next = JournalBench(disk.image.crashed(.none), process: 2)
        #expect(next.load().keys.sorted() == ["a", "b"])
    }

    @Test(arguments: [false, true])
    func aRecordOfTheLogDoesNotReplaceTheNewerOneInItsFile(whenTheLogFails: Bool) {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        bench.put("a")
        // The record gets its file, whose name is not synced, so that the log keeps the record.
        disk.fail(.directorySync)
        bench.journal.leaveLog("a")
        disk.fail(.directorySync)
        #expect(!bench.put("a", floor: 9))
        if whenTheLogFails {
            // The log cannot be synced, and the folder of logs has no room for another: its records get their files.
            disk.fail(.sync)
            disk.fail(.directorySync)
        } else {
            bench.journal.leaveLog("a")
        }
        #expect(bench.put("b"))
        let next = JournalBench(disk.image.crashed(.none), process: 2)
        #expect(next.load()["a"] == JournalBench.record("a", floor: 9).encoded)
    }

    @Test(
        arguments: [(stored: nil, there: 9, expected: 9), (stored: 9, there: nil, expected: 9)]
            as [(Int64?, Int64?, Int64)]
    )
    func aRecordThatWasMovedBeforeIsNotReplacedByAnOlderOne(stored: Int64?, there: Int64?, expected: Int64) throws {
        let disk = SimulatedDisk()
        let keys = ["key-1", "key-2"].map {
            JournalIdentity(baseURL: "http://authority.test", apiKey: Secret($0), tenant: nil)
        }
        let record = { (floor: Int64?) in JournalBench.record("a", floor: floor) }
        func store(_ process: Int32, _ identity: JournalIdentity) -> RecordStore {
            RecordStore(files: disk.process(process), base: JournalBench.base, identity: identity)
        }
        // One process could not remove the old file after it had moved the record.
        for (identity, floor) in zip(keys, [stored, there]) {
            var writer = store(1, identity)
            let isWritten = writer.write(record(floor).encoded, of: "a", attemptedAt: 1, isLocked: false)
            #expect(isWritten)
            _ = writer.endBatch()
        }
        var mover = store(2, keys[0])
        mover.changeKey(keys[1].apiKey)
        let events = mover.endBatch().events
        #expect(events.isEmpty)
        let records = mover.load(except: [])
        #expect(records.map(\.notBeforeMilliseconds) == [expected])
        #expect(disk.paths == ["\(JournalBench.base)/\(JournalNames.folder(keys[1]))/\(JournalNames.file("a"))"])
    }

    @Test func aRecordThatWasMovedAndRemovedDoesNotReturn() throws {
        let disk = SimulatedDisk()
        let identity = JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("key-1"), tenant: nil)
        var store = RecordStore(files: disk.process(1), base: JournalBench.base, identity: identity)
        _ = store.write(JournalBench.record("a").encoded, of: "a", attemptedAt: 1, isLocked: false)
        _ = store.endBatch()
        store.changeKey(Secret("key-2"))
        store.remove("a", mayReturn: false)
        let isSynced = store.endBatch().isSynced
        #expect(isSynced && disk.image.crashed(.none).paths.isEmpty)
    }

    @Test func aRecordThatBecameAnEventIsAheadOfItsCommit() {
        var event = JournalBench.record("a")
        let isEvent = event.becomeEvent()
        #expect(isEvent)
        #expect(event.isAhead(of: JournalBench.record("a", floor: 9)))
        #expect(!JournalBench.record("a", floor: 9).isAhead(of: event))
        #expect(!event.isAhead(of: event))
    }

    /// The process that removed the file may have ended before its sync.
    @Test func aRemovalByAnotherProcessIsSyncedByTheOneThatMissesTheFile() throws {
        let disk = SimulatedDisk()
        var store = RecordStore(files: disk.process(1), base: JournalBench.base, identity: JournalBench.identity)
        let isWritten = store.write(JournalBench.record("a").encoded, of: "a", attemptedAt: 1, isLocked: false)
        let batch = store.endBatch()
        #expect(isWritten && batch.isSynced)
        try disk.process(2).remove("\(JournalBench.folder)/\(JournalNames.file("a"))")
        guard case .gone = store.claim("a", ignoresBackOff: false, at: 2) else {
            Issue.record("the file is there")
            return
        }
        let isSynced = store.endBatch().isSynced
        #expect(isSynced)
        #expect(JournalBench(disk.image.crashed(.none), process: 3).load().isEmpty)
    }

    @Test func aRecordLeavesTheLogWithTheNextWriteOfItsFile() {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        bench.put("a")
        disk.fail(.directorySync)
        bench.journal.leaveLog("a")
        #expect(bench.put("a", floor: 9) && bench.put("b"))
        // Another process settles the record of the file.
        try? disk.process(3).remove("\(JournalBench.folder)/\(JournalNames.file("a"))")
        let next = JournalBench(disk.image.crashed(.all), process: 2)
        #expect(next.load().keys.sorted() == ["b"])
    }

    @Test func withoutRoomForALogRecordsGoToTheirFiles() throws {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        disk.fail(.full)
        #expect(bench.put("a") && bench.problems.count == 1)
        #expect(disk.paths == ["\(JournalBench.folder)/\(JournalNames.file("a"))"])
        bench.end("a", mayReturn: true)
        #expect(disk.paths.isEmpty)
    }

    @Test func aFullDiskIsSaidAndLosesNothingThatIsThere() {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        bench.put("a")
        disk.fail(.full, times: .max)
        // The log was written in advance.
        #expect(bench.put("b") && bench.problems.isEmpty)
        // It cannot grow, and there are no files either.
        #expect(!bench.put("c", padding: 100_000) && !bench.problems.isEmpty)
        let next = JournalBench(disk.image.crashed(.none), process: 2)
        #expect(next.load().keys.sorted() == ["a", "b"])
    }

    @Test func withoutALockRecordsGoToTheirFiles() {
        let disk = SimulatedDisk()
        let bench = JournalBench(disk)
        disk.fail(.lock, times: .max)
        #expect(bench.put("a") && bench.put("b"))
        #expect(bench.problems.count == 1, "\(bench.problems)")
        #expect(
            disk.paths == ["a", "b"].map { "\(JournalBench.folder)/\(JournalNames.file(ReservationID($0)))" }.sorted()
        )
        let next = JournalBench(disk.image.crashed(.none), process: 2)
        #expect(next.load().keys.sorted() == ["a", "b"])
    }

    // MARK: Processes

    @Test func aLogThatATakerCannotLockIsReportedAndTakenOverLater() {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        first.put("a")
        disk.kill(1)
        disk.fail(.lock)
        let second = JournalBench(disk, process: 2)
        #expect(second.load().isEmpty && second.problems.count == 1, "\(second.problems)")
        #expect(disk.paths.count { $0.hasSuffix(".log") } == 1)
        #expect(second.load().keys.sorted() == ["a"])
    }

    /// As in containers, whose first process is always 1, and after a restart of the machine.
    @Test func theLogOfAnEarlierProcessWithTheSameNumberIsTakenOver() throws {
        let first = JournalBench(SimulatedDisk())
        first.put("a")
        let next = JournalBench(first.disk.image.crashed(.none))
        let journal = SettlementJournal(.directory(JournalBench.base), nil, next.disk.process(1))
        #expect(try journal.identities().flatMap(\.entries).map(\.reservationID) == ["a"])
        #expect(try journal.logsInUse().isEmpty)
        #expect(next.load().keys.sorted() == ["a"])
    }

    @Test func aTakerSendsNothingWhileTheLogIsThere() throws {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        first.put("a")
        disk.kill(1)
        disk.fail(.remove)
        let second = JournalBench(disk, process: 2)
        #expect(second.load().isEmpty && second.problems.count == 1)
        #expect(disk.paths.contains { $0.hasSuffix(".log") })
        // At the next attempt the log goes.
        #expect(second.load().keys.sorted() == ["a"])
        #expect(!disk.paths.contains { $0.hasSuffix(".log") })
    }

    @Test func aTakerKeepsTheFileThatIsThereAndTheRejection() throws {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        first.put("a")
        first.put("b")
        let files = disk.process(9)
        let newer = JournalBench.record("a", floor: 77).encoded
        try files.createFile("\(JournalBench.folder)/\(JournalNames.file("a"))", newer)
        try files.createFile("\(JournalBench.folder)/\(JournalNames.file("b")).rejected", [])
        disk.kill(1)
        #expect(JournalBench(disk, process: 2).load() == ["a": newer])
    }

    @Test func ofTwoTakersOneHasTheLog() {
        let disk = SimulatedDisk()
        let first = JournalBench(disk)
        for number in 0..<5 { first.put("r\(number)") }
        disk.kill(1)
        // The second taker starts at each change that the first makes.
        let finds = Lock([Int]())
        let isNested = Lock(false)
        disk.watch { _ in
            guard
                isNested.withLock({ isNested in
                    defer { isNested = true }
                    return !isNested
                })
            else { return }
            let other = JournalBench(disk, process: 3)
            _ = other.load()
            let problems = other.problems.count
            finds.withLock { $0.append(problems) }
            isNested.withLock { $0 = false }
        }
        #expect(JournalBench(disk, process: 2).load().count == 5)
        #expect(finds.withLock { $0.allSatisfy { $0 == 0 } && !$0.isEmpty })
    }

    @Test func aLogEndsWithItsLastClient() {
        let disk = SimulatedDisk()
        let files = disk.process(1)
        func client(_ tenant: String) -> JournalWriter {
            JournalWriter(
                files,
                directory: JournalBench.base,
                identity: JournalIdentity(baseURL: "http://authority.test", apiKey: Secret("k"), tenant: tenant),
                observer: RecordingObserver(),
                threads: .none
            )
        }
        let (one, other) = (client("acme"), client("zenith"))
        #expect(one.writeBlocking(JournalBench.record("a")))
        let syncs = disk.syncs
        #expect(other.writeBlocking(JournalBench.record("b")))
        // They share the log, and so its folder.
        #expect(disk.syncs == syncs + 1)
        #expect(disk.paths.count { $0.hasSuffix(".log") } == 1)
        one.close {}
        #expect(disk.paths.count { $0.hasSuffix(".log") } == 1 && disk.paths.count { $0.hasSuffix(".json") } == 1)
        other.remove("b", mayReturn: true) {}
        other.close {}
        #expect(disk.paths.count == 1 && disk.paths[0].hasSuffix(".json"))
    }
}
