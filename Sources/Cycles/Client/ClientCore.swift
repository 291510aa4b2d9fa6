/// The parts that a client shares with all clients that are scoped from it: transport, clock, observer, leases,
/// settlements and journal. Lives as long as any of the clients, their guards and their settlements.
package final class ClientCore: Sendable {
    let time: any TimeSource
    let transport: ClientTransport
    let keeper: LeaseKeeper
    let engine: SettlementEngine
    let identities: ClientIdentities
    /// The observer of events that concern all clients. Each client reports its own events to the observer of its
    /// performer.
    let observer: any CyclesObserver
    let baseURL: String
    let heartbeat: HeartbeatPolicy
    /// Whether a settlement of a lost lease fails with `leaseLost`.
    let failsLostLeases: Bool
    /// The upper limit of an extension's timeout.
    let longestExtendTimeout: Duration
    let flushTimeout: Duration
    /// Reports records of identities without a client; set when such records are found.
    private let siblingsAlarm: any Alarm

    /// The delay before records of identities without a client are reported. In this time, the program can scope
    /// clients for them.
    private static let patienceForSiblings = Duration.seconds(60)

    init(_ configuration: CyclesConfiguration, _ environment: ClientEnvironment) {
        time = environment.time
        transport = environment.transport
        observer = configuration.observer ?? StandardErrorReporter()
        keeper = LeaseKeeper(environment.time)
        engine = SettlementEngine(
            time: environment.time,
            randomness: environment.randomness,
            blocksCallers: environment.transport.blocksCallers,
            policy: configuration.retry,
            hasJournal: configuration.journal != .disabled
        )
        identities = ClientIdentities(configuration, environment)
        baseURL = configuration.baseURL
        heartbeat = configuration.heartbeat
        failsLostLeases =
            configuration.heartbeat == .failOnFinalize
            || (configuration.heartbeat == .cancel && environment.transport.blocksCallers)
        longestExtendTimeout = configuration.connectTimeout + configuration.readTimeout
        flushTimeout = configuration.retry.flushTimeout
        let identities = identities
        siblingsAlarm = environment.time.makeAlarm { identities.reportSiblings() }
        time.prepare(shortagePlan)
    }

    private var shortagePlan: ThreadShortagePlan {
        // Weak, since the clock may outlive the client.
        ThreadShortagePlan { [weak self] problem in
            self?.observer.observe(.systemProblem(problem))
        } standIn: { [weak self] delay, work in
            self?.transport.background.lendThread(at: .now + delay, work) ?? false
        }
    }

    /// Returns the identity of a client's work. The first client of an identity resumes the settlements that an earlier
    /// process left; a flush that includes replays also waits until their records have been read.
    func identity(_ name: ClientIdentities.Name, of performer: OperationPerformer) -> SettlementIdentity {
        let (identity, isNew) = identities.join(name, performer)
        guard isNew, let journal = identity.journal else { return identity }
        let owner = SettlementOwner(performer, identity)
        let errand = engine.beginErrand(of: identity, isReplay: true)
        journal.load { [engine, time, siblingsAlarm] records, hasSiblings in
            engine.replay(records, for: owner, after: errand)
            engine.endErrand(errand)
            if hasSiblings { siblingsAlarm.set(to: time.monotonic + ClientCore.patienceForSiblings) }
        }
        return identity
    }

    /// Stops leases and settlements, closes the transport if it belongs to the client, and finishes the journal's
    /// writes.
    func shutDown(_ done: @escaping @Sendable () -> Void) {
        keeper.shutDown()
        engine.shutDown()
        transport.close { [identities] in
            ClientCore.close(identities.present.compactMap(\.journal)[...], done)
        }
    }

    private static func close(_ journals: ArraySlice<JournalWriter>, _ done: @escaping @Sendable () -> Void) {
        guard let first = journals.first else { return done() }
        first.close { close(journals.dropFirst(), done) }
    }
}

/// The result of `flush` and `shutdown`.
public struct FlushReport: Hashable, Sendable {
    /// The number of settlements and releases that have ended during the call.
    public let settled: Int
    /// The number of settlements and releases that have not ended, reads of the journal and requests of cancelled tasks
    /// included.
    public let stillPending: Int
}
