/// The logs and the record files of all clients of one journal.
///
/// Methods perform calls. ``end(at:isHurried:)`` ends a round of calls with one sync of the log and one sync of each
/// changed folder.
struct JournalRounds: Sendable {
    typealias Completion = @Sendable (_ isDurable: Bool) -> Void

    /// The thread that a completion runs on.
    enum Delivery {
        /// The journal's thread: the completion only wakes a waiting thread.
        case direct
        /// Another thread: the completion may call transports and the user's code.
        case apart
    }

    /// The result of a round.
    struct Outcome: Sendable {
        var direct: [@Sendable () -> Void] = []
        /// The completions and events that call a client's code.
        var apart: [(client: JournalClient, work: [@Sendable () -> Void])] = []
        /// Whether records are still to be moved from the log to their files.
        var hasMore = false
        /// The time by which drops must be written or synced.
        var deadline: ContinuousClock.Instant?
        /// Whether the log has records that will be settled soon.
        var expectsDrops = false
        /// Whether the log has several settlements, so that further records are likely to arrive together.
        var hasSeveral = false
        /// Whether a successor of the log must be prepared.
        var needsSuccessor = false
        /// The logs of this process, if those of other processes must be taken over. ``JournalRounds/tookOver(_:)``
        /// receives the result.
        var needsTakeOver: Set<String>?
        /// The identities whose folders' names must be derived. ``JournalRounds/derivedNames()`` must follow.
        var unnamed: [JournalIdentity] = []

        mutating func add(_ client: JournalClient, _ work: @escaping @Sendable () -> Void) {
            if apart.last?.client !== client { apart.append((client, [])) }
            apart[apart.count - 1].work.append(work)
        }
    }

    private struct Waiter {
        /// The place of the record that must be durable.
        enum Place { case none, log(CommitLog.Key), file, nowhere }

        let client: JournalClient
        let place: Place
        let delivery: Delivery
        let completion: Completion
    }

    /// The maximum number of records moved to their files before other records may be put.
    private static let movesPerRound = 8

    private let files: any FileSystem
    private let base: String?
    /// The logs; nil without a home directory.
    private var logs: LogKeeper?
    private var clients: [Int: JournalClient] = [:]
    private var siblings = SiblingReports()
    /// Records that are to be moved from the log to their files.
    private var leaving: [CommitLog.Key] = []
    private var claims = RecordClaims()
    private var takeOver = TakeOverLine()

    // The properties below are valid for one round.
    private var waiters: [Waiter] = []
    private var touched: [Int: JournalClient] = [:]
    /// Records that leave the log once their files are on disk.
    private var moved: [(client: JournalClient, key: CommitLog.Key)] = []
    private var unsyncedClients: Set<Int> = []
    private var lost: Set<CommitLog.Key> = []
    private var needsSync = false
    private var hasPuts = false
    private var events: [(client: JournalClient, event: CyclesEvent)] = []

    /// - Parameter base: The directory of all identities; nil without a home directory, in which case there are no
    ///   logs.
    init(_ files: any FileSystem, base: String?) {
        self.files = files
        self.base = base
        logs = base.map { LogKeeper(files, base: $0) }
    }

    // MARK: Calls

    mutating func enter(_ client: JournalClient) { clients[client.number] = client }

    /// Stores a record in place of the reservation's earlier record: in its file if it has one, otherwise in the log.
    /// - Parameter sendTime: The time of the attempt that follows, in milliseconds since 1970; nil if none follows.
    mutating func put(
        _ record: SettlementRecord,
        sentAt sendTime: Int64?,
        of client: JournalClient,
        _ delivery: Delivery,
        _ completion: @escaping Completion
    ) {
        let key = client.key(record.reservationID)
        let contents = record.encoded
        if sendTime == nil { client.endAttempt(key.id) }
        if logs?.isUsable ?? false, !client.usesFile(key.id), CommitLog.mayHold(key.id, contents) {
            let entry = CommitLog.Record(
                fingerprint: client.store.withLock { $0.fingerprint },
                contents: contents,
                attemptedAtMilliseconds: record.attemptedAtMilliseconds
            )
            logs?.put(key, entry)
            (needsSync, hasPuts) = (true, true)
            waiters.append(Waiter(client: client, place: .log(key), delivery: delivery, completion: completion))
        } else {
            let isLocked = sendTime != nil && !client.isClosed
            let time = sendTime ?? record.attemptedAtMilliseconds
            let isWritten = writeFile(contents, key, client, attemptedAt: time, isLocked: isLocked)
            // The log has an earlier form if the sync of the file has failed before.
            if isWritten, logs?.record(key) != nil { moved.append((client, key)) }
            let place = isWritten ? Waiter.Place.file : .nowhere
            waiters.append(Waiter(client: client, place: place, delivery: delivery, completion: completion))
        }
    }

    /// Removes a record from the log. No caller waits for the removal.
    mutating func drop(_ id: ReservationID, of client: JournalClient) { logs?.drop(client.key(id)) }

    /// Removes a settlement from the log and its file.
    /// - Parameter mayReturn: Whether it is harmless if a crash of the machine restores the file.
    mutating func remove(
        _ id: ReservationID,
        of client: JournalClient,
        mayReturn: Bool,
        _ completion: @escaping @Sendable () -> Void
    ) {
        drop(id, of: client)
        needsSync = true
        if client.mayHaveFile(id) {
            touch(client) { $0.remove(id, mayReturn: mayReturn) }
        }
        client.forget(id)
        wait(client, completion)
    }

    /// Sets the record of an abandoned settlement aside, with the reason, for an operator.
    mutating func setAside(
        _ id: ReservationID,
        of client: JournalClient,
        reason: String,
        isRefused: Bool,
        _ completion: @escaping @Sendable () -> Void
    ) {
        moveToFile(client.key(id), client)
        needsSync = true
        if client.mayHaveFile(id) {
            let report = isRefused ? "the server refuses it for good: \(reason)" : reason
            touch(client) { $0.setAside(id, rejection: reason, report: report) }
        }
        client.forget(id)
        wait(client, completion)
    }

    /// Schedules the move of a record from the log to its file.
    mutating func leave(_ id: ReservationID, of client: JournalClient) { leaving.append(client.key(id)) }

    /// Claims a record file for one attempt, once the number of claimed files is below its limit.
    mutating func claim(_ call: RecordClaims.Call) { claims.append(call) }

    /// Releases the claim on a record file.
    mutating func release(_ id: ReservationID, of client: JournalClient) {
        client.store.withLock { $0.locks.release(id) }
        if client.mayHaveFile(id) { client.addFile(id) }
    }

    /// Takes over the logs of processes that have ended, then reads the client's record files.
    /// - Parameter completion: Receives the records, and whether other identities have folders.
    mutating func load(
        _ client: JournalClient,
        _ completion: @escaping @Sendable (_ records: [SettlementRecord], _ hasSiblings: Bool) -> Void
    ) {
        takeOver.append(client, completion)
    }

    /// Handles the end of a take-over that an ``Outcome`` requested.
    mutating func tookOver(_ result: LogTakeOver?) {
        for (index, (client, completion)) in takeOver.end().enumerated() {
            if index == 0 { events += result?.events.map { (client, $0) } ?? [] }
            let records = load(client, except: result?.held ?? [])
            let hasSiblings = touch(client) { $0.hasSiblings }
            wait(client) { completion(records, hasSiblings) }
        }
    }

    private mutating func load(_ client: JournalClient, except held: Set<LogTakeOver.Held>) -> [SettlementRecord] {
        let known = client.filed
        var records = touch(client) { $0.load(except: known) }
        if !held.isEmpty {
            let fingerprint = client.store.withLock { $0.fingerprint }
            records.removeAll { held.contains(LogTakeOver.Held(fingerprint: fingerprint, id: $0.reservationID)) }
        }
        for record in records { client.addFile(record.reservationID) }
        return records
    }

    /// Uses another API key from now on: see ``RecordStore/changeKey(_:)``.
    mutating func changeKey(_ key: Secret, of client: JournalClient, _ completion: @escaping @Sendable () -> Void) {
        if client.store.withLock({ $0.isIdentifiedByKey }) { moveAllToFiles(of: client) }
        siblings.leave(client)
        touch(client) { $0.changeKey(key) }
        needsSync = true
        wait(client, completion)
    }

    /// Moves the client's records to their files, for other processes to settle.
    mutating func close(_ client: JournalClient, _ completion: @escaping @Sendable () -> Void) {
        client.close()
        moveAllToFiles(of: client)
        client.store.withLock { $0.locks.releaseAll() }
        let isLast = !clients.values.contains { $0.number != client.number && $0.audience === client.audience }
        if isLast { siblings.begin(client) }
        siblings.leave(client)
        clients[client.number] = nil
        needsSync = true
        if !isLast || !siblings.wait(client.audience, completion) { wait(client, completion) }
    }

    /// Reports records of identities that no client of this process has used, once to each audience.
    mutating func reportSiblings(to client: JournalClient) { siblings.begin(client) }

    /// Handles the end of a derivation that an ``Outcome`` requested.
    mutating func derivedNames() { siblings.derivedNames() }

    /// Accepts a log that was prepared to follow the present one.
    mutating func prepared(_ successor: OpenLog?) { logs?.prepared(successor) }

    private mutating func wait(_ client: JournalClient, _ completion: @escaping @Sendable () -> Void) {
        waiters.append(Waiter(client: client, place: .none, delivery: .apart) { _ in completion() })
    }

    // MARK: Files

    @discardableResult
    private mutating func touch<Result>(
        _ client: JournalClient,
        _ body: (inout RecordStore) -> sending Result
    ) -> Result {
        touched[client.number] = client
        return client.store.withLock { body(&$0) }
    }

    private mutating func writeFile(
        _ contents: [UInt8],
        _ key: CommitLog.Key,
        _ client: JournalClient,
        attemptedAt time: Int64,
        isLocked: Bool
    ) -> Bool {
        let isWritten = touch(client) { $0.write(contents, of: key.id, attemptedAt: time, isLocked: isLocked) }
        // A file may exist although its sync failed.
        client.addFile(key.id, isLocked: isWritten && isLocked)
        return isWritten
    }

    /// Writes the file of a record of the log, unless it exists.
    private mutating func writeFile(
        _ record: CommitLog.Record,
        _ key: CommitLog.Key,
        _ client: JournalClient
    ) -> Bool {
        // If the sync of a file fails, the log keeps its record, while the file may get a newer one.
        if client.mayHaveFile(key.id), touch(client, { $0.syncsFile(of: key.id) }) { return true }
        let time = client.attemptTime(of: key.id) ?? 0
        return writeFile(
            record.contents,
            key,
            client,
            attemptedAt: max(time, record.attemptedAtMilliseconds),
            isLocked: client.needsLock(key.id)
        )
    }

    private mutating func moveToFile(_ key: CommitLog.Key, _ client: JournalClient) {
        guard let record = logs?.record(key), writeFile(record, key, client) else { return }
        moved.append((client, key))
    }

    private mutating func moveAllToFiles(of client: JournalClient) {
        for key in logs?.keys(of: client.number) ?? [] { moveToFile(key, client) }
    }

    /// Moves some of the records that leave the log. The rest waits for later rounds, so that no put has to wait.
    private mutating func moveSome() {
        let next = leaving.prefix(JournalRounds.movesPerRound)
        leaving.removeFirst(next.count)
        for key in next { if let client = clients[key.client] { moveToFile(key, client) } }
    }

    /// Syncs the changed folders. A moved record is dropped from the log once its file is on disk.
    private mutating func syncFolders() {
        for (number, client) in touched.sorted(by: { $0.key < $1.key }) {
            let end = client.store.withLock { $0.endBatch() }
            if !end.isSynced { unsyncedClients.insert(number) }
            events += end.events.map { (client, $0) }
        }
        touched = [:]
        for (client, key) in moved where !unsyncedClients.contains(client.number) { drop(key.id, of: client) }
        moved = []
    }

    /// Stores records that fit into no log.
    private mutating func store(_ records: LogKeeper.Records) {
        for (key, record) in records {
            guard let client = clients[key.client], writeFile(record, key, client) else {
                lost.insert(key)
                continue
            }
        }
        syncFolders()
        lost.formUnion(records.keys.filter { unsyncedClients.contains($0.client) })
        logs?.filed(except: lost)
    }

    // MARK: The end of a round

    /// Ends the round: each record is on disk, or its completion receives false.
    /// - Parameter isHurried: Whether drops are written at once, because no thread exists to write them later.
    mutating func end(at now: ContinuousClock.Instant, isHurried: Bool) -> Outcome {
        moveSome()
        for call in claims.takeNext(clients.values) {
            let (claim, isLocked) = touch(call.client) { store in
                let claim = store.claim(call.id, ignoresBackOff: call.ignoresBackOff, at: call.wall)
                return (claim, store.locks.isHeld(call.id))
            }
            switch claim {
            case .granted, .notDue, .busy: call.client.addFile(call.id, isLocked: isLocked)
            case .gone, .rejected: call.client.forget(call.id)
            }
            wait(call.client) { call.completion(claim) }
        }
        for report in siblings.takeReady(clients.values) {
            touch(report.client) { $0.reportSiblings(report.folders) }
            for completion in report.completions { wait(report.client, completion) }
        }
        syncFolders()
        if clients.isEmpty { logs?.end() }
        let spilled = logs?.commit(needsSync: needsSync, hasPuts: hasPuts, at: now, isHurried: isHurried) ?? [:]
        store(spilled)
        // All clients share the logs, and so the logs' problems.
        let problems = logs?.takeProblems() ?? []
        if !problems.isEmpty { report(problems) }
        defer { (waiters, events, unsyncedClients, lost, needsSync, hasPuts) = ([], [], [], [], false, false) }
        return outcome()
    }

    /// Reports problems of the logs, once to each audience.
    private mutating func report(_ problems: [JournalProblem]) {
        var told: Set<ObjectIdentifier> = []
        for client in clients.values where told.insert(ObjectIdentifier(client.audience)).inserted {
            events += problems.map { (client, .journalProblem($0)) }
        }
    }

    private mutating func outcome() -> Outcome {
        var outcome = Outcome()
        for (client, event) in events { outcome.add(client) { client.observer.observe(event) } }
        for waiter in waiters {
            let isDurable =
                switch waiter.place {
                case .none: true
                case .log(let key): !lost.contains(key)
                case .file: !unsyncedClients.contains(waiter.client.number)
                case .nowhere: false
                }
            let completion = waiter.completion
            switch waiter.delivery {
            case .direct: outcome.direct.append { completion(isDurable) }
            case .apart: outcome.add(waiter.client) { completion(isDurable) }
            }
        }
        outcome.hasMore = !leaving.isEmpty
        if takeOver.begin() { outcome.needsTakeOver = logs?.names ?? [] }
        outcome.unnamed = siblings.takeUnnamed()
        outcome.deadline = logs?.deadline
        outcome.expectsDrops = hasPuts
        outcome.hasSeveral = logs?.hasSeveral ?? false
        outcome.needsSuccessor = logs?.needsSuccessor() ?? false
        return outcome
    }
}
