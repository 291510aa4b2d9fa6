/// The journal of one identity: stores, reads and removes the records of its settlements, in the order of the calls.
package final class JournalWriter: Sendable {
    /// The client's membership in the journal of its process.
    private struct Membership: Sendable {
        let process: Int32
        let journal: Journal
        let client: JournalClient
    }

    private let files: any FileSystem
    /// The directory of all identities; nil without a home directory.
    private let base: String?
    private let calls = NamedCalls()
    private let join: @Sendable () -> Membership
    private let current: Lock<Membership>

    /// - Parameters:
    ///   - directory: The directory of all identities; nil for the default directory in the user's home.
    ///   - transport: Provides the thread for completions, most of which start a request.
    package init(
        _ files: any FileSystem,
        directory: String?,
        identity: JournalIdentity,
        observer: any CyclesObserver,
        audience: JournalAudience = JournalAudience(),
        threads: ThreadSource = .system,
        transport: (any CallbackTransport)? = nil
    ) {
        let base = directory ?? JournalNames.base(inHome: files.homeDirectory)
        let join = { @Sendable in
            let journal =
                base.map { base in
                    files.registry.object(for: base, in: files) { Journal(files, base: base, threads: threads) }
                } ?? Journal(files, base: nil, threads: threads)
            let store = RecordStore(files: files, base: base, identity: identity)
            let client = journal.enter(store, observer, audience) { transport?.run($0) ?? false }
            return Membership(process: files.processID, journal: journal, client: client)
        }
        self.files = files
        self.base = base
        self.join = join
        let first = join()
        current = Lock(first)
        // Deriving the folder's name takes long. An early start has the name ready for the first commit.
        if base == nil { calls.performAll() } else { first.journal.deriveName(of: identity, for: calls) }
    }

    deinit { close {} }

    /// The membership in this process. A forked process joins again, because the threads of its parent do not exist in
    /// it.
    private var member: Membership {
        let process = files.processID
        let (member, isNew) = current.withLock { current in
            let isNew = current.process != process
            if isNew { current = join() }
            return (current, isNew)
        }
        if isNew { calls.performAll() }
        return member
    }

    private func perform(
        isUrgent: Bool = true,
        _ call: @escaping @Sendable (inout JournalRounds, JournalClient) -> Void
    ) {
        let member = member
        calls.perform { member.journal.perform(isUrgent: isUrgent) { call(&$0, member.client) } }
    }

    /// Stores a record in place of the reservation's earlier record.
    /// - Parameters:
    ///   - sendTime: The time of the attempt that follows, in milliseconds since 1970. If the record is stored in a
    ///     file, the file is locked for the attempt. Nil if no attempt follows; the lock is then released.
    ///   - completion: Receives whether the record is on disk.
    package func write(
        _ record: SettlementRecord,
        sentAt sendTime: Int64? = nil,
        _ completion: @escaping @Sendable (Bool) -> Void
    ) {
        perform { $0.put(record, sentAt: sendTime, of: $1, .apart, completion) }
    }

    /// The blocking form of ``write(_:sentAt:_:)``.
    package func writeBlocking(_ record: SettlementRecord, sentAt sendTime: Int64? = nil) -> Bool {
        let member = member
        calls.wait()
        return member.journal.performBlocking { $0.put(record, sentAt: sendTime, of: member.client, .direct, $1) }
    }

    /// Begins an attempt, unless it must ``claim(_:ignoresBackOff:at:_:)`` the file of its record first. A record that
    /// moves from the log to its file during the attempt is locked for it.
    /// - Returns: Whether the attempt has begun.
    package func beginAttempt(_ id: ReservationID) -> Bool { member.client.beginAttempt(id) }

    /// Locks the file of a record against other processes for one attempt: see ``RecordClaim``.
    /// - Parameters:
    ///   - ignoresBackOff: Whether to claim the file even if another process has made an attempt recently.
    ///   - wall: The present time, in milliseconds since 1970.
    package func claim(
        _ id: ReservationID,
        ignoresBackOff: Bool,
        at wall: Int64,
        _ completion: @escaping @Sendable (RecordClaim) -> Void
    ) {
        perform { $0.claim(RecordClaims.Call(id, $1, ignoresBackOff: ignoresBackOff, wall: wall, completion)) }
    }

    /// Ends a failed attempt, and releases the claim on its file.
    /// - Parameter time: The time at which the attempt began, in milliseconds since 1970.
    package func endAttempt(_ id: ReservationID, at time: Int64) {
        guard member.client.endAttempt(id, at: time) else { return }
        perform { $0.release(id, of: $1) }
    }

    /// Moves the record of a long-running settlement to a file, which other processes find if this process ends.
    package func leaveLog(_ id: ReservationID) {
        perform { $0.leave(id, of: $1) }
    }

    /// Removes the record of a settled reservation.
    /// - Parameter mayReturn: Whether it is harmless if a crash restores the record. If so, and if there is no file to
    ///   remove, `completion` is called at once.
    package func remove(_ id: ReservationID, mayReturn: Bool, _ completion: @escaping @Sendable () -> Void) {
        let member = member
        if mayReturn, member.client.forgetUnlessFiled(id) {
            member.journal.perform(isUrgent: false) { $0.drop(id, of: member.client) }
            completion()
        } else {
            perform { $0.remove(id, of: $1, mayReturn: mayReturn, completion) }
        }
    }

    /// Sets the record of an abandoned settlement aside, with the reason, for an operator.
    /// - Parameter isRefused: Whether the server refused the settlement.
    package func setAside(
        _ id: ReservationID,
        reason: String,
        isRefused: Bool = true,
        _ completion: @escaping @Sendable () -> Void
    ) {
        perform { $0.setAside(id, of: $1, reason: reason, isRefused: isRefused, completion) }
    }

    /// Takes over the records of processes that have ended, reads the records that this client does not know, and
    /// removes old temporary files. The logs are taken over on a separate thread, so that no write waits for the
    /// take-over.
    /// - Parameter completion: Receives the records, and whether other identities have folders.
    package func load(_ completion: @escaping @Sendable (_ records: [SettlementRecord], _ hasSiblings: Bool) -> Void) {
        // An empty directory is read without the folder's name.
        guard let base, (try? files.list(base))?.isEmpty == true else {
            perform { $0.load($1, completion) }
            return
        }
        let member = member
        member.journal.perform { $0.load(member.client, completion) }
    }

    /// Reports records of identities that no client of this process has used.
    package func reportSiblings() { perform { $0.reportSiblings(to: $1) } }

    /// Uses another API key from now on: see ``RecordStore/changeKey(_:)``.
    package func changeKey(_ key: Secret, _ completion: @escaping @Sendable () -> Void) {
        perform { $0.changeKey(key, of: $1, completion) }
    }

    /// Leaves unsettled records to other processes. Calls back once all earlier calls have been performed.
    package func close(_ completion: @escaping @Sendable () -> Void) {
        perform { $0.close($1, completion) }
    }
}
