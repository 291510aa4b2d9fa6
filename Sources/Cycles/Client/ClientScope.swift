/// The parts of a client that clients scoped from it do not share: the API key, the default subject, and the identity
/// of the work. The first client of a core is its root.
package final class ClientScope: Sendable {
    let core: ClientCore
    let configuration: CyclesConfiguration
    let performer: OperationPerformer
    let defaults: RequestDefaults
    private let isRoot: Bool
    /// Whether the client has an API key of its own, instead of the key of the client that it was scoped from.
    private let hasOwnKey: Bool
    /// The gate of the root client, which refuses the calls of all scoped clients.
    private let rootGate: ClientGate
    /// The identity, and the generation of the API key at which it was found; nil as long as the client has no key.
    private let joined = Lock<(identity: SettlementIdentity, generation: Int)?>(nil)

    /// Creates the root of a new core.
    init(_ configuration: CyclesConfiguration, _ environment: ClientEnvironment) throws(CyclesError) {
        _ = try configuration.checked()
        core = ClientCore(configuration, environment)
        self.configuration = configuration
        performer = try OperationPerformer(
            configuration,
            transport: environment.transport,
            time: environment.time,
            randomness: environment.randomness,
            observer: core.observer
        )
        defaults = RequestDefaults(configuration)
        isRoot = true
        hasOwnKey = true
        rootGate = performer.gate
        _ = identity
    }

    private init(_ parent: ClientScope, _ configuration: CyclesConfiguration, hasOwnKey: Bool) {
        core = parent.core
        self.configuration = configuration
        performer = OperationPerformer(
            scoping: parent.performer,
            below: parent.rootGate,
            configuration,
            hasOwnKey: hasOwnKey
        )
        defaults = RequestDefaults(configuration)
        isRoot = false
        self.hasOwnKey = hasOwnKey
        rootGate = parent.rootGate
        _ = identity
    }

    /// Creates a client with other defaults and, if given, another key.
    func scoped(to subject: Subject, apiKey: String?) throws(CyclesError) -> ClientScope {
        try performer.gate.check()
        guard subject.dimensions?.isEmpty ?? true else {
            throw RequestValidation.invalid(
                "subject.dimensions",
                "cannot be defaults of a client; give them with each request"
            )
        }
        if !subject.isEmpty { try RequestValidation.subject(subject) }
        var configuration = configuration
        configuration.replaceLevels(by: subject)
        if let apiKey {
            try CyclesConfiguration.check(key: apiKey, "apiKey")
            configuration.apiKey = apiKey
            configuration.adminAPIKey = nil
        } else {
            configuration.apiKey = performer.credentials.current.apiKey.value
        }
        return ClientScope(self, configuration, hasOwnKey: apiKey != nil)
    }

    // MARK: Shared parts

    var observer: any CyclesObserver { performer.observer }
    var time: any TimeSource { core.time }
    var keeper: LeaseKeeper { core.keeper }
    var engine: SettlementEngine { core.engine }

    // MARK: Identity

    private var tenant: String? { configuration.tenant.flatMap { $0.isBlank ? nil : $0 } }

    /// The identity of the client's work; nil as long as the client has no key.
    var identity: SettlementIdentity? {
        let (key, generation) = performer.credentials.current
        guard !key.value.isEmpty else { return nil }
        if let (identity, found) = joined.withLock({ $0 }), tenant != nil || found == generation { return identity }
        let identity = core.identity(tenant.map { .tenant($0) } ?? .key(key), of: performer)
        joined.withLock { $0 = (identity, generation) }
        return identity
    }

    /// Returns the owner of new work.
    /// - Throws: ``CyclesError``: `transport` after a shutdown; `configuration` if the client has no key.
    func owner() throws(CyclesError) -> SettlementOwner {
        try performer.gate.check()
        guard let identity else { throw Credentials.missingKey }
        return SettlementOwner(performer, identity)
    }

    /// Replaces the API key and resumes the leases and settlements that stopped at the old key. Calls `done` on any
    /// thread.
    package func updateAPIKey(_ key: String, _ done: @escaping @Sendable (Result<Void, CyclesError>) -> Void) {
        do throws(CyclesError) {
            guard hasOwnKey else { throw ClientScope.foreignKey }
            try CyclesConfiguration.check(key: key, "apiKey")
        } catch {
            done(.failure(error))
            return
        }
        let credentials = performer.credentials
        let change: @Sendable () -> Void = { [self] in
            credentials.rotate(to: key)
            _ = identity
            keeper.resumeAfterNewKey(of: credentials)
            engine.resumeAfterNewKey(of: credentials)
            done(.success(()))
        }
        guard tenant == nil else { return change() }
        // Records move before the key is used, so that settlements with the new key find them.
        let old = credentials.current.apiKey
        guard let journal = core.identities.rename(old, to: Secret(key), for: credentials)?.journal else {
            return change()
        }
        journal.changeKey(Secret(key), change)
    }

    private static var foreignKey: CyclesError {
        .configuration(
            ConfigurationIssue(
                name: "apiKey",
                message: "belongs to the client that this client was scoped from; update it there, or scope with a key"
            )
        )
    }

    // MARK: Background work

    /// The number of the identity that `flush` and `pendingSettlements` are limited to; nil in the root client, for
    /// all.
    private var concern: Int? { isRoot ? nil : identity?.number ?? 0 }

    package var pendingSettlements: [PendingSettlement] { engine.pendingSettlements(of: concern) }

    /// Waits for the present background work, for a limited time.
    /// - Parameter includesReplays: Whether to wait, too, for settlements that an earlier process left in the journal.
    @discardableResult
    func flush(timeout: Duration?, includesReplays: Bool) async -> FlushReport {
        await engine.flush(of: concern, atMost: timeout ?? core.flushTimeout, includesReplays: includesReplays)
    }

    /// The form of `flush` for a thread that may block.
    @discardableResult
    func flushBlocking(timeout: Duration?, includesReplays: Bool) -> FlushReport {
        engine.flushBlocking(of: concern, atMost: timeout ?? core.flushTimeout, includesReplays: includesReplays)
    }

    /// Refuses further calls. In the root client, also refuses the calls of all scoped clients and ends their leases
    /// and settlements.
    func shutDown(_ done: @escaping @Sendable () -> Void) {
        performer.gate.close()
        if isRoot { core.shutDown(done) } else { done() }
    }
}

extension CyclesConfiguration {
    /// Replaces the default levels that a subject names.
    fileprivate mutating func replaceLevels(by subject: Subject) {
        tenant = subject.tenant ?? tenant
        workspace = subject.workspace ?? workspace
        app = subject.app ?? app
        workflow = subject.workflow ?? workflow
        agent = subject.agent ?? agent
        toolset = subject.toolset ?? toolset
    }
}
