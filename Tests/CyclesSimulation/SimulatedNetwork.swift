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
        world.note(world.book.work(of: request)) {
            "the server answers \(request.operationName): \(response.status)"
        }
        return response
    }
}

/// The network as one process uses it. Checks the order of the requests that leave the process.
///
/// Unchecked Sendable is sound: one thread runs a world.
final class ProcessNetwork: BlockingHTTPTransport, @unchecked Sendable {
    // Weak, since settlements of a process that has ended may outlive it.
    private weak var world: SimulatedWorld?
    private weak var process: SimulatedProcess?
    /// The earliest times of the next requests under a key, as the server asked.
    private var floors: [String: Duration] = [:]

    init(_ world: SimulatedWorld, _ process: SimulatedProcess) {
        self.world = world
        self.process = process
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        guard let world, let process, process.isAlive else { throw gone(wasRequestSent: false) }
        world.tally.count("requests")
        let operation = request.operationName
        let work = world.book.work(of: request)
        world.note(work) { "process \(process.number) sends \(operation)" }
        let key = operation == "commit" || operation == "event" ? request.json["idempotency_key"]?.string : nil
        check(operation, key, work, world)
        world.crashPoint(.send, process)
        guard process.isAlive else { throw gone(wasRequestSent: false) }
        let response: HTTPResponse
        do throws(HTTPTransportError) {
            response = try world.faults.send(request)
        } catch {
            world.note(work) { "process \(process.number) gets no answer: \(error.kind)" }
            throw error
        }
        world.crashPoint(.receive, process)
        guard process.isAlive else { throw gone(wasRequestSent: true) }
        world.note(work, detail: response.status) { "process \(process.number) gets \(response.status)" }
        if let key, response.status == 429, let seconds = response.headers["Retry-After"].flatMap(Int64.init) {
            floors[key] = world.clock.now + .seconds(seconds)
        }
        return response
    }

    private func check(_ operation: String, _ key: String?, _ work: Int?, _ world: SimulatedWorld) {
        guard let work else { return }
        let lifecycle = world.lifecycles[work]
        if operation == "release", lifecycle.hasBegunSettling {
            world.violation(work, "a release left although spend was being settled")
        }
        guard let key else { return }
        lifecycle.hasLeft = true
        if let first = lifecycle.settlementKey, first != key {
            world.violation(work, "\(operation) left with the key \(key) after \(first)")
        }
        lifecycle.settlementKey = key
        if let floor = floors[key], floor > world.clock.now {
            world.violation(
                work,
                "\(operation) left \(floor - world.clock.now) before the server's Retry-After had passed"
            )
        }
    }

    private func gone(wasRequestSent: Bool) -> HTTPTransportError {
        HTTPTransportError(kind: .connectionFailed, message: "the process is gone", wasRequestSent: wasRequestSent)
    }
}
