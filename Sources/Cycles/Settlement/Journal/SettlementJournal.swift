/// The journal's files as an operator sees them: what waits to be settled, what was put aside, and whose it is.
///
/// It reads and removes files and talks to no server: ``CyclesClient/flush(timeout:includesReplays:)`` settles what waits. A client may use
/// the same journal meanwhile. Everything blocks.
public struct SettlementJournal: Sendable {
    /// The kind of a file, by its name.
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// A settlement that is not certain yet (`.json`), one that only a newer client can read included.
        case pending
        /// A settlement that the server refused for good (`.json.rejected`).
        case rejected
        /// A file that is no record (`.corrupt`).
        case corrupt
    }

    /// One file.
    public struct Entry: Hashable, Sendable {
        /// The path of the file. For a logged record: the path that its file will have.
        public let path: String
        /// The kind of the file.
        public let state: State
        /// The reservation that it settles; nil if the file cannot be read.
        public let reservationID: ReservationID?
        /// The server that it is for; nil if the file cannot be read.
        public let baseURL: String?
        /// Whether it is sent as an event, since the reservation has expired.
        public let isEvent: Bool
        /// The amount that was spent; nil if the file does not contain it.
        public let actual: Amount?
        /// On whose budget; nil if the file does not say so.
        public let subject: Subject?
        /// For what; nil if the file does not say so.
        public let action: Action?
        /// The key under which it is charged once.
        public let idempotencyKey: IdempotencyKey?
        /// When the spend became known, in milliseconds since 1970.
        public let recordedAtMilliseconds: Int64?
        /// Before this the server does not want to be asked, in milliseconds since 1970.
        public let notBeforeMilliseconds: Int64?
        /// Whether the record is still in the log of a process that has ended. It is at ``path`` once a client has taken
        /// the log over.
        public var isLogged: Bool { logged != nil }
        /// The record in the log.
        fileprivate var logged: [UInt8]?
        /// Why the server refused it for good; nil if it did not, or the client that put it aside did not say why.
        public let rejection: String?
        /// Why the file cannot be read as a record; nil if it can.
        public let problem: String?
    }

    /// The files of one base URL and tenant, or without a tenant of one API key.
    public struct Identity: Hashable, Sendable {
        /// The name of its folder. The key cannot be read or guessed from it.
        public let name: String
        /// Whether it is that of the configuration. Others are settled by clients that are configured as theirs was.
        public let isOwn: Bool
        /// Its files, by their names.
        public let entries: [Entry]
        /// Why the folder cannot be read; nil if it can.
        public let problem: String?
    }

    /// Where the folders of all identities are; nil if the journal is disabled, the configured directory is refused, or
    /// there is no home directory.
    public let directory: String?
    /// Why the configured directory cannot be used.
    private let refusal: String?
    private let identity: JournalIdentity?
    private let files: any FileSystem

    /// The journal that a client with this configuration uses.
    public init(_ configuration: CyclesConfiguration) {
        self.init(configuration.journal, JournalIdentity(configuration), SystemFileSystem())
    }

    /// A journal without the knowledge whose it is: no identity of it is the own one.
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

    /// The name of the configuration's folder, whether it is there or not; nil without a configuration.
    ///
    /// Takes about 40 ms the first time: the name is derived slowly on purpose.
    public var ownName: String? { identity.map { JournalNames.folder($0) } }

    /// Why a client could not keep settlements there; nil if it could. Nothing is made: directories that are missing are
    /// made when there is something to keep.
    public var problem: JournalProblem? {
        if let refusal { return JournalProblem(path: nil, message: "the directory \(refusal)") }
        guard let directory else {
            return JournalProblem(path: nil, message: "the journal is disabled, or there is no home directory for it")
        }
        var existing = ownName.map { directory + "/" + $0 } ?? directory
        for path in [directory, existing] where files.age(of: path) != nil {
            do throws(JournalProblem) {
                try at(path) { () throws(FileError) in try files.prepareDirectory(path) }
            } catch {
                return error
            }
        }
        // A missing directory is made in the nearest one above that exists.
        while files.age(of: existing) == nil, let slash = existing.lastIndex(of: "/") {
            existing = slash == existing.startIndex ? "/" : String(existing[..<slash])
        }
        if files.mayWrite(to: existing) { return nil }
        return JournalProblem(path: existing, message: "nothing may be written to \(existing)")
    }

    /// Everybody's files, by the names of the folders. Folders without any are left out.
    /// - Throws: ``JournalProblem`` if the directory cannot be read. One that is not there has no files.
    ///
    /// Settlements of a running process are in its log, and not among the entries: see ``logsInUse()``.
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

    /// The logs of processes that are running, by their paths. Nobody else reads, settles or discards what they hold.
    /// - Throws: ``JournalProblem`` if the folder of logs cannot be read.
    public func logsInUse() throws(JournalProblem) -> [String] { try logs()?.logsInUse ?? [] }

    private func logs() throws(JournalProblem) -> LogListing? {
        guard let directory else { return nil }
        return try at(directory) { () throws(FileError) in try LogListing(files, base: directory) }
    }

    /// The contents of a file.
    /// - Throws: ``JournalProblem`` if it cannot be read.
    public func contents(of entry: Entry) throws(JournalProblem) -> [UInt8] {
        if let logged = entry.logged { return logged }
        return try at(entry.path) { () throws(FileError) in
            try files.read(entry.path, limit: SettlementRecord.maxBytes)
        }
    }

    /// Removes a file for good. A pending one's spend will not reach the ledger, unless a client has it in hand already.
    /// - Throws: ``JournalProblem`` if it cannot be removed, or if a client of this library is sending it.
    public func discard(_ entry: Entry) throws(JournalProblem) {
        if entry.isLogged, let directory {
            // Its log goes first: with the log, the record would come back.
            var takeOver = LogTakeOver(files, base: directory)
            takeOver.run(except: [])
            for case .journalProblem(let problem) in takeOver.events { throw problem }
        }
        try at(entry.path) { () throws(FileError) in
            let lock = entry.state == .pending ? try lock(entry.path) : nil
            defer { lock?.close() }
            try files.remove(entry.path)
        }
    }

    /// Locks a record, so that no client sends it meanwhile; nil if it is gone or cannot be locked.
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
        try at(path) { () throws(FileError) in try files.list(path) }
    }

    private func at<Result>(
        _ path: String,
        _ body: () throws(FileError) -> Result
    ) throws(JournalProblem) -> Result {
        do throws(FileError) {
            return try body()
        } catch {
            throw JournalProblem(path: path, message: error.description)
        }
    }

    /// Nil for a file that neither is nor was a record.
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
        // A commit names neither subject nor action: the event that may have to stand in for it does.
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
