import Cycles
import CyclesTesting

/// The server of a world and the last part of the way to it, on which requests are slow, doubled or late.
final class SimulatedServer: HTTPTransport, BlockingHTTPTransport {
    private unowned let world: SimulatedWorld
    let authority: LocalAuthority

    init(_ world: SimulatedWorld, _ authority: LocalAuthority) {
        self.world = world
        self.authority = authority
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        guard world.isStormy else { return try handle(request) }
        let choice = Int.random(in: 0..<100, using: &world.networkNumbers)
        switch choice {
        case 0..<4:
            world.tally.count("slow requests")
            let span = Int64.random(in: 1...4_000, using: &world.networkNumbers)
            world.clock.advance(by: min(.milliseconds(span), request.timeout * 0.9))
        case 4..<7:
            world.tally.count("doubled requests")
            _ = try handle(request)
        case 7..<10:
            world.tally.count("late copies")
            deliverLate(request)
        case 10..<12:
            // The request arrives after its sender gave it up.
            world.tally.count("late requests")
            deliverLate(request)
            world.clock.advance(by: request.timeout)
            throw HTTPTransportError(kind: .timedOut, message: "no answer in time", wasRequestSent: true)
        default: break
        }
        return try handle(request)
    }

    func shutdown() async {}

    private func deliverLate(_ request: HTTPRequest) {
        let delay = Int64.random(in: 1...600_000, using: &world.networkNumbers)
        world.clock.schedule(after: .milliseconds(delay)) { [weak world] in
            guard let world else { return }
            world.note(world.book.work(of: request)) { "a late \(request.operationName) arrives" }
            _ = try? world.server.handle(request)
        }
    }

    private func handle(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let response = try authority.send(request)
        world.book.enter(request, response)
        let work = world.book.work(of: request)
        world.note(work) { "the server answers \(request.operationName): \(response.status)" }
        if let work, world.book.reservations[work, default: []].count > 1 {
            world.violation(work, "the server holds budget for the work twice")
        }
        return response
    }
}

/// The network as one process uses it: at once for threads, with delays for tasks.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class ProcessNetwork: BlockingHTTPTransport, CallbackTransport, @unchecked Sendable {
    private typealias Outcome = Result<HTTPResponse, HTTPTransportError>

    // Weak, since settlements of a process that has ended may outlive it.
    private weak var world: SimulatedWorld?
    private weak var process: SimulatedProcess?
    /// The callers of requests that are on their way.
    private var waiting: [Int: @Sendable (Transferred) -> Void] = [:]
    private var lastNumber = 0
    /// The reservations whose last extension failed alone.
    private var lostExtensions: Set<String> = []

    init(_ world: SimulatedWorld, _ process: SimulatedProcess) {
        self.world = world
        self.process = process
    }

    // MARK: Threads

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        guard let world, let sent = leave(request) else { throw ProcessNetwork.gone(wasRequestSent: false) }
        let outcome = carry(sent, world)
        guard arrive(sent, outcome) else { throw ProcessNetwork.gone(wasRequestSent: true) }
        return try outcome.get()
    }

    // MARK: Tasks

    func start(_ request: HTTPRequest, _ done: @escaping @Sendable (Transferred) -> Void) {
        guard let world, let sent = leave(request) else {
            return done(Transferred(.failure(ProcessNetwork.gone(wasRequestSent: false))))
        }
        lastNumber += 1
        let number = lastNumber
        waiting[number] = done
        let (way, back) = (delay(world), delay(world))
        world.clock.schedule(after: way) { [weak self] in
            guard let self, let world = self.world else { return }
            // The request is on its way even if its process has ended.
            let outcome = self.carry(sent, world)
            world.clock.schedule(after: back) { [weak self] in self?.end(number, sent, outcome) }
        }
    }

    private func end(_ number: Int, _ sent: SentRequest, _ outcome: Outcome) {
        guard let world, waiting[number] != nil else { return }
        let pause = sent.process.clock.pausedUntil - world.clock.now
        if pause > .zero {
            return world.clock.schedule(after: pause) { [weak self] in self?.end(number, sent, outcome) }
        }
        guard arrive(sent, outcome), let done = waiting.removeValue(forKey: number) else { return }
        done(Transferred(outcome))
    }

    /// Ends the requests of a process that has ended, so that its tasks end too.
    func abort() {
        for (_, done) in waiting.sorted(by: { $0.key < $1.key }) {
            done(Transferred(.failure(ProcessNetwork.gone(wasRequestSent: nil))))
        }
        waiting = [:]
    }

    private func delay(_ world: SimulatedWorld) -> Duration {
        let scale = Int64(1) << Int64.random(in: 0...9, using: &world.networkNumbers)
        return .milliseconds(Int64.random(in: 1...scale, using: &world.networkNumbers))
    }

    // MARK: The way of a request

    /// Checks a request that leaves the process; nil if the process has ended.
    private func leave(_ request: HTTPRequest) -> SentRequest? {
        guard let world, let process, process.isAlive else { return nil }
        world.tally.count("requests")
        let sent = SentRequest(request, process, world.book)
        world.note(sent.work) { "process \(process.number) sends \(sent.operation)" }
        for rule in world.rules.leaves(sent, world) { world.violation(sent.work, rule) }
        world.crashPoint(.send, process)
        return process.isAlive ? sent : nil
    }

    private func carry(_ sent: SentRequest, _ world: SimulatedWorld) -> Outcome {
        if let outcome = loseExtension(sent, world) { return outcome }
        return Result { () throws(HTTPTransportError) in try world.faults.send(sent.http) }
    }

    /// Lets an extension fail, unless that of the same reservation before it failed.
    private func loseExtension(_ sent: SentRequest, _ world: SimulatedWorld) -> Outcome? {
        guard world.climate.losesExtensions, sent.operation == "extend", let id = sent.reservation else { return nil }
        guard lostExtensions.remove(id) == nil, Int.random(in: 0..<3, using: &world.networkNumbers) == 0 else {
            return nil
        }
        lostExtensions.insert(id)
        world.tally.count("single extensions lost")
        if Bool.random(using: &world.networkNumbers) { _ = try? world.server.send(sent.http) }
        return .failure(HTTPTransportError(kind: .connectionFailed, message: "lost", wasRequestSent: nil))
    }

    /// - Returns: Whether the process gets the outcome.
    private func arrive(_ sent: SentRequest, _ outcome: Outcome) -> Bool {
        guard let world, let process else { return false }
        world.crashPoint(.receive, process)
        guard process.isAlive else { return false }
        world.rules.gets(outcome, sent, world)
        switch outcome {
        case .success(let response):
            world.note(sent.work, detail: response.status) { "process \(process.number) gets \(response.status)" }
        case .failure(let error):
            world.note(sent.work) { "process \(process.number) gets no answer: \(error.kind)" }
        }
        return true
    }

    private static func gone(wasRequestSent: Bool?) -> HTTPTransportError {
        HTTPTransportError(kind: .connectionFailed, message: "the process is gone", wasRequestSent: wasRequestSent)
    }
}
