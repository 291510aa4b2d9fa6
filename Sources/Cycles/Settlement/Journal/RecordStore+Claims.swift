/// Claims of record files for attempts.
extension RecordStore {
    /// The maximum number of tries to open a file that other processes replace meanwhile.
    private static let claimAttempts = 3

    /// Claims a reservation's file for one attempt. ``RecordLocks/release(_:)`` ends the claim.
    /// - Parameters:
    ///   - ignoresBackOff: Whether to claim the file even if another process has made an attempt recently.
    ///   - wall: The present time, in milliseconds since 1970. It becomes the file's modification time.
    mutating func claim(_ id: ReservationID, ignoresBackOff: Bool, at wall: Int64) -> RecordClaim {
        if locks.isHeld(id) { return .granted(nil) }
        guard let path = paths(of: id).first else { return missing(id) }
        do throws(FileError) {
            for _ in 0..<RecordStore.claimAttempts {
                if let claim = try claim(id, path, ignoresBackOff: ignoresBackOff, at: wall) { return claim }
            }
            return .busy(nil)
        } catch {
            if !hasReportedLock {
                report(error.path, "\(error.problem); its settlement may be attempted by several processes at once")
            }
            hasReportedLock = true
            // The file tells, even without a lock, how long the server asked to wait.
            guard var record = try? SettlementRecord(parsing: files.read(path, limit: SettlementRecord.maxBytes))
            else { return .granted(nil) }
            record.attemptedAtMilliseconds = modificationTime(of: path)
            guard record.remainingWait(at: wall) > .zero else { return .granted(nil) }
            return .notDue(record)
        }
    }

    /// - Returns: Nil if another file has replaced the locked one.
    private mutating func claim(
        _ id: ReservationID,
        _ path: String,
        ignoresBackOff: Bool,
        at wall: Int64
    ) throws(FileError) -> RecordClaim? {
        let (folder, name) = JournalNames.parts(of: path)
        let directory = try files.openDirectory(folder)
        guard let file = try directory.open(name) else { return missing(id) }
        let isLocked = directory.hasLocks ? try file.lock(isShared: false) : true
        let status = try file.status()
        // The previous holder of the lock may have settled the record or replaced its file.
        guard let named = directory.status(of: name) else { return missing(id) }
        guard named.identity == status.identity else { return nil }
        var record = try? SettlementRecord(parsing: file.read(limit: SettlementRecord.maxBytes))
        record?.attemptedAtMilliseconds = status.modifiedAtMilliseconds
        let isUntouched = locks.time(of: id) == status.modifiedAtMilliseconds
        locks.know(id, modifiedAt: status.modifiedAtMilliseconds)
        guard isLocked else { return .busy(record) }
        if let record {
            let backOff =
                isUntouched || ignoresBackOff ? .zero : record.remainingBackOff(at: wall, randomness: 0.5)
            if max(backOff, record.remainingWait(at: wall)) > .zero { return .notDue(record) }
        }
        try? file.setModified(atMilliseconds: wall)
        locks.know(id, modifiedAt: try file.status().modifiedAtMilliseconds)
        locks.hold(id, file)
        return .granted(record)
    }

    /// The time of the last attempt, in milliseconds since 1970; 0 if unknown.
    func modificationTime(of path: String) -> Int64 {
        let (folder, name) = JournalNames.parts(of: path)
        return (try? files.openDirectory(folder))?.status(of: name)?.modifiedAtMilliseconds ?? 0
    }

    /// The claim on a file that does not exist.
    private mutating func missing(_ id: ReservationID) -> RecordClaim {
        locks.forget(id)
        // The process that removed the file may have ended before its sync.
        syncFolders()
        guard let folder = preparedFolder() else { return .gone }
        let path = "\(folder)/\(JournalNames.file(id)).rejected"
        guard files.age(of: path) != nil else { return .gone }
        let contents = try? files.read(path, limit: SettlementRecord.maxBytes)
        return .rejected(contents.flatMap { try? SettlementRecord(parsing: $0).rejection })
    }

    /// Locks a file before a move, unless it is locked already.
    /// - Returns: The locked file; an inner nil if the file cannot be locked; an outer nil if another process has the
    ///   lock.
    func lockToMove(_ id: ReservationID, _ path: String) -> (any OpenFile)?? {
        if let file = locks.file(of: id) { return .some(file) }
        let (folder, name) = JournalNames.parts(of: path)
        guard let directory = try? files.openDirectory(folder), directory.hasLocks,
            let file = try? directory.open(name)
        else { return .some(nil) }
        guard (try? file.lock(isShared: false)) ?? true else { return nil }
        return .some(file)
    }
}
