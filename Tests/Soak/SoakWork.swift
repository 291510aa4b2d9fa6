import Cycles

/// The work of a soak: lifecycles of all kinds, of clients with and without a journal.
final class SoakWork: Sendable {
    private struct Books {
        var spent: Int64 = 0
        var tally: [String: Int] = [:]
        var findings: [String] = []
        /// Reservations that nobody holds, because no answer to the request for them arrived.
        var lostReservations = 0
    }

    private static let concurrency = 64
    /// Short, so that reservations without a holder end soon; long enough for a busy machine.
    private static let timeToLive = Duration.seconds(20)

    private let plain: CyclesConfiguration
    private let durable: CyclesConfiguration
    private let plainClient: CyclesClient
    private let durableClient: CyclesClient
    private let blockingClient: BlockingCyclesClient
    private let books = Lock(Books())

    init(baseURL: String, journal: String) throws {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: PartedAuthority.apiKey)
        configuration.tenant = "acme"
        configuration.retry.initialDelay = .milliseconds(20)
        configuration.connectTimeout = .seconds(20)
        configuration.readTimeout = .seconds(20)
        configuration.journal = .disabled
        configuration.observer = SilentObserver()
        plain = configuration
        configuration.journal = .directory(journal)
        durable = configuration
        plainClient = try CyclesClient(configuration: plain)
        durableClient = try CyclesClient(configuration: durable)
        blockingClient = try BlockingCyclesClient(configuration: plain)
    }

    var tally: [String: Int] { books.withLock { $0.tally } }
    var findings: [String] { books.withLock { $0.findings } }

    // MARK: Parts

    /// Runs a part of the lifecycles, then compares the ledger with the work.
    func run(_ numbers: Range<Int>, isDurable: Bool) async throws {
        let transport = CurlTransport(configuration: plain)
        _ = try await transport.send(HTTPRequest(method: .post, url: plain.baseURL + PartedAuthority.nextPath))
        await transport.shutdown()
        books.withLock { ($0.spent, $0.lostReservations) = (0, 0) }
        let counter = Counter(numbers)
        let blockingWork = Task.detached { await self.runBlocking(numbers.count / 50) }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<SoakWork.concurrency {
                group.addTask {
                    while let number = counter.next() { await self.lifecycle(number, isDurable: isDurable) }
                }
            }
        }
        await blockingWork.value
        await checkLedger()
    }

    private func checkLedger() async {
        for client in [plainClient, durableClient] {
            let report = await client.flush(timeout: .seconds(300))
            if report.stillPending > 0 { find("\(report.stillPending) settlements did not end") }
        }
        blockingClient.flush(timeout: .seconds(300))
        do {
            let deadline = ContinuousClock.now + SoakWork.timeToLive + .seconds(60)
            var balance = try await plainClient.getBalances().balances.first
            // Reservations whose answer was lost end with their lease.
            while balance?.reserved != .tokens(0), .now < deadline {
                try await Task.sleep(for: .milliseconds(100))
                balance = try await plainClient.getBalances().balances.first
            }
            var expired = 0
            for try await _ in plainClient.reservations(ReservationQuery(status: .expired)) { expired += 1 }
            let (spent, lost) = books.withLock { ($0.spent, $0.lostReservations) }
            count("reservations that ended with their lease", expired)
            if expired > lost { find("\(expired) leases ran out, and only \(lost) requests for one failed") }
            if balance?.spent != .tokens(spent) {
                find("\(spent) spent, but the ledger says \(balance?.spent, default: "nothing")")
            }
            if balance?.reserved != .tokens(0) { find("still reserved: \(balance?.reserved, default: "unknown")") }
        } catch {
            find("the ledger cannot be read: \(error)")
        }
    }

    func shutDown() async {
        await plainClient.shutdown()
        await durableClient.shutdown()
        blockingClient.shutdown()
    }

    // MARK: Lifecycles

    private func request(_ estimate: Int64 = 100, timeToLive: Duration = SoakWork.timeToLive)
        -> ReservationCreateRequest
    {
        ReservationCreateRequest(
            action: Action(kind: "llm.completion", name: "soak"),
            estimate: .tokens(estimate),
            timeToLive: timeToLive,
            gracePeriod: .zero
        )
    }

    private func lifecycle(_ number: Int, isDurable: Bool) async {
        let client = isDurable ? durableClient : plainClient
        let amount = Int64(1 + number % 90)
        do throws(CyclesError) {
            switch (number % 1_000, number % 50) {
            case (500, _): try await longLifecycle(client, amount)
            case (700, _): await cancelledLifecycle(client)
            case (900, _): try await lifecycleOfOwnClient(isDurable ? durable : plain, amount)
            case (_, 1), (_, 2):
                _ = try await client.reserve(request())
                count("dropped guards")
            case (_, 3), (_, 4):
                let reservation = try await client.reserve(request())
                reservation.addSpend(.tokens(amount))
                charge(amount, "dropped guards with recorded spend")
            case (_, 5), (_, 6), (_, 7), (_, 8), (_, 9):
                try await client.reserve(request()).release(reason: "no work")
                count("releases")
            case (_, 10):
                let reservation = try await client.reserve(request())
                do throws(CyclesError) {
                    _ = try await client.extendReservation(reservation.reservationID, ExtendRequest(by: .seconds(10)))
                    count("extensions by hand")
                } catch {
                    // The commit follows all the same.
                    count("extensions by hand that failed")
                }
                try await commit(reservation, amount)
            case (_, 11):
                charge(amount, "events without a reservation")
                try await client.record(
                    EventCreateRequest(action: Action(kind: "llm.completion", name: "soak"), actual: .tokens(amount))
                )
            case (_, 12): await deniedLifecycle(client)
            case (_, 13), (_, 14): await scopedLifecycle(client, amount)
            default: try await commit(try await client.reserve(request()), amount)
            }
        } catch {
            failed(error)
        }
    }

    private func commit(_ reservation: consuming ReservationGuard, _ amount: Int64) async throws(CyclesError) {
        charge(amount, "commits")
        try await reservation.commit(.tokens(amount))
    }

    /// Holds a guard for longer than its time to live.
    private func longLifecycle(_ client: CyclesClient, _ amount: Int64) async throws(CyclesError) {
        let reservation = try await client.reserve(request(timeToLive: .seconds(2)))
        try? await Task.sleep(for: .milliseconds(2_500))
        count("guards held for longer than their lease")
        try await commit(reservation, amount)
    }

    private func cancelledLifecycle(_ client: CyclesClient) async {
        let request = request()
        let task = Task { GuardBox(try await client.reserve(request)) }
        await Task.yield()
        task.cancel()
        if let box = try? await task.value, let reservation = box.take() { _ = try? await reservation.release() }
        books.withLock { $0.lostReservations += 1 }
        count("cancelled requests")
    }

    private func lifecycleOfOwnClient(_ configuration: CyclesConfiguration, _ amount: Int64) async throws(CyclesError) {
        let client = try CyclesClient(configuration: configuration)
        do throws(CyclesError) {
            try await commit(try await client.reserve(request()), amount)
        } catch {
            failed(error)
        }
        await client.shutdown(timeout: .seconds(300))
        count("clients created and shut down")
    }

    private func deniedLifecycle(_ client: CyclesClient) async {
        do throws(CyclesError) {
            _ = try await client.reserve(request(Int64.max / 2))
            find("a reservation beyond the budget was granted")
        } catch {
            switch error {
            case .denied: count("denied requests")
            default: failed(error)
            }
        }
    }

    /// Work of an agent of the tenant, with a client that shares the connections and the engine.
    private func scopedLifecycle(_ client: CyclesClient, _ amount: Int64) async {
        let options = CyclesOptions(
            estimate: .tokens(100),
            action: Action(kind: "llm.completion", name: "soak"),
            timeToLive: SoakWork.timeToLive,
            gracePeriod: .zero
        )
        do {
            let scoped: CyclesClient = try client.scoped(to: Subject(agent: "bot"))
            try await scoped.withCycles(options) { _ in
                charge(amount, "closures of scoped clients")
                return ((), .tokens(amount))
            }
        } catch let error as CyclesError {
            failed(error)
        } catch {
            find("\(error)")
        }
    }

    private func runBlocking(_ count: Int) async {
        // Blocks a thread of its own, and none of the tasks'.
        await withCheckedContinuation { continuation in
            let thread = SystemThread.start {
                for number in 0..<count { self.blockingLifecycle(Int64(1 + number % 90)) }
                continuation.resume()
            }
            guard let thread else { fatalError("the system has no thread") }
            thread.detach()
        }
    }

    private func blockingLifecycle(_ amount: Int64) {
        do throws(CyclesError) {
            let reservation = try blockingClient.reserve(request())
            charge(amount, "commits of a blocking client")
            try reservation.commit(.tokens(amount))
        } catch {
            failed(error)
        }
    }

    // MARK: Books

    private func count(_ name: String, _ number: Int = 1) {
        books.withLock { $0.tally[name, default: 0] += number }
    }

    /// Expects a charge of the ledger.
    private func charge(_ amount: Int64, _ name: String) {
        books.withLock { books in
            books.spent += amount
            books.tally[name, default: 0] += 1
        }
    }

    private func find(_ text: String) { books.withLock { $0.findings.append(text) } }

    /// A request for a reservation may fail. Any other failure would lose a spend.
    private func failed(_ error: CyclesError) {
        books.withLock { books in
            books.lostReservations += 1
            books.tally["requests for a reservation that failed", default: 0] += 1
            books.tally["  \("\(error)".prefix { $0 != ":" })", default: 0] += 1
        }
    }
}

/// Discards all events, as a client's own observer would print warnings.
private struct SilentObserver: CyclesObserver {
    func observe(_ event: CyclesEvent) {}
}

/// Counts the lifecycles that the tasks of a part have begun.
private final class Counter: Sendable {
    private let rest: Lock<Range<Int>>

    init(_ numbers: Range<Int>) { rest = Lock(numbers) }

    func next() -> Int? {
        rest.withLock { rest in
            defer { rest = rest.dropFirst() }
            return rest.first
        }
    }
}
