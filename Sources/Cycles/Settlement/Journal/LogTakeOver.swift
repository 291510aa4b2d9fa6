/// Turns the records in the logs of processes that have ended into record files.
///
/// The order makes the take-over safe: the files are synced, the log is removed, and only then may a record be sent. If
/// a record were sent earlier, another process could find the log and send a settled record again.
package struct LogTakeOver {
    /// A record that must not be sent, because its log still exists.
    package struct Held: Hashable, Sendable {
        package let fingerprint: String
        package let id: ReservationID
    }

    private let files: any FileSystem
    private let base: String
    private let folder: LogFolder
    /// The events for the observer.
    package private(set) var events: [CyclesEvent] = []
    package private(set) var held: Set<Held> = []

    package init(_ files: any FileSystem, base: String) {
        self.files = files
        self.base = base
        folder = LogFolder(files, base: base)
    }

    /// Whether there may be logs to take over.
    /// - Parameter own: The logs of this process.
    package func isNeeded(except own: Set<String>) -> Bool {
        guard files.identity(of: folder.path) != nil else { return false }
        guard let names = try? files.list(folder.path) else { return true }
        return !own.isSuperset(of: names)
    }

    /// Takes over all unlocked logs.
    /// - Parameter own: The logs of this process, which must not be opened again. Logs that it makes meanwhile are
    ///   locked.
    package mutating func run(except own: Set<String>) {
        do throws(FileError) {
            guard let directory = try folder.open(isMade: false), directory.hasLocks else { return }
            for name in try directory.list().sorted() where !own.contains(name) {
                do throws(FileError) {
                    if LogFolder.isLog(name) {
                        try takeOver(name, in: directory)
                    } else if JournalNames.isTemporary(name) {
                        try removeIfAbandoned(name, in: directory)
                    }
                } catch {
                    report(error.path, "\(error.problem)")
                }
            }
        } catch {
            report(error.path, "\(error.problem)")
        }
    }

    private mutating func takeOver(_ name: String, in directory: any OpenDirectory) throws(FileError) {
        guard let file = try directory.open(name) else { return }
        defer { file.close() }
        guard try isMine(file, name, in: directory) else { return }
        let bytes = try file.read(limit: CommitLogFormat.maxBytes)
        let contents: CommitLogContents
        do throws(CommitLogContents.Defect) {
            contents = try CommitLogContents(of: bytes)
        } catch {
            try refuse(name, in: directory, because: error)
            return
        }
        let entries = contents.entries
        guard store(entries) else {
            hold(entries)
            return
        }
        do throws(FileError) {
            if contents.damage.isEmpty {
                try directory.remove(name)
            } else {
                try setAside(name, in: directory, because: contents.damage.joined(separator: "; "))
            }
            try directory.sync()
        } catch {
            hold(entries)
            throw error
        }
    }

    /// Sets an unreadable log aside. Leaves a log of a newer version as it is.
    private mutating func refuse(
        _ name: String,
        in directory: any OpenDirectory,
        because defect: CommitLogContents.Defect
    ) throws(FileError) {
        guard case .noHeader = defect else {
            report("\(folder.path)/\(name)", "\(defect)")
            return
        }
        try setAside(name, in: directory, because: "\(defect)")
        try directory.sync()
    }

    private mutating func setAside(
        _ name: String,
        in directory: any OpenDirectory,
        because reason: String
    ) throws(FileError) {
        let other = name + ".corrupt"
        try directory.rename(name, to: other)
        events.append(
            .recordSetAside(SetAsideRecord(path: "\(folder.path)/\(other)", reservationID: nil, reason: reason))
        )
    }

    /// Locks a log. Returns false if another process has the lock, or if the name denotes another file by now.
    private func isMine(
        _ file: any OpenFile,
        _ name: String,
        in directory: any OpenDirectory
    ) throws(FileError) -> Bool {
        let status = try file.status()
        guard status.isOwn else {
            throw FileError(
                action: "use",
                path: "\(folder.path)/\(name)",
                reason: "it is not a regular file that this user owns"
            )
        }
        guard try file.lock(isShared: false) else { return false }
        // The log's owner, or another take-over, may have removed the log before this process got the lock.
        let (opened, named) = (try file.status(), directory.status(of: name))
        return named?.identity == opened.identity && opened.links == 1
    }

    private mutating func removeIfAbandoned(_ name: String, in directory: any OpenDirectory) throws(FileError) {
        guard let age = files.age(of: "\(folder.path)/\(name)"), age > .seconds(3_600),
            let file = try directory.open(name)
        else { return }
        defer { file.close() }
        if try isMine(file, name, in: directory) { try directory.remove(name) }
    }

    // MARK: Records

    /// Writes the log's records to files and syncs the files. Returns whether all files are on disk.
    private mutating func store(_ entries: [CommitLogContents.Entry]) -> Bool {
        var folders: Set<String> = []
        do throws(FileError) {
            for entry in entries {
                let folder = "\(base)/\(entry.fingerprint)"
                if folders.insert(folder).inserted { try files.prepareDirectory(folder) }
                let path = "\(folder)/\(JournalNames.file(entry.reservationID))"
                // An existing file is newer than the log, and a rejection is final.
                guard files.age(of: path) == nil, files.age(of: path + ".rejected") == nil else { continue }
                try files.writeRecord(
                    entry.record,
                    to: path,
                    attemptedAt: entry.attemptedAtMilliseconds,
                    isLocked: false
                )
            }
            // Existing files may come from a take-over that ended before its sync.
            for folder in folders.sorted() { try files.syncDirectory(folder) }
            return true
        } catch {
            report(error.path, "\(error.problem)")
            return false
        }
    }

    private mutating func hold(_ entries: [CommitLogContents.Entry]) {
        held.formUnion(entries.map { Held(fingerprint: $0.fingerprint, id: $0.reservationID) })
    }

    private mutating func report(_ path: String?, _ message: String) {
        events.append(.journalProblem(JournalProblem(path: path, message: message)))
    }
}
