/// The logs of this process for one directory: the log in use, its successor, and failed logs.
struct LogKeeper: Sendable {
    typealias Records = [CommitLog.Key: CommitLog.Record]

    private static let delayOfWrite = Duration.milliseconds(100)
    private static let delayOfSync = Duration.seconds(1)
    /// The delay before another attempt to make a log, after one has failed.
    private static let delayOfLog = Duration.seconds(30)

    private let files: any FileSystem
    private let folder: LogFolder
    private var log: OpenLog?
    /// An empty log that is ready to replace the present one.
    private var successor: OpenLog?
    private var isPreparing = false
    /// A failed log whose records are being moved to their files.
    private var failing: OpenLog?
    /// Failed logs with records that could not be stored elsewhere.
    private var failedLogs: [OpenLog] = []
    /// Records for which the log has no room.
    private var overflow: Records = [:]
    /// The time until which no log is made, because an attempt failed.
    private var noLogUntil: ContinuousClock.Instant?
    private var hasReportedLog = false
    private var unwrittenSince: ContinuousClock.Instant?
    private var unsyncedSince: ContinuousClock.Instant?
    private var problems: [JournalProblem] = []

    init(_ files: any FileSystem, base: String) {
        self.files = files
        folder = LogFolder(files, base: base)
    }

    // MARK: Records

    /// Whether the keeper accepts records.
    var isUsable: Bool { log != nil || mayMakeLog }

    private var mayMakeLog: Bool { noLogUntil.map { ContinuousClock.now >= $0 } ?? true }

    /// Puts a record. ``commit(needsSync:hasPuts:at:isHurried:)`` brings the record to disk.
    mutating func put(_ key: CommitLog.Key, _ record: CommitLog.Record) {
        if !overflow.isEmpty || log?.log.put(key, record) != true { overflow[key] = record }
    }

    mutating func drop(_ key: CommitLog.Key) {
        overflow[key] = nil
        log?.log.drop(key)
        for index in failedLogs.indices { failedLogs[index].log.drop(key) }
    }

    func record(_ key: CommitLog.Key) -> CommitLog.Record? {
        overflow[key] ?? log?.log.live[key] ?? failedLogs.lazy.compactMap { $0.log.live[key] }.first
    }

    /// Whether the log has more than one record.
    var hasSeveral: Bool { log.map { $0.log.live.count > 1 } ?? false }

    /// The records of a client.
    func keys(of client: Int) -> Set<CommitLog.Key> {
        var keys = Set(overflow.keys)
        for log in openLogs { keys.formUnion(log.log.live.keys) }
        return keys.filter { $0.client == client }
    }

    /// The names of the logs. The take-over must not open them again.
    var names: Set<String> { Set(openLogs.map(\.name)) }

    private var openLogs: [OpenLog] { [log, successor].compactMap { $0 } + failedLogs }

    mutating func takeProblems() -> [JournalProblem] {
        defer { problems = [] }
        return problems
    }

    // MARK: The disk

    /// The time by which drops must be written or synced.
    var deadline: ContinuousClock.Instant? {
        [unwrittenSince.map { $0 + LogKeeper.delayOfWrite }, unsyncedSince.map { $0 + LogKeeper.delayOfSync }]
            .compactMap { $0 }.min()
    }

    /// Writes and syncs the next batch as far as either is due, or makes a log with room for the batch.
    /// - Parameters:
    ///   - needsSync: Whether a caller waits for the sync.
    ///   - hasPuts: Whether the batch has records, not only drops.
    ///   - isHurried: Whether drops are written at once, because no thread exists to write them later.
    /// - Returns: The records that fit into no log and need files: see ``filed(except:)``.
    mutating func commit(
        needsSync: Bool,
        hasPuts: Bool,
        at now: ContinuousClock.Instant,
        isHurried: Bool
    ) -> Records {
        var spilled: Records = [:]
        if !overflow.isEmpty || (hasPuts && successor != nil && log?.log.isAlmostFull ?? false) {
            if replaceLog(isSound: true) { return [:] }
            (spilled, overflow) = (overflow, [:])
        }
        do throws(FileError) {
            try bringUpToDate(needsSync: needsSync, at: now, isHurried: isHurried)
            return spilled
        } catch {
            // The kernel may count the lost pages as written: a later sync of this file would prove nothing.
            report(error.path, "\(error.problem); its settlements are written to another place")
        }
        overflow = spilled
        if replaceLog(isSound: false) { return [:] }
        defer { (failing, log, overflow, unwrittenSince, unsyncedSince) = (log, nil, [:], nil, nil) }
        return (log?.log.live ?? [:]).merging(overflow) { $1 }
    }

    /// Handles the end of storing the records that ``commit(needsSync:hasPuts:at:isHurried:)`` returned.
    /// - Parameter lost: The records that are in no file, and so exist in the failed log only.
    mutating func filed(except lost: Set<CommitLog.Key>) {
        guard let failing else { return }
        self.failing = nil
        if lost.isEmpty { retire(failing) } else { failedLogs.append(failing) }
    }

    private mutating func bringUpToDate(
        needsSync: Bool,
        at now: ContinuousClock.Instant,
        isHurried: Bool
    ) throws(FileError) {
        guard log?.log.hasUnsynced ?? false else { return }
        if try log?.isGone ?? false, replaceLog(isSound: false) { return }
        if log?.log.hasUnwritten ?? false { unwrittenSince = unwrittenSince ?? now }
        unsyncedSince = unsyncedSince ?? now
        if needsSync || unsyncedSince.map({ now - $0 >= LogKeeper.delayOfSync }) ?? false {
            try log?.sync()
            (unwrittenSince, unsyncedSince) = (nil, nil)
        } else if isHurried || unwrittenSince.map({ now - $0 >= LogKeeper.delayOfWrite }) ?? false {
            try log?.write()
            unwrittenSince = nil
        }
    }

    // MARK: Succession

    /// Whether to make an empty successor on another thread. If true, ``prepared(_:)`` receives the successor.
    mutating func needsSuccessor() -> Bool {
        guard let log, log.log.isAlmostFull, successor == nil, !isPreparing, mayMakeLog else { return false }
        isPreparing = true
        return true
    }

    mutating func prepared(_ new: OpenLog?) {
        isPreparing = false
        if successor == nil { successor = new } else if let new { retire(new) }
    }

    /// Writes all live records to another log.
    /// - Parameter isSound: Whether the present log may become the successor.
    /// - Returns: Whether the records are on disk in the new log.
    private mutating func replaceLog(isSound: Bool) -> Bool {
        let records = (log?.log.live ?? [:]).merging(overflow) { $1 }
        guard let new = fill(records) ?? makeLog(holding: records) else { return false }
        if let log { if isSound { recycle(log) } else { retire(log) } }
        (log, overflow, unwrittenSince, unsyncedSince) = (new, [:], nil, nil)
        return true
    }

    /// Makes a log without needed records the next successor, which is cheaper than making another log.
    private mutating func recycle(_ old: OpenLog) {
        var old = old
        let size = CommitLog.size(for: old.log.live.values, isFirst: false)
        do throws(FileError) {
            if let size, old.log.size >= size, successor == nil {
                try old.clear()
                successor = old
                return
            }
        } catch {
            report(error.path, "\(error.problem)")
        }
        retire(old)
    }

    /// Returns the successor with the records; nil if no successor has room for them.
    private mutating func fill(_ records: Records) -> OpenLog? {
        guard var next = successor else { return nil }
        successor = nil
        let fits = records.allSatisfy { next.log.put($0.key, $0.value) }
        do throws(FileError) {
            if fits {
                try next.sync()
                return next
            }
        } catch {
            report(error.path, "\(error.problem)")
        }
        retire(next)
        return nil
    }

    private mutating func makeLog(holding records: Records) -> OpenLog? {
        guard mayMakeLog else { return nil }
        do throws(FileError) {
            if let new = try folder.makeLog(holding: records, isFirst: log == nil) {
                hasReportedLog = false
                return new
            }
            noLogUntil = ContinuousClock.now + .seconds(1_000_000_000)
            reportNoLog(folder.path, "each record is written to its own file: this file system has no reliable locks")
        } catch {
            noLogUntil = ContinuousClock.now + LogKeeper.delayOfLog
            reportNoLog(error.path, "\(error.problem); each record is written to its own file meanwhile")
        }
        return nil
    }

    /// Removes a log whose records are all stored elsewhere.
    private mutating func retire(_ old: OpenLog) {
        do throws(FileError) { try old.remove() } catch { report(error.path, "\(error.problem)") }
    }

    /// Removes all logs if no live record is left. A failed log stays if it has the only copy of a record.
    mutating func end() {
        guard overflow.isEmpty, log?.log.live.isEmpty ?? true else { return }
        for old in openLogs where old.log.live.isEmpty { retire(old) }
        failedLogs.removeAll { $0.log.live.isEmpty }
        (log, successor, unwrittenSince, unsyncedSince) = (nil, nil, nil, nil)
    }

    private mutating func reportNoLog(_ path: String, _ message: String) {
        if !hasReportedLog { report(path, message) }
        hasReportedLog = true
    }

    private mutating func report(_ path: String, _ message: String) {
        problems.append(JournalProblem(path: path, message: message))
    }
}
