import Cycles
import CyclesTesting

/// A world that a seed decides: processes with clients over one disk, a network, a server, and all their faults, in
/// virtual time on one thread.
///
/// Unchecked Sendable is sound: one thread runs a world.
package final class SimulatedWorld: @unchecked Sendable {
    /// The text in all API keys, by which they are searched for on the disk.
    static let keyMark = "secret"
    static let adminKey = "operator-\(keyMark)"

    package let seed: UInt64
    let goal: Int
    /// The work whose history is kept; nil for none.
    private let watched: Int?

    let clock = SimulatedClock()
    let executor = WorldExecutor()
    private(set) var server: SimulatedServer!
    private(set) var faults: FaultyTransport!
    var disk = SimulatedDisk()
    var processes: [SimulatedProcess] = []
    var graveyard: [SimulatedProcess] = []
    var lifecycles: [Lifecycle] = []
    var open: [Lifecycle] = []
    var book = ChargeBook()
    var rules = RequestRules()
    var lastProcess: Int32 = 0
    var keyVersions = ["acme": 1, "zenith": 1, "solo": 1]
    var revoked: Set<String> = []
    var areDiskFaultsSet = false
    /// The number of jumps of the wall clock.
    var jumps = 0
    /// The number of moments that are more dangerous than others, since something has just failed.
    var tremors = 0
    var diskFailures = 0
    var isOver = false

    var numbers: SplitMix64
    var networkNumbers: SplitMix64
    var clientNumbers: SplitMix64
    var crashNumbers: SplitMix64
    /// The character of the world.
    let climate: Climate

    package internal(set) var tally = Tally()
    package private(set) var violations: [(work: Int?, text: String)] = []
    /// The history of the watched work, with the events that concern all.
    package private(set) var history: [String] = []
    /// A number that differs between two different courses of a world.
    package private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325

    /// - Parameters:
    ///   - lifecycles: The number of works that the world begins.
    ///   - watched: The number of the work whose history is kept.
    package init(seed: UInt64, lifecycles: Int, watching watched: Int? = nil) {
        self.seed = seed
        goal = lifecycles
        self.watched = watched
        var source = SplitMix64(seed: seed)
        numbers = SplitMix64(seed: source.next())
        networkNumbers = SplitMix64(seed: source.next())
        clientNumbers = SplitMix64(seed: source.next())
        crashNumbers = SplitMix64(seed: source.next())
        climate = Climate(&source)
        let authority = LocalAuthority(
            options: .init(maxExtensions: climate.maxExtensions),
            clock: clock.ofAuthority
        )
        for tenant in keyVersions.keys.sorted() { authority.addAPIKey(key(of: tenant), tenant: tenant) }
        for scope in Set(SimulatedProcess.scopes.joined()).sorted() {
            authority.setBudget(scope: scope, allocated: .tokens(1_000_000_000))
        }
        authority.addAdminAPIKey(SimulatedWorld.adminKey)
        server = SimulatedServer(self, authority)
        faults = FaultyTransport(server, seed: source.next(), faults: climate.faults)
        faults.isEnabled = false
        clock.afterAlarm = { [unowned self] in executor.runAll() }
        attachDisk()
    }

    var authority: LocalAuthority { server.authority }
    var isStormy: Bool { faults.isEnabled }

    func key(of tenant: String) -> String { "\(tenant)-\(SimulatedWorld.keyMark)-\(keyVersions[tenant] ?? 0)" }

    func nextClientNumber() -> Double { Double.random(in: 0..<1, using: &clientNumbers) }

    func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &numbers) < percent }

    // MARK: History

    /// Notes a moment of a work, or of all if `work` is nil.
    func note(_ work: Int?, detail: Int = 0, _ text: () -> String) {
        for value in [UInt64(bitPattern: Int64((work ?? -2) + 1)), UInt64(detail), UInt64(clock.now.wholeMilliseconds)]
        {
            digest = (digest ^ value) &* 0x0000_0100_0000_01b3
        }
        guard let watched, work == nil || work == watched else { return }
        history.append("\(clock.now)  \(text())")
    }

    func violation(_ work: Int?, _ text: String) {
        violations.append((work, text))
        note(work) { "VIOLATION: \(text)" }
    }

    func work(ofReservation id: String) -> Int? {
        if id.hasPrefix("event:work-") { return Int(id.dropFirst("event:work-".count)) }
        return book.works[id]
    }

    // MARK: The course

    /// Runs the world to its end, and checks what became of everything.
    package func run() {
        startProcess()
        while (lifecycles.count < goal || !open.isEmpty) && violations.isEmpty { step() }
        if violations.isEmpty { end() }
        finish()
    }

    private func step() {
        bury()
        switch Int.random(in: 0..<100, using: &numbers) {
        case 0..<30: begin()
        case 30..<60: progress()
        case 60..<86: advance()
        case 86..<88: if climate.hasStorms { releaseAsOperator() }
        case 88..<96: changeWeather()
        default: changeProcesses()
        }
        executor.runAll()
    }

    /// Advances the time by a span between a millisecond and some minutes; short spans are as likely as long ones.
    private func advance() {
        let scale = Int64(1) << Int64.random(in: 0...18, using: &numbers)
        clock.advance(by: .milliseconds(Int64.random(in: 1...scale, using: &numbers)))
    }

    // MARK: Works

    private func begin() {
        guard lifecycles.count < goal, open.count < climate.width,
            let process = processes.randomElement(using: &numbers), process.isReady, !process.isShuttingDown
        else { return }
        let index = Int.random(in: 0..<SimulatedProcess.tenants.count, using: &numbers)
        let client = process.client(index)
        let plans = client == nil ? Lifecycle.Plan.ofThreads : Lifecycle.Plan.allCases
        let plan = plans.randomElement(using: &numbers)!
        let estimate = Int64.random(in: 10...1_000, using: &numbers)
        let spend =
            switch plan {
            case .commitBeyondEstimate: estimate + Int64.random(in: 1...500, using: &numbers)
            case .commitZero: Int64(0)
            default: Int64.random(in: 1...estimate, using: &numbers)
            }
        let work = Lifecycle(lifecycles.count, plan, process, client: index, estimate: estimate, spend: spend)
        lifecycles.append(work)
        tally.count("lifecycles")
        note(work.number) { "process \(process.number), client \(index) begins \(plan), spend \(spend)" }
        if let client {
            tally.count("lifecycles in tasks")
            beginTask(work, client)
        } else if let client = process.blockingClient(index) {
            if plan.keepsGuard { reserve(work, client) } else { perform(work, client) }
        }
    }

    private func progress() {
        guard let index = open.indices.randomElement(using: &numbers), open[index].task == nil else { return }
        finish(open.remove(at: index))
    }

    /// Ends a work whose guard a thread holds.
    func finish(_ work: Lifecycle) {
        guard work.process.isAlive, work.reservation != nil else { return }
        settle(work)
    }

    private func finish() {
        isOver = true
        for process in processes { kill(process) }
        bury()
        for (fault, count) in faults.injected { tally.count("\(fault) faults", count) }
        tally.count("commits charged", book.commits)
        tally.count("events charged", book.events)
    }
}
