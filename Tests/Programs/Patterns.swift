// The ways to use a guard that the documentation describes.

import Cycles
import CyclesTesting

@main
struct Patterns {
    static let action = Action(kind: "llm.completion", name: "model")
    static let request = ReservationCreateRequest(action: action, estimate: .tokens(100))

    static func main() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10_000))
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: authority)
        try await handOver(client)
        try await childTasks(client)
        try await eitherEnd(client, isGood: true)
        try await eitherEnd(client, isGood: false)
        try await denied(client)
        await typed(client)
        try await sessions(client)
        try await stream(client)
        try blocking(BlockingCyclesClient(configuration: configuration, transport: authority))
        await client.shutdown()
        let balance = authority.balances()[0]
        print("spent \(balance.spent?.amount ?? 0), reserved \(balance.reserved?.amount ?? 0)")
    }

    /// Another task finishes the guard.
    static func handOver(_ client: CyclesClient) async throws {
        let box = GuardBox(try await client.reserve(request))
        try await Task { if let reservation = box.take() { try await reservation.commit(.tokens(1)) } }.value
    }

    /// Child tasks record what they spend, their parent finishes the guard.
    static func childTasks(_ client: CyclesClient) async throws {
        let reservation = try await client.reserve(request)
        let context = reservation.context
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { context.addSpend(.tokens(1)) } }
        }
        let spent = context.recordedSpend ?? .tokens(0)
        try await reservation.commit(spent)
    }

    /// Each path finishes the guard once.
    static func eitherEnd(_ client: CyclesClient, isGood: Bool) async throws {
        let reservation = try await client.reserve(request)
        if isGood {
            try await reservation.commit(.tokens(100))
        } else {
            try await reservation.release(reason: "not good")
        }
    }

    /// A budget that is exhausted, in work that fails for no other reason.
    static func denied(_ client: CyclesClient) async throws {
        let large = ReservationCreateRequest(action: action, estimate: .tokens(1_000_000))
        do {
            let reservation = try await client.reserve(large)
            let cost = await Task { Amount.tokens(1) }.value
            try await reservation.commit(cost)
        } catch CyclesError.denied(let denial) where denial.reason == .budgetExceeded {
            return
        } catch {
            throw error
        }
    }

    /// Errors of this package only.
    static func typed(_ client: CyclesClient) async {
        do throws(CyclesError) {
            let reservation = try await client.reserve(request)
            try await reservation.release()
        } catch {
            print(error.isRetryable, error.retryAfter ?? .zero)
        }
    }

    /// An object that owns a guard.
    actor Session {
        private let client: CyclesClient
        private var reservation: ReservationGuard?

        init(_ client: CyclesClient) { self.client = client }

        func begin(_ request: ReservationCreateRequest) async throws {
            reservation = try await client.reserve(request)
        }

        func own(_ reservation: consuming ReservationGuard) {
            self.reservation = consume reservation
        }

        func spend(_ amount: Amount) { reservation?.addSpend(amount) }

        func finish(_ actual: Amount) async throws {
            if let finished = reservation.take() { try await finished.commit(actual) }
        }
    }

    static func sessions(_ client: CyclesClient) async throws {
        let session = Session(client)
        try await session.begin(request)
        await session.spend(.tokens(5))
        try await session.finish(.tokens(1_000 / 1_000))
        await session.own(try await client.reserve(request))
        try await session.finish(.tokens(0))
    }

    static func stream(_ client: CyclesClient) async throws {
        let words = client.metered(
            CyclesOptions(estimate: .tokens(100), action: action),
            usage: { (_: String) in .added(.tokens(1)) }
        ) { context in
            AsyncStream { continuation in
                for word in ["a", "b", "c"] { continuation.yield(word) }
                continuation.finish()
            }
        }
        for try await word in words { precondition(word.count == 1) }
    }

    static func blocking(_ client: BlockingCyclesClient) throws {
        let reservation = try client.reserve(request)
        try reservation.commit(.tokens(2))
        let length = try client.withCycles(CyclesOptions(estimate: .tokens(100), action: action)) { _ in
            (3, .tokens(3))
        }
        precondition(length == 3)
        client.shutdown()
    }
}
