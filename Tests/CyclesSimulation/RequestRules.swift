import Cycles

/// The rules that the requests of all processes obey, in the order in which they leave.
struct RequestRules {
    private struct Floor {
        /// When the server asked.
        let since: Duration
        let time: Duration
        let process: Int32
        /// Whether the process could tell others.
        let isStored: Bool
    }

    private struct Charged {
        let process: SimulatedProcess
        /// When the process was told.
        let since: Duration
        /// Whether no crash restores the record: that of an event in the log of the process that charged it. Servers
        /// remember the keys of events for a shorter time than commits, and so the removal is synced at once.
        let isForGood: Bool
        /// Whether the client has no tenant, so that its journal's folder is that of its key.
        let isOfKey: Bool
    }

    /// Another process computes the wait from the wall clock, which has whole milliseconds.
    private static let tolerance = Duration.milliseconds(2)

    /// The earliest times of the next requests under a key, as the server asked.
    private var floors: [String: Floor] = [:]
    /// The processes that have a settlement in flight, by its key.
    private var inFlight: [String: SimulatedProcess] = [:]
    /// The keys of extensions whose outcome is unknown, by the id of the reservation.
    private var openExtensions: [String: String] = [:]
    /// The processes that were told that a settlement is charged, by its key.
    private var charged: [String: Charged] = [:]
    /// The keys of settlements whose records were removed before their processes ended, and whether for good.
    private var closed: [String: Bool] = [:]

    /// Checks a request that leaves a process.
    /// - Returns: The rules that it breaks.
    mutating func leaves(_ request: SentRequest, _ world: SimulatedWorld) -> [String] {
        let process = request.process
        var broken: [String] = []
        if request.operation == "reserve", request.work == nil {
            broken.append("a reserve request left with the key \(request.key ?? "") of no work")
        }
        if request.operation == "extend", let id = request.reservation, let open = openExtensions[id],
            open != request.key
        {
            broken.append("an extension left with the key \(request.key ?? "") after \(open) had no answer")
        }
        guard let work = request.work.map({ world.lifecycles[$0] }) else { return broken }
        switch request.operation {
        case "reserve":
            work.reserveRequests += 1
            if work.reserveRequests > 2 * work.reserveCalls { broken.append("a reserve call sent a third request") }
        case "extend":
            if work.hasEnded { broken.append("an extension left after the settlement had ended") }
        case "release":
            if work.hasBegunSettling { broken.append("a release left although spend was being settled") }
        case "commit", "event":
            let key = request.key ?? "none"
            work.hasLeft = true
            if let first = work.settlementKey, first != key {
                broken.append("\(request.operation) left with the key \(key) after \(first)")
            }
            work.settlementKey = key
            if let wait = wait(key, process, world) {
                broken.append("\(request.operation) left \(wait) before the server's Retry-After had passed")
            }
            // A shutdown gives up what is in flight after its timeout.
            if let other = inFlight[key], other !== process, !other.isShuttingDown, !other.hasDiskFaults,
                !process.hasDiskFaults
            {
                broken.append("\(request.operation) left while process \(other.number) had sent it and got no answer")
            }
            // The process of the guard sends even without a record, which another process may have settled and removed,
            // and stores the record again.
            if work.process === process, charged[key]?.process !== process { (charged[key], closed[key]) = (nil, nil) }
            if !process.hasDiskFaults, closed[key] != nil || charged[key]?.process === process {
                broken.append("\(request.operation) left again, after it was charged and its record removed")
            }
            inFlight[key] = process
        default: break
        }
        return broken
    }

    /// The rest of the time that the server asked for; nil if it is over. If the wall clock has jumped, other processes
    /// cannot tell.
    private func wait(_ key: String, _ process: SimulatedProcess, _ world: SimulatedWorld) -> Duration? {
        guard let floor = floors[key] else { return nil }
        let left = floor.time - world.clock.now
        if floor.process == process.number { return left > .zero ? left : nil }
        return floor.isStored && left > RequestRules.tolerance && world.jumps == 0 ? left : nil
    }

    /// Takes the outcome of a request, as the process gets it.
    mutating func gets(
        _ outcome: Result<HTTPResponse, HTTPTransportError>,
        _ request: SentRequest,
        _ world: SimulatedWorld
    ) {
        let status = (try? outcome.get())?.status ?? 0
        if request.operation == "extend", let id = request.reservation {
            openExtensions[id] = status == 0 || status >= 500 ? request.key : nil
        }
        guard request.operation == "commit" || request.operation == "event", let key = request.key else { return }
        if inFlight[key] === request.process { inFlight[key] = nil }
        // A damaged answer has neither member.
        if let answer = (try? outcome.get())?.json, answer["charged"] != nil || answer["event_id"] != nil {
            let work = request.work.map { world.lifecycles[$0] }
            charged[key] = Charged(
                process: request.process,
                since: world.clock.now,
                isForGood: request.operation == "event" && work?.process === request.process,
                isOfKey: work.map { SimulatedProcess.isWithoutTenant($0.client) } ?? true
            )
        }
        if status == 429, let seconds = (try? outcome.get())?.headers["Retry-After"].flatMap(Int64.init) {
            floors[key] = Floor(
                since: world.clock.now,
                time: world.clock.now + .seconds(seconds),
                process: request.process.number,
                isStored: !world.disk.refusesFiles
            )
        }
    }

    /// Forgets the requests of a process that ends.
    /// - Parameters:
    ///   - now: The time. Answers of the same moment may not be stored.
    ///   - isInOrder: Whether the process ended with a shutdown.
    mutating func ended(_ process: SimulatedProcess, at now: Duration, isInOrder: Bool) {
        inFlight = inFlight.filter { $0.value !== process }
        func isStored(_ time: Duration) -> Bool { !process.hasDiskFaults && (time < now || isInOrder) }
        floors = floors.filter { $0.value.process != process.number || isStored($0.value.since) }
        for (key, other) in charged where other.process === process {
            charged[key] = nil
            // A crash during a change of the key may leave a record in the folders of both keys.
            let isClosed = isStored(other.since) && (isInOrder || other.isForGood)
            if isClosed, !other.isOfKey { closed[key] = other.isForGood }
        }
    }

    /// Permits the settlements again whose removed records a crash of the machine may restore.
    mutating func machineCrashed() { closed = closed.filter(\.value) }
}

/// A request with the parts by which the rules judge it.
struct SentRequest {
    let process: SimulatedProcess
    let http: HTTPRequest
    let operation: String
    let work: Int?
    let reservation: String?
    /// The idempotency key.
    let key: String?

    init(_ request: HTTPRequest, _ process: SimulatedProcess, _ book: ChargeBook) {
        self.process = process
        http = request
        operation = request.operationName
        work = book.work(of: request)
        reservation = request.pathReservation
        key = request.json["idempotency_key"]?.string
    }
}
