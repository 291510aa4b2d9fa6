/// The record files of one client: names, writes, moves, and files set aside. All methods block.
///
/// Other clients of the protocol share the directory. Folders are made before the first write.
package struct RecordStore: Sendable {
    let files: any FileSystem
    /// The directory of all identities; nil if there is no home directory.
    let base: String?
    package private(set) var identity: JournalIdentity
    /// The name of the identity's folder, once derived. The derivation is slow.
    private var knownFingerprint: String?
    /// Whether the folder was made or found, and is usable.
    private var isPrepared = false
    private var hasReportedBase = false
    /// The folders of earlier API keys. They may still contain records that have been settled since.
    private var previous: [String] = []
    /// The locks held for attempts in progress.
    var locks = RecordLocks()
    /// Files of other servers and newer clients, which are read once and then ignored.
    private var leftAlone: Set<String> = []
    var hasReportedLock = false

    // The properties below are valid for one batch.
    /// The folder; an inner nil if it cannot be used, an outer nil if it has not been looked for.
    private var usableFolder: String??
    /// The folders in which files were made, renamed or removed since the last sync.
    private var unsynced: Set<String> = []
    private var isSynced = true
    private var events: [CyclesEvent] = []

    package init(files: any FileSystem, base: String?, identity: JournalIdentity) {
        self.files = files
        self.base = base
        self.identity = identity
    }

    /// The name of the identity's folder.
    package var fingerprint: String {
        mutating get {
            let fingerprint = knownFingerprint ?? JournalNames.folder(identity)
            knownFingerprint = fingerprint
            return fingerprint
        }
    }

    /// The name of the identity's folder; nil if the name is still to be derived.
    var derivedFingerprint: String? { knownFingerprint ?? JournalNames.derivedFolder(identity) }

    /// Whether another API key means another identity. With a tenant, the key is not part of the identity.
    package var isIdentifiedByKey: Bool { identity.tenant?.isBlank ?? true }

    // MARK: Calls

    /// Ends a batch: syncs the folder if its contents changed.
    /// - Returns: Whether all writes are on disk, and the events for the observer.
    package mutating func endBatch() -> (isSynced: Bool, events: [CyclesEvent]) {
        sync()
        defer { (usableFolder, isSynced, events) = (nil, true, []) }
        return (isSynced, events)
    }

    /// Writes a record. The record is on disk after the batch.
    /// - Parameters:
    ///   - time: The time of the last attempt, in milliseconds since 1970.
    ///   - isLocked: Whether to lock the file for an attempt that follows.
    /// - Returns: Whether the write succeeded.
    package mutating func write(
        _ contents: [UInt8],
        of id: ReservationID,
        attemptedAt time: Int64,
        isLocked: Bool
    ) -> Bool {
        guard let folder = preparedFolder(),
            write(contents, of: id, in: folder, attemptedAt: time, isLocked: isLocked)
        else { return false }
        unsynced.insert(folder)
        return true
    }

    /// Removes the files of a reservation.
    /// - Parameter mayReturn: Whether it is harmless if a crash of the machine restores the record.
    package mutating func remove(_ id: ReservationID, mayReturn: Bool) {
        for path in paths(of: id) { attempt { (files) throws(FileError) in try files.remove(path) } }
        locks.forget(id)
        if !mayReturn { syncFolders() }
    }

    /// Sets the record of a reservation aside.
    /// - Parameters:
    ///   - rejection: The reason, stored in the file.
    ///   - report: The reason as reported in the event.
    package mutating func setAside(_ id: ReservationID, rejection: String, report: String) {
        defer { locks.forget(id) }
        for path in paths(of: id) {
            addRejection(rejection, to: path)
            let other = path + ".rejected"
            unsynced.insert(JournalNames.parts(of: path).folder)
            guard rename(path, to: other) else { continue }
            reportSetAside(other, id, report)
        }
    }

    /// Reads all records.
    /// - Parameter known: Reservations whose records have been read before.
    package mutating func load(except known: Set<ReservationID>) -> [SettlementRecord] {
        guard let folder = existingFolder() else { return [] }
        return load(from: folder, except: Set(known.map(JournalNames.file)))
    }

    /// Whether other identities have folders.
    package var hasSiblings: Bool {
        mutating get {
            guard let base, let folder = existingFolder() else { return false }
            let names = (try? files.list(base)) ?? []
            return names.contains { JournalNames.isFolder($0) && "\(base)/\($0)" != folder }
        }
    }

    /// Switches to another API key. Without a tenant, the key is another identity: the records move to its folder
    /// first. Records that cannot be moved stay, and are reported.
    package mutating func changeKey(_ key: Secret) {
        let old = existingFolder()
        sync()
        identity.apiKey = key
        guard isIdentifiedByKey else { return }
        (knownFingerprint, isPrepared, usableFolder) = (nil, false, nil)
        guard let old else { return }
        let new = preparedFolder()
        if new == old { return }
        if let new { move(from: old, to: new) }
        let left = ((try? files.list(old)) ?? []).count(where: JournalNames.isRecord)
        if left > 0 {
            previous.append(old)
            report(old, "\(left) settlements could not be moved to the folder of the new API key")
        }
    }

    // MARK: Folders

    /// Returns the identity's folder, and makes it if needed; nil if the folder cannot be used.
    mutating func preparedFolder() -> String? {
        if let usableFolder { return usableFolder }
        let found = findFolder()
        usableFolder = .some(found)
        return found
    }

    private mutating func findFolder() -> String? {
        guard let base else {
            if !hasReportedBase {
                report(
                    nil,
                    "there is no home directory to keep settlements in; set a directory, or disable the journal"
                )
            }
            hasReportedBase = true
            return nil
        }
        let folder = base + "/" + fingerprint
        // A folder that was removed is made again.
        if isPrepared, files.age(of: folder) != nil { return folder }
        isPrepared = attempt { (files) throws(FileError) in
            try files.prepareDirectory(base)
            try files.prepareDirectory(folder)
        }
        return isPrepared ? folder : nil
    }

    /// Returns the folder if there may be records of any identity. Reading makes no directory and derives no name.
    private mutating func existingFolder() -> String? {
        if usableFolder == nil {
            // A directory that cannot be listed may contain records. Preparing the folder then reports the error.
            guard let base, (try? files.list(base))?.isEmpty != true else { return nil }
        }
        return preparedFolder()
    }

    private mutating func sync() {
        for folder in unsynced.sorted() where files.age(of: folder) != nil {
            let isDone = attempt { (files) throws(FileError) in try files.syncDirectory(folder) }
            isSynced = isSynced && isDone
        }
        unsynced = []
    }

    /// The folders with records: one, or several if files could not be moved after a change of the key.
    private var folders: [String] { mutating get { [preparedFolder()].compactMap { $0 } + previous } }

    /// Requests a sync of all folders with records, for changes that this process or another one has made.
    mutating func syncFolders() { unsynced.formUnion(folders) }

    /// The files of a reservation: one, or several if a file could not be moved after a change of the key.
    mutating func paths(of id: ReservationID) -> [String] {
        folders.map { "\($0)/\(JournalNames.file(id))" }.filter { files.age(of: $0) != nil }
    }

    /// Requests a sync of a reservation's file. Returns false if there is no file.
    mutating func syncsFile(of id: ReservationID) -> Bool {
        syncFolders()
        return !paths(of: id).isEmpty
    }

    private mutating func move(from old: String, to new: String) {
        var moved: [(name: String, lock: (any OpenFile)?)] = []
        for record in load(from: old, except: []) {
            let (id, name) = (record.reservationID, JournalNames.file(record.reservationID))
            // If another process is making an attempt, the file stays in its folder.
            guard let lock = lockToMove(id, "\(old)/\(name)") else { continue }
            // Another process may have moved the record, and attempted its settlement, but failed to remove the old file.
            let existing = try? SettlementRecord(
                parsing: files.read("\(new)/\(name)", limit: SettlementRecord.maxBytes)
            )
            let wasMoved = existing.map { !record.isAhead(of: $0) } ?? false
            guard
                wasMoved
                    || write(
                        record.encoded,
                        of: id,
                        in: new,
                        attemptedAt: record.attemptedAtMilliseconds,
                        isLocked: locks.isHeld(id)
                    )
            else { continue }
            moved.append((name, lock))
        }
        // Old files are removed only after the new ones are on disk.
        guard attempt({ (files) throws(FileError) in try files.syncDirectory(new) }) else { return }
        if !moved.isEmpty { unsynced.insert(old) }
        for (name, lock) in moved {
            attempt { (files) throws(FileError) in try files.remove("\(old)/\(name)") }
            lock?.close()
        }
    }

    // MARK: Writing

    private mutating func write(
        _ contents: [UInt8],
        of id: ReservationID,
        in folder: String,
        attemptedAt time: Int64,
        isLocked: Bool
    ) -> Bool {
        let path = "\(folder)/\(JournalNames.file(id))"
        guard contents.count <= SettlementRecord.maxBytes else {
            report(
                path,
                "reservation \(id) is not kept: its record would be larger than \(SettlementRecord.maxBytes) bytes; "
                    + "send less metadata"
            )
            return false
        }
        var file: (any OpenFile)?
        let isWritten = attempt { (files) throws(FileError) in
            file = try files.writeRecord(contents, to: path, attemptedAt: time, isLocked: isLocked)
        }
        guard isWritten else { return false }
        locks.know(id, modifiedAt: (try? file?.status().modifiedAtMilliseconds) ?? time)
        if isLocked, let file { locks.hold(id, file) } else { locks.release(id) }
        return true
    }

    /// Adds the reason for setting a record aside, if there is room. Without room, the record is set aside without a
    /// reason.
    private mutating func addRejection(_ reason: String, to path: String) {
        guard let contents = try? files.read(path, limit: SettlementRecord.maxBytes),
            var record = try? SettlementRecord(parsing: contents)
        else { return }
        record.rejection = reason.count <= 2_000 ? reason : reason.prefix(1_999) + "…"
        guard record.encoded.count <= SettlementRecord.maxBytes else { return }
        _ = write(
            record.encoded,
            of: record.reservationID,
            in: JournalNames.parts(of: path).folder,
            attemptedAt: record.attemptedAtMilliseconds,
            isLocked: locks.isHeld(record.reservationID)
        )
    }

    // MARK: Reading

    private mutating func load(from folder: String, except known: Set<String>) -> [SettlementRecord] {
        var names: [String] = []
        attempt { (files) throws(FileError) in names = try files.list(folder).sorted() }
        // A process that was killed may have left names that are not on disk yet.
        if !names.isEmpty { unsynced.insert(folder) }
        var present = Set(names)
        var records: [SettlementRecord] = []
        var legacy: [(name: String, record: SettlementRecord)] = []
        for name in names {
            let path = "\(folder)/\(name)"
            if JournalNames.isTemporary(name) {
                if let age = files.age(of: path), age > .seconds(3_600) {
                    attempt { (files) throws(FileError) in try files.remove(path) }
                }
            } else if JournalNames.isRecord(name), !known.contains(name), !leftAlone.contains(path) {
                switch inspect(path, name) {
                case .standard(let record): records.append(record)
                case .legacy(let record): legacy.append((name, record))
                case .quarantined: present.remove(name)
                case .leftAlone: leftAlone.insert(path)
                case .gone: break
                }
            }
        }
        // Records under standard names are newer than records under legacy names.
        let standardOnes = Set(records.map(\.reservationID))
        for (name, record) in legacy {
            let standard = JournalNames.file(record.reservationID)
            if standardOnes.contains(record.reservationID) {
                attempt { (files) throws(FileError) in try files.remove("\(folder)/\(name)") }
            } else if present.contains(standard) {
                report("\(folder)/\(name)", "it was not renamed, since \(standard) exists and is not this client's")
            } else {
                _ = rename("\(folder)/\(name)", to: "\(folder)/\(standard)")
                records.append(record)
            }
        }
        return records
    }

    private enum Finding {
        /// A record under its standard name.
        case standard(SettlementRecord)
        /// A record under a name that older clients use.
        case legacy(SettlementRecord)
        /// A file that is no record and has been renamed.
        case quarantined
        /// A record of another server (as in a copied folder) or of a newer client, or an unreadable file.
        case leftAlone
        /// A file that another process has removed since the folder was listed.
        case gone
    }

    private mutating func inspect(_ path: String, _ name: String) -> Finding {
        let contents: [UInt8]
        do throws(FileError) {
            contents = try files.read(path, limit: SettlementRecord.maxBytes)
        } catch {
            guard files.age(of: path) != nil else { return .gone }
            report(error.path, "\(error.problem)")
            return .leftAlone
        }
        do throws(SettlementRecord.Defect) {
            var record = try SettlementRecord(parsing: contents)
            record.attemptedAtMilliseconds = modificationTime(of: path)
            locks.know(record.reservationID, modifiedAt: record.attemptedAtMilliseconds)
            guard record.baseURL == identity.baseURL else { return .leftAlone }
            if name == JournalNames.file(record.reservationID) { return .standard(record) }
            if JournalNames.legacyFiles(record.reservationID).contains(name) { return .legacy(record) }
            throw .corrupt("its name is not that of reservation \(record.reservationID)")
        } catch {
            if case .newerVersion = error {
                report(path, "\(error)")
                return .leftAlone
            }
            let other = String(path.dropLast(".json".utf8.count)) + ".corrupt"
            guard rename(path, to: other) else { return files.age(of: path) == nil ? .gone : .leftAlone }
            reportSetAside(other, nil, "\(error)")
            return .quarantined
        }
    }

    // MARK: Reports

    /// Renames a file. Reports a failure, unless another process has removed or renamed the file first.
    private mutating func rename(_ path: String, to other: String) -> Bool {
        do throws(FileError) {
            try files.rename(path, to: other)
            return true
        } catch {
            if files.age(of: path) != nil { report(error.path, "\(error.problem)") }
            return false
        }
    }

    @discardableResult
    private mutating func attempt(_ body: (any FileSystem) throws(FileError) -> Void) -> Bool {
        do throws(FileError) {
            try body(files)
            return true
        } catch {
            report(error.path, "\(error.problem)")
            return false
        }
    }

    private mutating func reportSetAside(_ path: String, _ id: ReservationID?, _ reason: String) {
        events.append(.recordSetAside(SetAsideRecord(path: path, reservationID: id, reason: reason)))
    }

    mutating func report(_ path: String?, _ message: String) {
        events.append(.journalProblem(JournalProblem(path: path, message: message)))
    }
}
