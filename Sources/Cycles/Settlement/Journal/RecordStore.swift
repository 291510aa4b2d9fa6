/// The files of one client's records: how they are named, written, moved and set aside. Everything blocks.
///
/// The directory is shared with the other clients of the protocol. Folders are made when there is something to write.
package struct RecordStore: Sendable {
    let files: any FileSystem
    /// The directory of all identities; nil if there is no home directory.
    private let base: String?
    private var identity: JournalIdentity
    /// The name of the identity's folder, once it is known; to derive it is slow.
    private(set) var knownFingerprint: String?
    /// Whether the folder was made, or was found and may be used.
    private var isPrepared = false
    private var hasReportedBase = false
    /// Folders of earlier keys, in which records may have been left that are settled now.
    private var previous: [String] = []
    /// The locks for the attempts that are in progress.
    var locks = RecordLocks()
    /// Files of other servers and newer clients, which are looked at once.
    private var leftAlone: Set<String> = []
    var hasReportedLock = false

    // The properties below last for a batch.
    /// The folder, or nil if there is none that can be used; nil before it is looked for.
    private var usableFolder: String??
    private var needsSync = false
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

    /// Whether another API key is another identity. With a tenant the key is no part of it.
    package var isIdentifiedByKey: Bool { identity.tenant?.isBlank ?? true }

    // MARK: Calls

    /// Ends a batch: syncs the folder if something in it has changed.
    /// - Returns: Whether all that was written is certain to be there, and what the observer is to be told.
    package mutating func endBatch() -> (isSynced: Bool, events: [CyclesEvent]) {
        sync()
        defer { (usableFolder, isSynced, events) = (nil, true, []) }
        return (isSynced, events)
    }

    /// Writes a record, which is certain to be on disk after the batch.
    /// - Parameters:
    ///   - time: The time of the last attempt, in milliseconds since 1970.
    ///   - isLocked: Whether an attempt follows, so that the file is locked for it.
    /// - Returns: Whether that worked.
    package mutating func write(
        _ contents: [UInt8],
        of id: ReservationID,
        attemptedAt time: Int64,
        isLocked: Bool
    ) -> Bool {
        guard let folder = preparedFolder(),
            write(contents, of: id, in: folder, attemptedAt: time, isLocked: isLocked)
        else { return false }
        needsSync = true
        return true
    }

    /// - Parameter mayReturn: Whether it does no harm if a crash of the machine brings the record back.
    package mutating func remove(_ id: ReservationID, mayReturn: Bool) {
        for path in paths(of: id) { attempt { (files) throws(FileError) in try files.remove(path) } }
        locks.forget(id)
        if !mayReturn { needsSync = true }
    }

    /// - Parameters:
    ///   - rejection: The reason, which is kept in the file.
    ///   - report: The reason in the words of the event.
    package mutating func setAside(_ id: ReservationID, rejection: String, report: String) {
        defer { locks.forget(id) }
        for path in paths(of: id) {
            addRejection(rejection, to: path)
            let other = path + ".rejected"
            needsSync = true
            guard attempt({ (files) throws(FileError) in try files.rename(path, to: other) }) else { continue }
            reportSetAside(other, id, report)
        }
    }

    /// Reads all records.
    /// - Parameter known: Reservations whose records were read before.
    package mutating func load(except known: Set<ReservationID>) -> [SettlementRecord] {
        guard let folder = existingFolder() else { return [] }
        return load(from: folder, except: Set(known.map(JournalNames.file)))
    }

    /// Whether there are folders of other identities.
    package var hasSiblings: Bool {
        mutating get {
            guard let base, let folder = existingFolder() else { return false }
            let names = (try? files.list(base)) ?? []
            return names.contains { JournalNames.isFolder($0) && "\(base)/\($0)" != folder }
        }
    }

    /// Goes by another API key from now on. Without a tenant that is another identity: its records move to the folder of
    /// that first; those that cannot stay, and are reported.
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

    /// The folder of the identity, which is made if it is missing; nil if there is none that can be used.
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
        // One that somebody has removed is made anew.
        if isPrepared, files.age(of: folder) != nil { return folder }
        isPrepared = attempt { (files) throws(FileError) in
            try files.prepareDirectory(base)
            try files.prepareDirectory(folder)
        }
        return isPrepared ? folder : nil
    }

    /// The folder if there may be records of anyone: whoever only reads makes no directory, and needs no name derived.
    private mutating func existingFolder() -> String? {
        if usableFolder == nil {
            // A directory that cannot be listed may have some: to go on reports why.
            guard let base, (try? files.list(base))?.isEmpty != true else { return nil }
        }
        return preparedFolder()
    }

    private mutating func sync() {
        guard needsSync, let folder = usableFolder ?? nil else { return }
        needsSync = false
        let isDone = attempt { (files) throws(FileError) in try files.syncDirectory(folder) }
        isSynced = isSynced && isDone
    }

    /// The files of a reservation: one, unless it could not be moved when the key changed.
    mutating func paths(of id: ReservationID) -> [String] {
        let folders = [preparedFolder()].compactMap { $0 } + previous
        return folders.map { "\($0)/\(JournalNames.file(id))" }.filter { files.age(of: $0) != nil }
    }

    private mutating func move(from old: String, to new: String) {
        var moved: [(name: String, lock: (any OpenFile)?)] = []
        for record in load(from: old, except: []) {
            let (id, name) = (record.reservationID, JournalNames.file(record.reservationID))
            // Another process that makes an attempt keeps the file in its present folder.
            guard let lock = lockToMove(id, "\(old)/\(name)"),
                write(
                    record.encoded,
                    of: id,
                    in: new,
                    attemptedAt: record.attemptedAtMilliseconds,
                    isLocked: locks.isHeld(id)
                )
            else { continue }
            moved.append((name, lock))
        }
        // The old ones go once the new ones are certain to be there.
        guard attempt({ (files) throws(FileError) in try files.syncDirectory(new) }) else { return }
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

    /// Adds the reason for which a record is set aside, as far as there is room. Without it the record is set aside all
    /// the same.
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
        if !names.isEmpty { needsSync = true }
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
                }
            }
        }
        // Records under standard names were written later than those under legacy names.
        let standardOnes = Set(records.map(\.reservationID))
        for (name, record) in legacy {
            let standard = JournalNames.file(record.reservationID)
            if standardOnes.contains(record.reservationID) {
                attempt { (files) throws(FileError) in try files.remove("\(folder)/\(name)") }
            } else if present.contains(standard) {
                report("\(folder)/\(name)", "it was left alone, since \(standard) is there and is not this client's")
            } else {
                attempt { (files) throws(FileError) in
                    try files.rename("\(folder)/\(name)", to: "\(folder)/\(standard)")
                }
                records.append(record)
            }
        }
        return records
    }

    private enum Finding {
        /// A record under its standard name.
        case standard(SettlementRecord)
        /// A record under the name that an older client gave it.
        case legacy(SettlementRecord)
        /// A file that was no record, and has another name now.
        case quarantined
        /// A record of another server, as in a folder that was copied, or of a newer client; or a file that cannot be read.
        case leftAlone
    }

    private mutating func inspect(_ path: String, _ name: String) -> Finding {
        var contents: [UInt8] = []
        let isRead = attempt { (files) throws(FileError) in
            contents = try files.read(path, limit: SettlementRecord.maxBytes)
        }
        guard isRead else { return .leftAlone }
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
            guard attempt({ (files) throws(FileError) in try files.rename(path, to: other) }) else { return .leftAlone }
            reportSetAside(other, nil, "\(error)")
            return .quarantined
        }
    }

    /// The time of the last attempt, in milliseconds since 1970; 0 if it cannot be told.
    private func modificationTime(of path: String) -> Int64 {
        let (folder, name) = JournalNames.parts(of: path)
        return (try? files.openDirectory(folder))?.status(of: name)?.modifiedAtMilliseconds ?? 0
    }

    // MARK: Reports

    /// Reports records of other identities, which a change of the configuration may have left behind.
    /// - Parameter known: The folders of clients of this process.
    package mutating func reportSiblings(except known: Set<String>) {
        guard let base else { return }
        for sibling in ((try? files.list(base)) ?? []).sorted() where !known.contains(sibling) {
            let count = ((try? files.list("\(base)/\(sibling)")) ?? []).count(where: JournalNames.isRecord)
            guard count > 0 else { continue }
            report(
                "\(base)/\(sibling)",
                "\(count) settlements of another base URL, tenant or key wait here; they are settled by a client "
                    + "that is configured as theirs was"
            )
        }
    }

    @discardableResult
    private mutating func attempt(_ body: (any FileSystem) throws(FileError) -> Void) -> Bool {
        do throws(FileError) {
            try body(files)
            return true
        } catch {
            report(error.path, "\(error)")
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
