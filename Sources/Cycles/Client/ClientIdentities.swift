/// The identities of all clients of a core: one for each tenant, and one for each API key of clients without a tenant.
final class ClientIdentities: Sendable {
    enum Name: Hashable {
        case tenant(String)
        case key(Secret)
    }

    fileprivate struct Entry {
        let identity: WeakBox<SettlementIdentity>
        /// The credentials of the clients that have the identity.
        var users: [WeakBox<Credentials>]
    }

    fileprivate struct State {
        var entries: [Name: Entry] = [:]
        var lastNumber = 0
        /// The number of entries above which entries of released identities are removed.
        var limit = 64
    }

    private let baseURL: String
    /// The location of the journals; nil if the journal is disabled.
    private let journal: JournalConfiguration?
    private let files: any FileSystem
    private let threads: ThreadSource
    private let transport: any CallbackTransport
    private let audience = JournalAudience()
    private let state = Lock(State())

    init(_ configuration: CyclesConfiguration, _ environment: ClientEnvironment) {
        baseURL = configuration.baseURL
        journal = configuration.journal == .disabled ? nil : configuration.journal
        files = environment.files
        transport = environment.transport.background
        threads = environment.isJournalInline ? .none : environment.threads
    }

    /// The identities that are in use.
    var present: [SettlementIdentity] { state.withLock { $0.entries.values.compactMap { $0.identity.value } } }

    /// Returns the identity with a name. Creates the identity if it is not in use.
    func join(_ name: Name, _ performer: OperationPerformer) -> (SettlementIdentity, isNew: Bool) {
        if let identity = find(name, performer) { return (identity, false) }
        // Created without the lock, since a journal may run the user's code. If two threads create the identity at
        // once, the second object is discarded.
        let made = makeIdentity(name, performer)
        return state.withLock { state in
            if let identity = state.use(name, performer.credentials) { return (identity, false) }
            state.insert(name, made, performer.credentials)
            return (made, true)
        }
    }

    private func find(_ name: Name, _ performer: OperationPerformer) -> SettlementIdentity? {
        state.withLock { $0.use(name, performer.credentials) }
    }

    private func makeIdentity(_ name: Name, _ performer: OperationPerformer) -> SettlementIdentity {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let (tenant, key): (String?, Secret) =
            switch name {
            case .tenant(let tenant): (tenant, performer.credentials.current.apiKey)
            case .key(let key): (nil, key)
            }
        let directory: String? = if case .directory(let path)? = journal { path } else { nil }
        let writer = journal.map { _ in
            JournalWriter(
                files,
                directory: directory,
                identity: JournalIdentity(baseURL: baseURL, apiKey: key, tenant: tenant),
                observer: performer.observer,
                audience: audience,
                threads: threads,
                transport: transport
            )
        }
        return SettlementIdentity(number: number, tenant: tenant, journal: writer)
    }

    /// Renames the identity of an API key that is being replaced.
    /// - Returns: The identity whose records have to move to the folder of the new key. Nil if other clients still use
    ///   the old key, and with it the records.
    func rename(_ old: Secret, to new: Secret, for credentials: Credentials) -> SettlementIdentity? {
        state.withLock { state in
            guard let entry = state.entries[.key(old)], let identity = entry.identity.value else { return nil }
            let others = entry.users.filter { $0.value != nil && $0.value !== credentials }
            guard others.isEmpty else {
                state.entries[.key(old)]?.users = others
                return nil
            }
            state.entries[.key(old)] = nil
            if state.entries[.key(new)]?.identity.value == nil { state.insert(.key(new), identity, credentials) }
            return identity
        }
    }

    func reportSiblings() { present.lazy.compactMap(\.journal).first?.reportSiblings() }
}

extension ClientIdentities.State {
    fileprivate mutating func use(_ name: ClientIdentities.Name, _ credentials: Credentials) -> SettlementIdentity? {
        guard let identity = entries[name]?.identity.value else { return nil }
        entries[name]?.users.removeAll { $0.value == nil || $0.value === credentials }
        entries[name]?.users.append(WeakBox(credentials))
        return identity
    }

    fileprivate mutating func insert(
        _ name: ClientIdentities.Name,
        _ identity: SettlementIdentity,
        _ credentials: Credentials
    ) {
        entries[name] = ClientIdentities.Entry(identity: WeakBox(identity), users: [WeakBox(credentials)])
        guard entries.count > limit else { return }
        entries = entries.filter { $0.value.identity.value != nil }
        limit = max(64, 2 * entries.count)
    }
}
