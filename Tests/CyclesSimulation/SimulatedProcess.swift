import Cycles
import CyclesTesting

/// One process of a world, with a client for each tenant and one for an agent, over one journal.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class SimulatedProcess: @unchecked Sendable {
    /// The tenants whose budgets the clients use, in the order of the clients.
    static let tenants = ["acme", "zenith", "acme"]
    static let journal = "/journal"

    let number: Int32
    let clock: ProcessClock
    let files: SimulatedFiles
    private(set) var clients: [BlockingCyclesClient] = []
    var isAlive = true
    var isShuttingDown = false
    /// Whether the disk had a fault while the process ran.
    var hasDiskFaults: Bool

    init(_ number: Int32, on disk: SimulatedDisk, _ clock: SimulatedClock, hasDiskFaults: Bool) {
        self.number = number
        self.clock = ProcessClock(clock)
        self.hasDiskFaults = hasDiskFaults
        files = disk.process(number)
    }

    /// Creates the clients, which begin to settle the records that they find.
    func start(in world: SimulatedWorld) throws {
        let carrier = InlineCallbackTransport(ProcessNetwork(world, self))
        let transport = ClientTransport(calls: carrier, background: carrier, blocksCallers: true)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: world.key(of: "acme"))
        configuration.tenant = "acme"
        configuration.journal = .directory(SimulatedProcess.journal)
        configuration.observer = ProcessObserver(world, self)
        // Calls do not wait for the clock, which their own thread advances.
        configuration.retry.inlineBudget = .zero
        configuration.retry.flushTimeout = .zero
        let root = try BlockingCyclesClient(
            configuration: configuration,
            environment: ClientEnvironment(
                transport: transport,
                time: clock,
                randomness: { [weak world] in world?.nextClientNumber() ?? 0.5 },
                files: files,
                isJournalInline: true
            )
        )
        clients = [root]
        clients.append(try root.scoped(to: Subject(tenant: "zenith"), apiKey: world.key(of: "zenith")))
        clients.append(try root.scoped(to: Subject(agent: "bot")))
    }

    /// The reservations whose settlement has not ended, and whether their records are on disk.
    var pending: [String: Bool] {
        guard let root = clients.first else { return [:] }
        return Dictionary(root.pendingSettlements().map { ($0.reservationID.rawValue, $0.isDurable) }) { $0 && $1 }
    }

    func updateKeys(_ world: SimulatedWorld) {
        try? clients[0].updateAPIKey(world.key(of: "acme"))
        try? clients[1].updateAPIKey(world.key(of: "zenith"))
    }

    func flush() { clients.first?.flush(timeout: .zero) }

    func shutDown() {
        isShuttingDown = true
        clients.first?.shutdown(timeout: .zero)
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

    func observe(_ event: CyclesEvent) {
        guard let world, let process, process.isAlive else { return }
        let work = event.reservationID.flatMap { world.work(ofReservation: $0.rawValue) }
        switch event {
        case .attemptStarted, .attemptFinished: return
        case .journalProblem(let problem):
            world.tally.count("journal problems reported")
            if !process.hasDiskFaults { world.violation(nil, "process \(process.number), without a fault: \(problem)") }
        case .recordSetAside(let record): world.violation(work, "a record was set aside: \(record)")
        case .settlementFailed(_, let error, _): world.settlementFailed(work, in: process, error)
        case .leaseLost: world.tally.count("leases lost")
        case .leaseStopped: world.tally.count("heartbeats stopped")
        case .leaseExtended: world.tally.count("leases extended")
        default: break
        }
        world.note(work) { "process \(process.number) observes \(event)" }
    }
}
