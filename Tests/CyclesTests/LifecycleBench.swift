import Cycles
import CyclesSimulation
import CyclesTesting
import Foundation
import Testing

/// A client in virtual time over an authority with one tenant, or over whatever stands between them.
struct LifecycleBench {
    let clock = ManualClock()
    let observer = RecordingObserver()
    let authority: LocalAuthority
    /// The requests that the client sent, in order.
    let wire: RecordingTransport
    let client: CyclesClient

    init(
        options: LocalAuthority.Options = .init(),
        budget: Int64 = 100_000,
        _ change: (inout CyclesConfiguration) -> Void = { _ in }
    ) throws {
        authority = LocalAuthority(options: options, clock: clock)
        authority.addAPIKey("key-1", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(budget))
        wire = RecordingTransport(authority)
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        configuration.observer = observer
        change(&configuration)
        client = try .waiting(configuration: configuration, transport: wire, clock: clock)
    }

    static let action = Action(kind: "llm.completion", name: "model")

    func request(_ estimate: Int64 = 1_000, timeToLive: Duration = .seconds(60)) -> ReservationCreateRequest {
        ReservationCreateRequest(action: Self.action, estimate: .tokens(estimate), timeToLive: timeToLive)
    }

    /// Remaining, reserved and spent.
    var figures: [Int64] {
        let balance = authority.balances()[0]
        return [balance.remaining.amount, balance.reserved?.amount ?? 0, balance.spent?.amount ?? 0]
    }

    func events<Value>(_ pick: (CyclesEvent) -> Value?) -> [Value] { observer.events.compactMap(pick) }

    /// The operations that were sent: `POST commit`, `GET r` and the like, without ids.
    var operations: [String] { wire.requests.map(\.operationName) }

    func failure<Value: ~Copyable>(_ body: () async throws(CyclesError) -> Value) async -> CyclesError? {
        do throws(CyclesError) {
            _ = try await body()
            return nil
        } catch {
            return error
        }
    }
}

extension CyclesClient {
    /// A client by a manual clock with the waits of its configuration, for tests that advance the clock meanwhile.
    static func waiting(
        configuration: CyclesConfiguration,
        transport: any BlockingHTTPTransport,
        clock: ManualClock
    ) throws(CyclesError) -> CyclesClient {
        let transport = ClientTransport.tasks(InlineCallbackTransport(transport))
        return try CyclesClient(configuration: configuration, environment: .testing(transport, clock))
    }
}

extension BlockingCyclesClient {
    /// A blocking client by a manual clock with the waits of its configuration.
    static func waiting(
        configuration: CyclesConfiguration,
        transport: any BlockingHTTPTransport,
        clock: ManualClock
    ) throws(CyclesError) -> BlockingCyclesClient {
        let carrier = InlineCallbackTransport(transport)
        let transport = ClientTransport(calls: carrier, background: carrier, blocksCallers: true)
        return try BlockingCyclesClient(configuration: configuration, environment: .testing(transport, clock))
    }
}

/// Passes requests on, keeps them, and lets a test answer some of them instead.
final class RecordingTransport: HTTPTransport, BlockingHTTPTransport {
    typealias Answer = Result<HTTPResponse, HTTPTransportError>

    private struct State {
        var requests: [HTTPRequest] = []
        var hooks: [(operation: String, body: @Sendable (HTTPRequest) -> Void)] = []
        var plans: [(matches: @Sendable (HTTPRequest) -> Bool, reachesServer: Bool, answer: Answer)] = []
    }

    private let inner: any BlockingHTTPTransport
    private let state = Lock(State())

    init(_ inner: any BlockingHTTPTransport) { self.inner = inner }

    var requests: [HTTPRequest] { state.withLock { $0.requests } }

    /// Answers the next request of an operation that no earlier plan is for.
    /// - Parameter reachesServer: Whether the request is handled, and its answer replaced.
    func answer(_ operation: String, _ answer: Answer, reachesServer: Bool = false) {
        state.withLock { state in
            state.plans.append(({ $0.operationName == operation }, reachesServer, answer))
        }
    }

    func answer(_ operation: String, status: Int, _ body: String = "", headers: HTTPHeaders = [:]) {
        answer(operation, .success(HTTPResponse(status: status, headers: headers, body: Array(body.utf8))))
    }

    /// Looks at each request of an operation before it is handled.
    func whenSent(_ operation: String, _ body: @escaping @Sendable (HTTPRequest) -> Void) {
        state.withLock { $0.hooks.append((operation, body)) }
    }

    /// Lets all further requests through.
    func forgetPlans() { state.withLock { $0.plans = [] } }

    /// Loses the answer to the next request of an operation; it is handled all the same.
    func loseAnswer(_ operation: String) {
        let error = HTTPTransportError(kind: .connectionFailed, message: "the answer was lost", wasRequestSent: true)
        answer(operation, .failure(error), reachesServer: true)
    }

    /// Loses the next request of an operation.
    func loseRequest(_ operation: String, wasRequestSent: Bool? = nil) {
        let error = HTTPTransportError(kind: .timedOut, message: "lost on the way", wasRequestSent: wasRequestSent)
        answer(operation, .failure(error))
    }

    func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let hooks = state.withLock { $0.hooks }
        for hook in hooks where hook.operation == request.operationName { hook.body(request) }
        let plan = state.withLock { state in
            state.requests.append(request)
            let index = state.plans.firstIndex { $0.matches(request) }
            return index.map { state.plans.remove(at: $0) }
        }
        guard let plan else { return try inner.send(request) }
        if plan.reachesServer { _ = try inner.send(request) }
        return try plan.answer.get()
    }

    func shutdown() async {}
}

extension HTTPRequest {
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    var bodyKey: String? { json["idempotency_key"]?.string }
}

/// Waits until something holds that another task or thread brings about; gives up after five minutes, or ten where everything
/// is slowed down.
func until(_ condition: () -> Bool) async {
    let deadline = ContinuousClock.now + .seconds(isSlowed ? 600 : 300)
    // Cancellation ends the sleep at once, and with it what is waited for.
    while !condition(), .now < deadline { try? await Task.sleep(for: .milliseconds(1)) }
}

/// Whether everything slows down many times over, so that what takes a second of computing is left out: deriving keys.
let isSlowed = ProcessInfo.processInfo.environment["CYCLES_TESTS_ARE_SLOWED"] != nil
