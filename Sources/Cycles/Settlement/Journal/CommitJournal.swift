/// Keeps settlements on disk until they are certain. The directory is shared with the other clients of the protocol.
///
/// Everything happens on a thread of its own, in the order in which it was asked for; what was asked for meanwhile is
/// done together, with one sync of the directory.
package final class CommitJournal: Sendable {
    /// Whose records they are.
    package struct Identity: Hashable, Sendable {
        package let baseURL: String
        package var apiKey: Secret
        package let tenant: String?

        package init(_ configuration: CyclesConfiguration) {
            self.init(
                baseURL: configuration.baseURL,
                apiKey: Secret(configuration.apiKey),
                tenant: configuration.tenant
            )
        }

        package init(baseURL: String, apiKey: Secret, tenant: String?) {
            self.baseURL = baseURL
            self.apiKey = apiKey
            self.tenant = tenant
        }
    }

    private enum Job: Sendable {
        case write(JournalRecord, @Sendable (Bool) -> Void)
        case remove(ReservationID, @Sendable () -> Void)
        case setAside(ReservationID, reason: String, @Sendable () -> Void)
        case load(@Sendable ([JournalRecord]) -> Void)
        case changeKey(Secret, @Sendable () -> Void)
        case drain(@Sendable () -> Void)
    }

    private struct Line {
        var jobs: [Job] = []
        var hasThread = false
    }

    /// What the thread keeps from one batch to the next.
    private struct Place {
        var identity: Identity
        var folder: String?
        var isPrepared = false
        /// Folders of earlier keys, in which records may have been left that are settled now.
        var previous: [String] = []
    }

    private let files: any FileSystem
    /// Nil means the automatic one.
    private let configuredBase: String?
    /// What does not change of the identity.
    package let baseURL: String
    private let observer: any CyclesObserver
    private let isInline: Bool
    private let threads: ThreadSource
    private let line = WaitableLock(Line())
    private let place: Lock<Place>

    /// - Parameters:
    ///   - directory: Where to keep the folders of all identities; nil means below the user's home.
    ///   - isInline: Whether everything happens on the thread that asks for it, before the call returns.
    package init(
        files: any FileSystem,
        directory: String?,
        identity: Identity,
        observer: any CyclesObserver,
        isInline: Bool = false,
        threads: ThreadSource = .system
    ) {
        self.files = files
        baseURL = identity.baseURL
        place = Lock(Place(identity: identity))
        self.observer = observer
        self.isInline = isInline
        self.threads = threads
        configuredBase = directory
    }

    // MARK: From the engine

    /// Puts a record on disk, instead of one for the same reservation. `completion` is told whether it is there.
    package func write(_ record: JournalRecord, _ completion: @escaping @Sendable (Bool) -> Void) {
        enqueue(.write(record, completion))
    }

    /// Forgets a reservation: it is settled.
    package func remove(_ id: ReservationID, _ completion: @escaping @Sendable () -> Void) {
        enqueue(.remove(id, completion))
    }

    /// Keeps a record for an operator to look at, with the reason: the server refuses it for good.
    package func setAside(_ id: ReservationID, reason: String, _ completion: @escaping @Sendable () -> Void) {
        enqueue(.setAside(id, reason: reason, completion))
    }

    /// Reads all records, and tidies up.
    package func load(_ completion: @escaping @Sendable ([JournalRecord]) -> Void) { enqueue(.load(completion)) }

    /// Goes by another API key from now on. Without a tenant that is another identity: its records move to the folder of
    /// that first; those that cannot stay, and are reported.
    package func changeKey(_ key: Secret, _ completion: @escaping @Sendable () -> Void) {
        enqueue(.changeKey(key, completion))
    }

    /// Calls back once everything that was asked for before is done.
    package func drain(_ completion: @escaping @Sendable () -> Void) { enqueue(.drain(completion)) }

    // MARK: The thread

    private func enqueue(_ job: Job) {
        if isInline {
            perform([job])
            return
        }
        let needsThread = line.withLock { line in
            line.jobs.append(job)
            defer { line.hasThread = true }
            return !line.hasThread
        }
        guard needsThread else { return }
        if threads.start({ self.run() }) { return }
        // Better late than never: on the thread that asks, until there is nothing left for another's sake either.
        repeat { performWaiting() } while !stopIfIdle()
    }

    private func run() {
        while true {
            performWaiting()
            let hasMore: Bool? = line.wait(atMost: .seconds(5)) { $0.jobs.isEmpty ? nil : true }
            if hasMore == nil, stopIfIdle() { return }
        }
    }

    /// Whether there was nothing to do; whoever comes next starts a thread then.
    private func stopIfIdle() -> Bool {
        line.withLock { line in
            guard line.jobs.isEmpty else { return false }
            line.hasThread = false
            return true
        }
    }

    private func performWaiting() {
        while true {
            let jobs = line.withLock { line in
                defer { line.jobs = [] }
                return line.jobs
            }
            if jobs.isEmpty { return }
            perform(jobs)
        }
    }

    private func perform(_ jobs: [Job]) {
        // Whoever only reads makes no directory, and needs no key derived while there is nothing to be found.
        let isNeeded = jobs.contains { job in
            switch job {
            case .write, .remove, .setAside: true
            case .load: hasAnything
            case .changeKey: hasAnything
            case .drain: false
            }
        }
        var folder = isNeeded ? preparedFolder() : nil
        var written: [(completion: @Sendable (Bool) -> Void, isWritten: Bool)] = []
        var needsSync = false
        var isSynced = true
        var callbacks: [@Sendable () -> Void] = []
        for job in jobs {
            switch job {
            case .write(let record, let completion):
                let isWritten = folder.map { write(record, in: $0) } ?? false
                needsSync = needsSync || isWritten
                written.append((completion, isWritten))
            case .remove(let id, let completion):
                for path in paths(of: id, in: folder) { attempt { () throws(FileError) in try files.remove(path) } }
                callbacks.append(completion)
            case .setAside(let id, let reason, let completion):
                callbacks.append(completion)
                for path in paths(of: id, in: folder) {
                    addRejection(reason, to: path)
                    let other = path + ".rejected"
                    needsSync = true
                    guard attempt({ () throws(FileError) in try files.rename(path, to: other) }) else { continue }
                    reportSetAside(other, id, "the server refuses it for good: \(reason)")
                }
            case .load(let completion):
                let records = folder.map { load(from: $0) } ?? []
                needsSync = needsSync || folder != nil
                callbacks.append { completion(records) }
            case .changeKey(let key, let completion):
                if needsSync, let folder { isSynced = isSynced && sync(folder) }
                needsSync = false
                folder = changeKey(key, from: folder)
                callbacks.append(completion)
            case .drain(let completion): callbacks.append(completion)
            }
        }
        if needsSync, let folder { isSynced = isSynced && sync(folder) }
        for (completion, isWritten) in written { completion(isWritten && isSynced) }
        for callback in callbacks { callback() }
    }

    // MARK: Files

    private func sync(_ folder: String) -> Bool {
        attempt { () throws(FileError) in try files.syncDirectory(folder) }
    }

    /// The files of a reservation: one, unless it could not be moved when the key changed.
    private func paths(of id: ReservationID, in folder: String?) -> [String] {
        let folders = [folder].compactMap { $0 } + place.withLock { $0.previous }
        return folders.map { $0 + JournalNames.file(id) }.filter { files.age(of: $0) != nil }
    }

    private var base: String? { configuredBase ?? JournalNames.base(inHome: files.homeDirectory) }

    /// Whether there are records of anyone. What cannot be looked at may have some: whoever goes on reports why.
    private var hasAnything: Bool { base.map { (try? files.list($0))?.isEmpty != true } ?? false }

    /// The folder of the identity with a slash at its end; nil if there is none that can be used.
    private func preparedFolder() -> String? {
        let known = place.withLock { $0 }
        if known.isPrepared {
            guard let folder = known.folder else { return nil }
            // One that somebody has removed is made anew.
            if files.age(of: folder) != nil { return folder }
        }
        guard let base else {
            report(nil, "there is no home directory to keep settlements in; set a directory, or disable the journal")
            place.withLock { place in
                place.folder = nil
                place.isPrepared = true
            }
            return nil
        }
        let name = known.folder.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        let folder = name ?? base + "/" + JournalNames.folder(known.identity)
        let isPrepared = attempt { () throws(FileError) in
            try files.prepareDirectory(base)
            try files.prepareDirectory(folder)
        }
        // What cannot be used now may be usable later: only the name is kept.
        place.withLock { place in
            place.folder = isPrepared ? folder + "/" : folder
            place.isPrepared = isPrepared
        }
        return isPrepared ? folder + "/" : nil
    }

    private func write(_ record: JournalRecord, in folder: String) -> Bool {
        let name = JournalNames.file(record.reservationID)
        let contents = record.encoded
        guard contents.count <= JournalRecord.maxBytes else {
            report(
                folder + name,
                "reservation \(record.reservationID) is not kept: its record would be larger than "
                    + "\(JournalRecord.maxBytes) bytes; send less metadata"
            )
            return false
        }
        let mark = JournalNames.hexadecimal(
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: SystemRandomness.words().0)) { Array($0) }
        )
        let temporary = "\(folder)\(name).\(files.processID).\(mark).tmp"
        return attempt { () throws(FileError) in
            try files.createFile(temporary, contents)
            do throws(FileError) {
                try files.rename(temporary, to: folder + name)
            } catch {
                try? files.remove(temporary)
                throw error
            }
        }
    }

    /// Writes down why a record is put aside, as far as there is room. Without that it is put aside all the same.
    private func addRejection(_ reason: String, to path: String) {
        guard let contents = try? files.read(path, limit: JournalRecord.maxBytes),
            var record = try? JournalRecord(parsing: contents), let end = path.lastIndex(of: "/")
        else { return }
        record.rejection = reason.count <= 2_000 ? reason : reason.prefix(1_999) + "…"
        guard record.encoded.count <= JournalRecord.maxBytes else { return }
        _ = write(record, in: String(path[...end]))
    }

    /// Returns the folder from now on.
    private func changeKey(_ key: Secret, from old: String?) -> String? {
        let isAnother = place.withLock { place in
            place.identity.apiKey = key
            // With a tenant the key is no part of the identity.
            guard place.identity.tenant?.isBlank ?? true else { return false }
            place.folder = nil
            place.isPrepared = false
            return true
        }
        guard isAnother, let old else { return old }
        let new = preparedFolder()
        if new == old { return old }
        var moved: [String] = []
        if let new {
            for record in load(from: old, reportsSiblings: false) where write(record, in: new) {
                moved.append(JournalNames.file(record.reservationID))
            }
            // The old ones go once the new ones are certain to be there.
            if sync(new) {
                for name in moved { attempt { () throws(FileError) in try files.remove(old + name) } }
            }
        }
        let left = ((try? files.list(old)) ?? []).filter(JournalNames.isRecord).count
        if left > 0 {
            place.withLock { $0.previous.append(old) }
            report(old, "\(left) settlements could not be moved to the folder of the new API key")
        }
        return new
    }

    private func load(from folder: String, reportsSiblings: Bool = true) -> [JournalRecord] {
        var names: [String] = []
        attempt { () throws(FileError) in names = try files.list(folder).sorted() }
        var present = Set(names)
        var records: [JournalRecord] = []
        var legacy: [(name: String, record: JournalRecord)] = []
        for name in names {
            let path = folder + name
            if JournalNames.isTemporary(name) {
                if let age = files.age(of: path), age > .seconds(3_600) {
                    attempt { () throws(FileError) in try files.remove(path) }
                }
            } else if JournalNames.isRecord(name) {
                switch look(at: path, name) {
                case .standard(let record): records.append(record)
                case .legacy(let record): legacy.append((name, record))
                case .quarantined: present.remove(name)
                case .leftAlone: break
                }
            }
        }
        // Those under standard names are known by now: they come first, having been written later.
        let known = Set(records.map(\.reservationID))
        for (name, record) in legacy {
            let standard = JournalNames.file(record.reservationID)
            if known.contains(record.reservationID) {
                attempt { () throws(FileError) in try files.remove(folder + name) }
            } else if present.contains(standard) {
                report(folder + name, "it was left alone, since \(standard) is there and is not this client's")
            } else {
                attempt { () throws(FileError) in try files.rename(folder + name, to: folder + standard) }
                records.append(record)
            }
        }
        if reportsSiblings { reportSiblings(of: folder) }
        return records
    }

    private enum Finding {
        /// A record under its standard name.
        case standard(JournalRecord)
        /// A record under the name that an older client gave it.
        case legacy(JournalRecord)
        /// A file that was no record, and has another name now.
        case quarantined
        /// A record of another server, as in a folder that was copied, or of a newer client; or a file that cannot be read.
        case leftAlone
    }

    private func look(at path: String, _ name: String) -> Finding {
        var contents: [UInt8] = []
        guard attempt({ () throws(FileError) in contents = try files.read(path, limit: JournalRecord.maxBytes) }) else {
            return .leftAlone
        }
        do throws(JournalRecord.Defect) {
            var record = try JournalRecord(parsing: contents)
            record.age = files.age(of: path)
            guard record.baseURL == baseURL else { return .leftAlone }
            if name == JournalNames.file(record.reservationID) { return .standard(record) }
            if JournalNames.legacyFiles(record.reservationID).contains(name) { return .legacy(record) }
            throw .corrupt("its name is not that of reservation \(record.reservationID)")
        } catch {
            if case .newerVersion = error {
                report(path, "\(error)")
                return .leftAlone
            }
            let other = String(path.dropLast(".json".utf8.count)) + ".corrupt"
            guard attempt({ () throws(FileError) in try files.rename(path, to: other) }) else { return .leftAlone }
            reportSetAside(other, nil, "\(error)")
            return .quarantined
        }
    }

    /// Records of other identities may have been left behind by a change of the configuration.
    private func reportSiblings(of folder: String) {
        let parts = folder.split(separator: "/")
        guard let own = parts.last else { return }
        let base = String(folder.dropLast(own.utf8.count + 2))
        for sibling in ((try? files.list(base)) ?? []).sorted() where sibling != own {
            let records = ((try? files.list(base + "/" + sibling)) ?? []).filter(JournalNames.isRecord)
            guard !records.isEmpty else { continue }
            report(
                base + "/" + sibling,
                "\(records.count) settlements of another base URL, tenant or key wait here; they are settled by a client "
                    + "that is configured as theirs was"
            )
        }
    }

    @discardableResult
    private func attempt(_ body: () throws(FileError) -> Void) -> Bool {
        do throws(FileError) {
            try body()
            return true
        } catch {
            report(error.path, "\(error)")
            return false
        }
    }

    private func reportSetAside(_ path: String, _ id: ReservationID?, _ reason: String) {
        observer.observe(.recordSetAside(SetAsideRecord(path: path, reservationID: id, reason: reason)))
    }

    private func report(_ path: String?, _ message: String) {
        observer.observe(.journalProblem(JournalProblem(path: path, message: message)))
    }
}
