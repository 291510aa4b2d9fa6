import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// Numbers that a seed decides.
private struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

private struct WorkFailed: Error {}

/// A stream of elements that each used one token, and which may fail.
private struct Ticks: AsyncSequence, Sendable {
    let count: Int
    let fails: Bool

    func makeAsyncIterator() -> Iterator { Iterator(left: count, fails: fails) }

    struct Iterator: AsyncIteratorProtocol {
        var left: Int
        let fails: Bool

        mutating func next() async throws -> Int? {
            if Task.isCancelled { throw CancellationError() }
            guard left > 0 else {
                if fails { throw WorkFailed() }
                return nil
            }
            left -= 1
            return left
        }
    }
}

/// Ten thousand lifecycles by chance: whatever becomes of them, nothing stays held, and what was spent is charged.
@Suite struct LifecycleSimulationTests {
    private static let budget: Int64 = 100_000_000

    /// A client over an authority that answers in tasks, so that everything interleaves.
    private struct World {
        let authority = LocalAuthority()
        let transport: FaultyTransport
        let observer = RecordingObserver()
        let client: CyclesClient

        init(seed: UInt64, faults: FaultyTransport.Faults) throws {
            authority.addAPIKey("key-1", tenant: "acme")
            for scope in ["tenant:acme", "tenant:acme/agent:bot"] {
                authority.setBudget(scope: scope, allocated: .tokens(LifecycleSimulationTests.budget))
            }
            transport = FaultyTransport(authority, seed: seed, faults: faults)
            var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-1")
            configuration.tenant = "acme"
            configuration.agent = "bot"
            configuration.journal = .disabled
            configuration.observer = observer
            configuration.retry.initialDelay = .milliseconds(1)
            configuration.retry.maxDelay = .milliseconds(5)
            configuration.retry.maxRetries = 20
            client = try CyclesClient(
                configuration: configuration,
                environment: ClientEnvironment(transport: .tasks(TaskCallbackTransport(transport)))
            )
        }
    }

    /// Performs a lifecycle and returns the spend that it knows of; nil if unknown, because no budget was granted.
    private static func lifecycle(_ client: CyclesClient, _ numbers: inout SeededNumbers) async -> Int64? {
        let action = Action(kind: "k", name: "n")
        let request = ReservationCreateRequest(action: action, estimate: .tokens(100))
        let options = CyclesOptions(estimate: .tokens(100), action: action)
        let amount = Int64.random(in: 0...90, using: &numbers)
        switch Int.random(in: 0..<9, using: &numbers) {
        case 0:
            guard let guarded = try? await client.reserve(request) else { return nil }
            _ = try? await guarded.commit(.tokens(amount))
            return amount
        case 1:
            guard let guarded = try? await client.reserve(request) else { return nil }
            _ = try? await guarded.release()
            return 0
        case 2:
            // Dropped with spend, or without.
            guard let guarded = try? await client.reserve(request) else { return nil }
            guarded.addSpend(.tokens(amount))
            return amount
        case 3:
            guard let guarded = try? await client.reserve(request) else { return nil }
            let box = GuardBox(guarded)
            return await Task {
                guard let guarded = box.take() else { return nil }
                guarded.setSpend(.tokens(amount))
                _ = try? await guarded.release()
                return amount
            }.value
        case 4:
            let outcome = try? await client.withCyclesOutcome(options) { _ in ((), .tokens(amount)) }
            return outcome == nil ? nil : amount
        case 5:
            let spent = Lock<Int64?>(nil)
            _ = try? await client.withCycles(options) { context -> ((), Amount) in
                context.addSpend(.tokens(amount))
                spent.withLock { $0 = amount }
                throw WorkFailed()
            }
            return spent.withLock { $0 }
        case 6:
            // A stream, read to its end, abandoned, or failed.
            let count = Int.random(in: 0...6, using: &numbers)
            let readable = Int.random(in: 1...8, using: &numbers)
            let ticks = Ticks(count: count, fails: amount.isMultiple(of: 3))
            var read = 0
            do {
                for try await _ in client.metered(options, usage: { (_: Int) in .added(.tokens(1)) }, { _ in ticks }) {
                    read += 1
                    if read == readable { break }
                }
            } catch is WorkFailed {} catch {
                return nil
            }
            return Int64(read)
        default:
            // Cancelled at some moment.
            let patience = Int.random(in: 0...40, using: &numbers)
            let spent = Lock<Int64>(0)
            let task = Task {
                let guarded = try await client.reserve(request)
                guarded.addSpend(.tokens(amount))
                spent.withLock { $0 = amount }
                for _ in 0..<5 { await Task.yield() }
                if Task.isCancelled { throw CancellationError() }
                try await guarded.commit(.tokens(amount))
            }
            for _ in 0..<patience { await Task.yield() }
            task.cancel()
            _ = await task.result
            return spent.withLock { $0 }
        }
    }

    /// Runs lifecycles side by side; returns what they spent in all.
    private func run(_ world: World, lifecycles: Int, seed: UInt64) async -> Int64 {
        let client = world.client
        return await withTaskGroup(of: Int64.self) { group in
            for lane in 0..<UInt64(20) {
                group.addTask {
                    var numbers = SeededNumbers(state: seed &* 1_000 &+ lane)
                    var spent: Int64 = 0
                    for _ in 0..<(lifecycles / 20) {
                        spent += await Self.lifecycle(client, &numbers) ?? 0
                    }
                    return spent
                }
            }
            return await group.reduce(0, +)
        }
    }

    /// The number of lifecycles; smaller where each takes many times as long.
    private static let lifecycles = Int(ProcessInfo.processInfo.environment["CYCLES_TESTS_LIFECYCLES"] ?? "") ?? 10_000

    @Test func tenThousandLifecyclesLeaveNothingHeld() async throws {
        let world = try World(seed: 1, faults: .init())
        let spent = await run(world, lifecycles: Self.lifecycles, seed: 1)
        let report = await world.client.flush(timeout: .seconds(60))
        #expect(report.stillPending == 0)
        #expect(world.authority.activeReservations.isEmpty)
        for balance in world.authority.balances() {
            #expect(balance.reserved == .tokens(0) && balance.spent == .tokens(spent), "\(balance)")
        }
        await world.client.shutdown()
    }

    @Test(arguments: [2, 3] as [UInt64])
    func faultsLoseNoSpendAndChargeNothingTwice(seed: UInt64) async throws {
        let faults = FaultyTransport.Faults(
            lostRequest: 0.02,
            lostResponse: 0.02,
            reset: 0.02,
            serverError: 0.02,
            truncated: 0.02,
            malformed: 0.02
        )
        let world = try World(seed: seed, faults: faults)
        let spent = await run(world, lifecycles: Self.lifecycles / 5, seed: seed)
        world.transport.isEnabled = false
        let report = await world.client.flush(timeout: .seconds(60))
        #expect(report.stillPending == 0)
        #expect(world.transport.injected.values.reduce(0, +) > Self.lifecycles / 100)
        for balance in world.authority.balances() { #expect(balance.spent == .tokens(spent), "\(balance)") }
        // A hold can be left behind only by a reserve that never brought an answer that tells.
        var answered: Set<IdempotencyKey> = []
        for case .attemptFinished(let end) in world.observer.events
        where end.attempt.operation == "createReservation" && end.error == nil {
            if let key = end.attempt.idempotencyKey { answered.insert(key) }
        }
        for try await left in world.client.reservations(ReservationQuery(status: .active)) {
            #expect(left.idempotencyKey.map(answered.contains) == false)
        }
        await world.client.shutdown()
    }
}
