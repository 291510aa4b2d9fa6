import Cycles
import CyclesTesting

/// One process of a world, with a client for each tenant, one for an agent, and one without a tenant, over one journal.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class SimulatedProcess: @unchecked Sendable {
    /// The tenants whose keys the clients use, in the order of the clients.
    static let tenants = ["acme", "zenith", "acme", "solo"]
    /// The scopes that the clients' spend is charged to.
    static let scopes = [
        ["tenant:acme"], ["tenant:zenith"], ["tenant:acme", "tenant:acme/agent:bot"], ["agent:lone"],
    ]
    static let journal = "/journal"

    static func isWithoutTenant(_ client: Int) -> Bool { client == 3 }

    /// The clients, all for threads or all for tasks.
    private enum Clients {
        case threads([BlockingCyclesClient])
        case tasks([CyclesClient])
    }

    let number: Int32
    let clock: ProcessClock
    let files: SimulatedFiles
    private var clients = Clients.threads([])
    private(set) var network: ProcessNetwork!
    var isAlive = true
    var isShuttingDown = false
    /// Whether the disk had a fault while the process ran.
    var hasDiskFaults: Bool
    private(set) var hasShutDown = false

    init(_ number: Int32, on disk: SimulatedDisk, _ clock: SimulatedClock, hasDiskFaults: Bool) {
        self.number = number
        self.clock = ProcessClock(clock)
        self.hasDiskFaults = hasDiskFaults
        files = disk.process(number)
    }

    /// Creates the clients, which begin to settle the records that they find.
    /// - Parameter hasTasks: Whether the clients are for tasks.
    func start(in world: SimulatedWorld, hasTasks: Bool) throws {
        network = ProcessNetwork(world, self)
        let carrier: any CallbackTransport = hasTasks ? network : InlineCallbackTransport(network)
        let environment = ClientEnvironment(
            transport: ClientTransport(calls: carrier, background: carrier, blocksCallers: !hasTasks),
            time: clock,
            randomness: { [weak world] in world?.nextClientNumber() ?? 0.5 },
            files: files,
            isJournalInline: true
        )
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: world.key(of: "acme"))
        configuration.tenant = "acme"
        configuration.journal = .directory(SimulatedProcess.journal)
        configuration.observer = ProcessObserver(world, self)
        // Calls of threads do not wait for the clock, which their own thread advances.
        configuration.retry.inlineBudget = hasTasks ? world.climate.inlineBudget : .zero
        configuration.retry.flushTimeout = .zero
        var lone = configuration
        (lone.tenant, lone.agent, lone.apiKey) = (nil, "lone", world.key(of: "solo"))
        let (zenith, bot) = (Subject(tenant: "zenith"), Subject(agent: "bot"))
        let key = world.key(of: "zenith")
        if hasTasks {
            let root = try CyclesClient(configuration: configuration, environment: environment)
            let other = try CyclesClient(configuration: lone, environment: environment)
            clients = .tasks([root, try root.scoped(to: zenith, apiKey: key), try root.scoped(to: bot), other])
        } else {
            let root = try BlockingCyclesClient(configuration: configuration, environment: environment)
            let other = try BlockingCyclesClient(configuration: lone, environment: environment)
            clients = .threads([root, try root.scoped(to: zenith, apiKey: key), try root.scoped(to: bot), other])
        }
    }

    var isReady: Bool { !scopes.isEmpty }

    /// The client of a work on a thread; nil if the process has clients for tasks.
    func blockingClient(_ index: Int) -> BlockingCyclesClient? {
        if case .threads(let clients) = clients { clients[index] } else { nil }
    }

    /// The client of a work in a task; nil if the process has clients for threads.
    func client(_ index: Int) -> CyclesClient? { if case .tasks(let clients) = clients { clients[index] } else { nil } }

    private var scopes: [ClientScope] {
        switch clients {
        case .threads(let clients): clients.map(\.scope)
        case .tasks(let clients): clients.map(\.scope)
        }
    }

    /// The reservations whose settlement has not ended, and whether their records are on disk.
    var pending: [String: Bool] {
        let scopes = scopes
        guard let first = scopes.first, let last = scopes.last else { return [:] }
        let settlements = first.pendingSettlements + last.pendingSettlements
        return Dictionary(settlements.map { ($0.reservationID.rawValue, $0.isDurable) }) { $0 && $1 }
    }

    func updateKeys(of tenants: Set<String>, _ world: SimulatedWorld) {
        for index in [0, 1, 3] where isReady && tenants.contains(SimulatedProcess.tenants[index]) {
            scopes[index].updateAPIKey(world.key(of: SimulatedProcess.tenants[index])) { _ in }
        }
    }

    func flush(_ world: SimulatedWorld) {
        switch clients {
        case .threads(let clients): for client in [clients.first, clients.last] { client?.flush(timeout: .zero) }
        case .tasks(let clients):
            world.executor.begin {
                for client in [clients.first, clients.last] { await client?.flush(timeout: .zero) }
            }
            world.executor.runAll()
        }
    }

    /// Begins to shut down. ``hasShutDown`` tells the end.
    func shutDown(_ world: SimulatedWorld, timeout: Duration) {
        isShuttingDown = true
        switch clients {
        case .threads(let clients):
            for client in [clients.first, clients.last] { client?.shutdown(timeout: .zero) }
            hasShutDown = true
        case .tasks(let clients):
            world.executor.begin { [self] in
                for client in [clients.first, clients.last] { await client?.shutdown(timeout: timeout) }
                hasShutDown = true
            }
            world.executor.runAll()
        }
    }
}

/// Notes the events of a process.
///
/// Unchecked Sendable is sound: one thread runs a world.
private final class ProcessObserver: CyclesObserver, @unchecked Sendable {
    // Weak, since settlements of a process that has ended may outlive it.
    private weak var world: SimulatedWorld?
    private weak var process: SimulatedProcess?

    init(_ world: SimulatedWorld, _ process: SimulatedProcess) {
        self.world = world
        self.process = process
    }

    /// Whether a problem is that another process has used another key without a tenant, or makes an attempt while the
    /// key changes.
    private func isAboutKeys(_ problem: JournalProblem) -> Bool {
        ["settlements of another base URL", "could not be moved to the folder of the new API key"].contains {
            "\(problem)".contains($0)
        }
    }

    func observe(_ event: CyclesEvent) {
        guard let world, let process, process.isAlive else { return }
        let work = event.reservationID.flatMap { world.work(ofReservation: $0.rawValue) }
        switch event {
        case .attemptStarted, .attemptFinished: return
        case .journalProblem(let problem):
            world.tally.count("journal problems reported")
            if !process.hasDiskFaults, !isAboutKeys(problem) {
                world.violation(nil, "process \(process.number), without a fault: \(problem)")
            }
        case .recordSetAside(let record): world.violation(work, "a record was set aside: \(record)")
        case .settlementFailed(_, let error, _): world.settlementFailed(work, in: process, error)
        case .settled:
            if let work, world.lifecycles[work].process === process { world.lifecycles[work].hasEnded = true }
        case .leaseLost: world.tally.count("leases lost")
        case .leaseStopped: world.tally.count("heartbeats stopped")
        case .leaseExtended: world.tally.count("leases extended")
        default: break
        }
        world.note(work) { "process \(process.number) observes \(event)" }
    }
}
