/// A view of the journal's files for operators: pending settlements, files set aside, and the identities they belong
/// to.
///
/// The view reads and removes files, and talks to no server. ``CyclesClient/flush(timeout:includesReplays:)`` settles
/// the pending records. A client may use the same journal at the same time. All methods block.
public struct SettlementJournal: Sendable {
    /// The kind of a file, derived from its name.
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// A settlement whose result is not known (`.json`), including a settlement that only a newer client can read.
        case pending
        /// A settlement that the server refused permanently (`.json.rejected`).
        case rejected
        /// A file that is not a valid record (`.corrupt`).
        case corrupt
    }

    /// A file of the journal, or a record in the log of a process that has ended.
    public struct Entry: Hashable, Sendable {
        /// The path of the file. For a record in a log: the path that its file will have.
        public let path: String
        /// The kind of the file.
        public let state: State
        /// The reservation that the record settles; nil if the file cannot be read.
        public let reservationID: ReservationID?
        /// The base URL of the record's server; nil if the file cannot be read.
        public let baseURL: String?
        /// Whether the spend is charged with an event, because the reservation has expired.
        public let isEvent: Bool
        /// The amount spent; nil if the file does not contain it.
        public let actual: Amount?
        /// The subject charged; nil if the file does not contain it.
        public let subject: Subject?
        /// The action charged; nil if the file does not contain it.
        public let action: Action?
        /// The idempotency key of the request that charges the spend; nil if the file cannot be read.
        public let idempotencyKey: IdempotencyKey?
        /// The time at which the spend was recorded, in milliseconds since 1970.
        public let recordedAtMilliseconds: Int64?
        /// The time before which the server does not accept another attempt, in milliseconds since 1970.
        public let notBeforeMilliseconds: Int64?
        /// Whether the record is still in the log of a process that has ended. The record moves to ``path`` when a
        /// client takes the log over.
        public var isLogged: Bool { logged != nil }
        /// The record's bytes in the log.
        fileprivate var logged: [UInt8]?
        /// The reason why the server refused the settlement permanently; nil if the server did not refuse it, or
        /// if no reason was recorded.
        public let rejection: String?
        /// The reason why the file cannot be read as a record; nil if it can.
        public let problem: String?
    }

    /// The files of one base URL and tenant or, without a tenant, of one base URL and API key.
    public struct Identity: Hashable, Sendable {
        /// The name of the identity's folder. The API key cannot be derived from the name.
        public let name: String
        /// Whether the identity is that of the configuration. Only clients configured for an identity settle
        /// its records.
        public let isOwn: Bool
        /// The files of the identity, sorted by name.
        public let entries: [Entry]
        /// The reason why the folder cannot be read; nil if it can.
        public let problem: String?
    }

    /// The directory with the folders of all identities; nil if the journal is disabled, the configured directory is
    /// not allowed, or there is no home directory.
    public let directory: String?
    /// The reason why the configured directory cannot be used.
    private let refusal: String?
    private let identity: JournalIdentity?
    private let files: any FileSystem

    /// Creates the view of the journal that a client with this configuration uses.
    public init(_ configuration: CyclesConfiguration) {
        self.init(configuration.journal, JournalIdentity(configuration), SystemFileSystem())
    }

    /// Creates the view of a journal without an identity: no identity is marked as own.
    public init(_ place: JournalConfiguration) { self.init(place, nil, SystemFileSystem()) }

    package init(_ place: JournalConfiguration, _ identity: JournalIdentity?, _ files: any FileSystem) {
        self.identity = identity
        self.files = files
        refusal = place.directoryProblem
        switch place {
        case .automatic: directory = JournalNames.base(inHome: files.homeDirectory)
        case .directory(let path): directory = place.directoryProblem == nil ? path : nil
        case .disabled: directory = nil
        }
    }

    /// The name of the configuration's folder, even if the folder does not exist; nil without a configuration.
    ///
    /// The first access takes about 40 ms: the derivation of the name is slow by design.
    public var ownName: String? { identity.map { JournalNames.folder($0) } }

    /// The reason why a client cannot store settlements in the journal; nil if it can. Checking makes no
    /// directory. A client makes missing directories before its first write.
    public var problem: JournalProblem? {
        if let refusal { return JournalProblem(path: nil, message: "the directory \(refusal)") }
        guard let directory else {
            return JournalProblem(path: nil, message: "the journal is disabled, or there is no home directory for it")
        }
        var existing = ownName.map { directory + "/" + $0 } ?? directory
        for path in [directory, existing] where files.age(of: path) != nil {
            do throws(JournalProblem) {
                try reporting { () throws(FileError) in try files.prepareDirectory(path) }
            } catch {
                return error
            }
        }
        // A missing directory is made in its nearest existing ancestor.
        while files.age(of: existing) == nil, let slash = existing.lastIndex(of: "/") {
            existing = slash == existing.startIndex ? "/" : String(existing[..<slash])
        }
        if files.mayWrite(to: existing) { return nil }
        return JournalProblem(path: existing, message: "it is not writable")
    }

    /// The files of all identities, sorted by folder name. Folders without files are omitted.
    ///
    /// Settlements of a running process are in its log and are not among the entries: see ``logsInUse()``.
    /// - Throws: ``JournalProblem`` if the directory cannot be read. A missing directory has no files.
    public func identities() throws(JournalProblem) -> [Identity] {
        guard let directory else { return [] }
        let own = ownName
        let logged = try logs()?.entries ?? [:]
        var result: [Identity] = []
        for name in Set(try list(directory)).union(logged.keys).sorted() where JournalNames.isFolder(name) {
            let folder = directory + "/" + name
            do throws(JournalProblem) {
                var entries = try list(folder).compactMap { entry(folder + "/" + $0) }
                let present = Set(entries.map(\.path))
                for record in logged[name] ?? [] {
                    let path = "\(folder)/\(JournalNames.file(record.reservationID))"
                    guard !present.contains(path), !present.contains(path + ".rejected") else { continue }
                    entries.append(Entry(path, logged: record.record))
                }
                entries.sort { $0.path < $1.path }
                if !entries.isEmpty {
                    result.append(Identity(name: name, isOwn: name == own, entries: entries, problem: nil))
                }
            } catch {
                result.append(Identity(name: name, isOwn: name == own, entries: [], problem: error.message))
            }
        }
        return result
    }

    /// The paths of the logs of running processes. Only the process itself reads, settles or discards the records in
    /// its log.
    /// - Throws: ``JournalProblem`` if the folder of logs cannot be read.
    public func logsInUse() throws(JournalProblem) -> [String] { try logs()?.logsInUse ?? [] }

    private func logs() throws(JournalProblem) -> LogListing? {
        guard let directory else { return nil }
        return try reporting { () throws(FileError) in try LogListing(files, base: directory) }
    }

    /// Reads a file, or a record in a log.
    /// - Throws: ``JournalProblem`` if the file cannot be read.
    public func contents(of entry: Entry) throws(JournalProblem) -> [UInt8] {
        if let logged = entry.logged { return logged }
        return try reporting { () throws(FileError) in
            try files.read(entry.path, limit: SettlementRecord.maxBytes)
        }
    }

    /// Removes a file permanently. The spend of a pending record does not reach the ledger, unless a client is sending
    /// it already.
    /// - Throws: ``JournalProblem`` if the file cannot be removed, or if a client of this library is sending its
    ///   record.
    public func discard(_ entry: Entry) throws(JournalProblem) {
        if entry.isLogged, let directory {
            // The log is removed first. Otherwise the record would return with the log.
            var takeOver = LogTakeOver(files, base: directory)
            takeOver.run(except: [])
            for case .journalProblem(let problem) in takeOver.events { throw problem }
        }
        try reporting { () throws(FileError) in
            let lock = entry.state == .pending ? try lock(entry.path) : nil
            defer { lock?.close() }
            try files.remove(entry.path)
        }
    }

    /// Locks a record, so that no client sends it meanwhile; nil if the file is gone or cannot be locked.
    private func lock(_ path: String) throws(FileError) -> (any OpenFile)? {
        let (folder, name) = JournalNames.parts(of: path)
        guard files.age(of: path) != nil else { return nil }
        let directory = try files.openDirectory(folder)
        guard directory.hasLocks, let file = try directory.open(name) else { return nil }
        guard try file.lock(isShared: false) else {
            throw FileError(
                action: "remove",
                path: path,
                reason: "a client is sending it at this moment; see cycles journal list whether it is settled"
            )
        }
        return file
    }

    private func list(_ path: String) throws(JournalProblem) -> [String] {
        try reporting { () throws(FileError) in try files.list(path) }
    }

    private func reporting<Result>(_ body: () throws(FileError) -> Result) throws(JournalProblem) -> Result {
        do throws(FileError) {
            return try body()
        } catch {
            throw JournalProblem(path: error.path, message: error.problem)
        }
    }

    /// Nil for a file that neither is nor was a record, and for a file that no longer exists.
    private func entry(_ path: String) -> Entry? {
        guard let state = JournalNames.state(path) else { return nil }
        do throws(FileError) {
            let contents = try files.read(path, limit: SettlementRecord.maxBytes)
            do throws(SettlementRecord.Defect) {
                return Entry(path, state, try SettlementRecord(parsing: contents))
            } catch {
                return Entry(path, state, nil, problem: "\(error)")
            }
        } catch {
            // A client may have settled the record since the folder was listed.
            guard files.age(of: path) != nil else { return nil }
            return Entry(path, state, nil, problem: error.description)
        }
    }
}

extension SettlementJournal.Entry {
    fileprivate init(_ path: String, logged record: [UInt8]) {
        self.init(path, .pending, try? SettlementRecord(parsing: record))
        logged = record
    }

    fileprivate init(
        _ path: String,
        _ state: SettlementJournal.State,
        _ record: SettlementRecord?,
        problem: String? = nil
    ) {
        let actual = record.flatMap { try? JSONValue(parsing: $0.body.json) }?["actual"]
        // A commit contains neither subject nor action. The event that can replace it contains both.
        let event = record?.eventBody.flatMap { try? JSONValue(parsing: $0) }
        self.path = path
        self.state = state
        self.problem = problem
        reservationID = record?.reservationID
        baseURL = record?.baseURL
        isEvent = record?.mode == .event
        if let number = actual?["amount"]?.int64, let unit = actual?["unit"]?.string {
            self.actual = Amount(number, BudgetUnit(rawValue: unit))
        } else {
            self.actual = nil
        }
        subject = Subject(decoding: event?["subject"])
        action = Action(decoding: event?["action"])
        idempotencyKey = record?.body.idempotencyKey
        recordedAtMilliseconds = record?.recordedAtMilliseconds
        notBeforeMilliseconds = record?.notBeforeMilliseconds
        rejection = state == .rejected ? record?.rejection : nil
    }
}
