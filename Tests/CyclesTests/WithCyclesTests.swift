import Cycles
import CyclesTesting
import Synchronization
import Testing

private struct WorkFailed: Error, Equatable { var number = 1 }

/// A result that must not leave its isolation.
private final class NotSendable {
    var number: Int
    init(_ number: Int) { self.number = number }
}

@Suite struct WithCyclesTests {
    private func options(_ estimate: Int64 = 1_000, _ unknown: UnknownActualPolicy = .commitEstimate) -> CyclesOptions {
        CyclesOptions(estimate: .tokens(estimate), action: LifecycleBench.action, whenActualUnknown: unknown)
    }

    @Test func aBodyIsRunAndItsCostCommitted() async throws {
        let bench = try LifecycleBench()
        let reply = try await bench.client.withCycles(options()) { context in
            #expect(bench.authority.activeReservations == [context.reservationID])
            #expect(context.decision == .allow && context.caps == nil && context.affectedScopes == ["tenant:acme"])
            #expect(context.settlement == nil)
            return ("Hello", .tokens(42))
        }
        #expect(reply == "Hello")
        #expect(bench.figures == [99_958, 0, 42])
    }

    @Test func theCostMayBePartOfTheValue() async throws {
        let bench = try LifecycleBench()
        let value = try await bench.client.withCycles(options(), actual: { .tokens(Int64($0.count)) }) { _ in "12345" }
        #expect(value == "12345" && bench.figures == [99_995, 0, 5])
        let (other, settlement) = try await bench.client.withCyclesOutcome(options(), actual: { _ in .tokens(1) }) {
            _ in 7
        }
        #expect(other == 7)
        #expect(try settlement.get().charged == .tokens(1))
    }

    // MARK: Bodies that record their cost

    @Test func aBodyMayReturnItsValueAloneAndRecordItsCost() async throws {
        let bench = try LifecycleBench()
        let text = try await bench.client.withCycles(options()) { context in
            context.addSpend(.tokens(40))
            context.addSpend(.tokens(2))
            return "Hello"
        }
        try await bench.client.withCycles(options()) { context in context.addSpend(.tokens(8)) }
        #expect(text == "Hello" && bench.figures == [99_950, 0, 50])
    }

    @Test(
        arguments: [
            (nil, 1_000, true), (.tokens(0), 0, false), (.tokens(7), 7, false), (.credits(7), 1_000, true),
        ] as [(Amount?, Int64, Bool)]
    )
    func withoutAReturnedCostTheRecordedOneIsCharged(spend: Amount?, charged: Int64, isEstimate: Bool) async throws {
        let bench = try LifecycleBench()
        let (value, result) = try await bench.client.withCyclesOutcome(options()) { context in
            if let spend { context.addSpend(spend) }
            return 1
        }
        let settlement = try result.get()
        #expect(value == 1 && settlement.charged == .tokens(charged) && settlement.chargedEstimate == isEstimate)
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [100_000 - charged, 0, charged])
    }

    @Test func withoutAnyCostItCanBeAFailure() async throws {
        let bench = try LifecycleBench()
        do {
            try await bench.client.withCycles(options(1_000, .fail)) { _ in }
            Issue.record("no failure")
        } catch CyclesError.validation(let issue) {
            #expect(issue.field == "actual")
        } catch {
            throw error
        }
        #expect(bench.operations == ["reserve"])
        try await bench.client.withCycles(options(1_000, .fail)) { context in context.setSpend(.tokens(0)) }
        #expect(bench.operations == ["reserve", "reserve", "commit"])
    }

    @Test func aBodyThatThrowsGivesTheHoldBack() async throws {
        let bench = try LifecycleBench()
        await #expect(throws: WorkFailed(number: 3)) {
            try await bench.client.withCycles(options()) { _ -> (Int, Amount) in throw WorkFailed(number: 3) }
        }
        #expect(bench.operations == ["reserve", "release"])
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func aBodyThatThrowsAfterSpendingIsCharged() async throws {
        let bench = try LifecycleBench()
        await #expect(throws: WorkFailed()) {
            try await bench.client.withCycles(options()) { context -> (Int, Amount) in
                context.addSpend(.tokens(30))
                throw WorkFailed()
            }
        }
        #expect(bench.operations == ["reserve", "commit"])
        #expect(bench.figures == [99_970, 0, 30])
    }

    @Test(arguments: UnknownActualPolicy.allCases)
    func aBodyThatThrowsAfterUnknownSpendIsChargedTheEstimate(policy: UnknownActualPolicy) async throws {
        let bench = try LifecycleBench()
        var options = options()
        options.whenActualUnknown = policy
        await #expect(throws: WorkFailed()) {
            try await bench.client.withCycles(options) { context -> (Int, Amount) in
                context.addSpend(.credits(30))
                throw WorkFailed()
            }
        }
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [99_000, 0, 1_000])
        // The same for a body that returns, and cannot say what it cost.
        _ = try await bench.client.withCycles(options, actual: { _ in throw WorkFailed() }) { context -> Int in
            context.addSpend(.credits(30))
            return 1
        }
        #expect(bench.figures == [98_000, 0, 2_000])
        #expect(bench.wire.requests.last?.json["metadata"] == ["actual_source": "estimate"])
    }

    @Test func aBodyThatFailsIsChargedTheEstimateIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench()
        var options = options()
        options.whenBodyFails = .commitEstimate
        await #expect(throws: WorkFailed(number: 3)) {
            try await bench.client.withCycles(options) { _ -> (Int, Amount) in throw WorkFailed(number: 3) }
        }
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [99_000, 0, 1_000])
        #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
        // Recorded spend takes precedence.
        await #expect(throws: WorkFailed()) {
            try await bench.client.withCycles(options) { context -> (Int, Amount) in
                context.addSpend(.tokens(30))
                throw WorkFailed()
            }
        }
        #expect(bench.figures == [98_970, 0, 1_030] && bench.wire.requests.last?.json["metadata"] == nil)
    }

    @Test func aBlockingBodyThatFailsIsChargedTheEstimateIfThatIsThePolicy() throws {
        let bench = try LifecycleBench()
        let client = try BlockingCyclesClient.waiting(
            configuration: bench.client.configuration,
            transport: bench.wire,
            clock: bench.clock
        )
        var options = options()
        options.whenBodyFails = .commitEstimate
        #expect(throws: WorkFailed()) {
            try client.withCycles(options) { _ -> (Int, Amount) in throw WorkFailed() }
        }
        #expect(bench.figures == [99_000, 0, 1_000])
    }

    // MARK: One key for two calls

    @Test func aSecondCallWithTheKeyOfHeldWorkIsRefusedBeforeItsBodyRuns() async throws {
        let bench = try LifecycleBench()
        var options = options()
        options.idempotencyKey = "one-key"
        let ran = Lock(0)
        let value: Int = try await bench.client.withCycles(options) { [options] _ in
            let error = await bench.failure { () throws(CyclesError) in
                do {
                    _ = try await bench.client.withCycles(options) { _ -> (Int, Amount) in
                        ran.withLock { $0 += 1 }
                        return (2, .tokens(2))
                    }
                } catch {
                    throw error as? CyclesError ?? .cancelled
                }
            }
            guard case .validation(let issue) = error else {
                Issue.record("\(error as Any)")
                return (1, .tokens(5))
            }
            #expect(issue.field == "idempotencyKey" && issue.description.hasPrefix("The call is refused"))
            return (1, .tokens(5))
        }
        #expect(value == 1 && ran.withLock { $0 } == 0)
        #expect(bench.figures == [99_995, 0, 5] && !bench.operations.contains("release"))
    }

    @Test func aDeniedBodyIsNotRun() async throws {
        let bench = try LifecycleBench(budget: 5)
        let ran = Lock(false)
        do {
            _ = try await bench.client.withCycles(options()) { _ in
                ran.withLock { $0 = true }
                return (1, .tokens(1))
            }
            Issue.record("not denied")
        } catch let error as CyclesError {
            #expect(error.isDenied)
        }
        #expect(!ran.withLock { $0 })
    }

    // MARK: The context

    @Test func contextsNest() async throws {
        let bench = try LifecycleBench()
        #expect(CyclesContext.current?.reservationID == nil)
        try await bench.client.withCycles(options()) { outer in
            #expect(CyclesContext.current?.reservationID == outer.reservationID)
            try await bench.client.withCycles(options(10)) { inner in
                #expect(inner.reservationID != outer.reservationID)
                #expect(CyclesContext.current?.reservationID == inner.reservationID)
                CyclesContext.current?.addSpend(.tokens(2))
                return ((), .tokens(3))
            }
            #expect(CyclesContext.current?.reservationID == outer.reservationID)
            #expect(outer.recordedSpend == nil)
            async let child = CyclesContext.current?.reservationID
            #expect(await child == outer.reservationID)
            return ((), .tokens(5))
        }
        #expect(CyclesContext.current?.reservationID == nil)
        #expect(bench.figures == [99_992, 0, 8])
    }

    @Test func whatTheBodySaysReachesTheCommit() async throws {
        let bench = try LifecycleBench()
        try await bench.client.withCycles(options()) { context in
            context.metrics.tokensInput = 7
            context.updateMetrics { $0.modelVersion = "v1" }
            context.metadata["job"] = 7
            context.updateMetadata { $0["more"] = true }
            bench.clock.advance(by: .milliseconds(1_250))
            return ((), .tokens(5))
        }
        let commit = bench.wire.requests[1].json
        #expect(commit["metrics"] == ["tokens_input": 7, "latency_ms": 1_250, "model_version": "v1"])
        #expect(commit["metadata"] == ["job": 7, "more": true])
    }

    @Test func changesMayAskTheContext() async throws {
        let bench = try LifecycleBench()
        try await bench.client.withCycles(options()) { context in
            context.addSpend(.tokens(3))
            context.metadata["before"] = 1
            context.updateMetadata { metadata in
                metadata["spent"] = .string("\(context.recordedSpend?.amount ?? 0)")
                metadata["count"] = .string("\(context.metadata.count)")
                context.addSpend(.tokens(1))
            }
            context.updateMetrics { $0.tokensInput = context.recordedSpend?.amount }
            return ((), .tokens(4))
        }
        let commit = bench.wire.requests[1].json
        #expect(commit["metadata"] == ["before": 1, "spent": "3", "count": "1"])
        #expect(commit["metrics"]?["tokens_input"] == 4)
    }

    @Test func aChangeOverwritesTheChangesInsideIt() async throws {
        let bench = try LifecycleBench()
        try await bench.client.withCycles(options()) { context in
            context.updateMetadata { outer in
                context.updateMetadata { $0["inner"] = true }
                context.metrics.tokensInput = 3
                outer["outer"] = true
            }
            return ((), .tokens(4))
        }
        let commit = bench.wire.requests[1].json
        #expect(commit["metadata"] == ["outer": true])
    }

    @Test func aChangeIsRepeatedOnWhatAnotherThreadStoredMeanwhile() async throws {
        let bench = try LifecycleBench()
        try await bench.client.withCycles(options()) { context in
            let isFirst = Lock(true)
            context.updateMetadata { metadata in
                metadata["log"] = .string((metadata["log"]?.string ?? "") + "outer")
                guard
                    isFirst.withLock({ isFirst in
                        defer { isFirst = false }
                        return isFirst
                    })
                else { return }
                SystemThread.start { context.updateMetadata { $0["log"] = "inner " } }?.join()
            }
            return ((), .tokens(4))
        }
        #expect(bench.wire.requests[1].json["metadata"] == ["log": "inner outer"])
    }

    @Test func aLatencyThatWasSetIsKept() async throws {
        let bench = try LifecycleBench()
        try await bench.client.withCycles(options()) { context in
            context.metrics.latency = .milliseconds(3)
            bench.clock.advance(by: .seconds(1))
            return ((), .tokens(5))
        }
        #expect(bench.wire.requests[1].json["metrics"] == ["latency_ms": 3])
    }

    // MARK: Costs that are not known

    @Test(arguments: [Amount.tokens(-1), .credits(3)])
    func anInvalidCostCommitsTheEstimate(actual: Amount) async throws {
        let bench = try LifecycleBench()
        let value = try await bench.client.withCycles(options()) { _ in (1, actual) }
        #expect(value == 1 && bench.figures == [99_000, 0, 1_000])
        #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
    }

    @Test func aCostThatCannotBeDeterminedCommitsWhatWasRecorded() async throws {
        let bench = try LifecycleBench()
        let value = try await bench.client.withCycles(options(), actual: { _ in throw WorkFailed() }) { context in
            context.addSpend(.tokens(11))
            return 1
        }
        #expect(value == 1 && bench.figures == [99_989, 0, 11])
    }

    @Test func anUnknownCostCanBeAFailure() async throws {
        let bench = try LifecycleBench()
        do {
            _ = try await bench.client.withCycles(options(1_000, .fail), actual: { _ in throw WorkFailed() }) { _ in 1 }
            Issue.record("no failure")
        } catch CyclesError.validation(let issue) {
            #expect(issue.field == "actual")
        }
        bench.clock.advance(by: .seconds(59))
        #expect(bench.operations == ["reserve"] && bench.figures == [99_000, 1_000, 0])
        bench.clock.advance(by: .seconds(10))
        #expect(bench.figures == [100_000, 0, 0])

        let (value, result) = try await bench.client.withCyclesOutcome(options(1_000, .fail)) { _ in (2, .tokens(-1)) }
        #expect(value == 2)
        guard case .failure(.validation) = result else {
            Issue.record("\(result)")
            return
        }
        // Recorded spend is known.
        try await bench.client.withCycles(options(1_000, .fail)) { context in
            context.setSpend(.tokens(4))
            return ((), .tokens(-1))
        }
        #expect(bench.authority.balances()[0].spent == .tokens(4))
    }

    // MARK: Settlements that fail

    @Test func aRefusedSettlementDoesNotCostTheValue() async throws {
        let bench = try LifecycleBench()
        var options = options()
        options.overagePolicy = .reject
        let seen = Lock<CyclesContext?>(nil)
        let value = try await bench.client.withCycles(options) { context in
            seen.withLock { $0 = context }
            return ("kept", .tokens(1_001))
        }
        #expect(value == "kept")
        let context = try #require(seen.withLock { $0 })
        guard case .failure(let error) = context.settlement else {
            Issue.record("\(context.settlement as Any)")
            return
        }
        #expect(error.errorCode == .budgetExceeded)
        let (_, result) = try await bench.client.withCyclesOutcome(options) { _ in ((), .tokens(1_001)) }
        guard case .failure = result else {
            Issue.record("\(result)")
            return
        }
    }

    @Test func aLostLeaseFailsTheEndIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        for _ in 0..<40 { bench.wire.loseRequest("extend") }
        do {
            _ = try await bench.client.withCycles(options()) { _ in
                bench.clock.advance(by: .seconds(61))
                return (1, .tokens(9))
            }
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let loss) {
            #expect(loss.settlement?.charged == .tokens(9))
        }
        let (value, result) = try await bench.client.withCyclesOutcome(options()) { _ in
            bench.clock.advance(by: .seconds(61))
            return (1, .tokens(9))
        }
        #expect(value == 1)
        guard case .failure(.leaseLost) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(bench.figures == [99_982, 0, 18])
    }

    @Test func aLostLeaseWhoseSettlementFailsIsAFailureToo() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        let body = #"{"error":"NOT_FOUND","message":"gone","request_id":"r"}"#
        bench.wire.answer("extend", status: 404, body)
        bench.wire.answer("commit", status: 404, body)
        do {
            _ = try await bench.client.withCycles(options()) { _ in
                bench.clock.advance(by: .seconds(46))
                return (1, .tokens(9))
            }
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let loss) {
            #expect(loss.settlement == nil && loss.message.contains("gone"))
        }
    }

    @Test func aReleaseAfterALossIsNoFailure() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        for _ in 0..<20 { bench.wire.loseRequest("extend") }
        let guarded = try await bench.client.reserve(
            ReservationCreateRequest(action: LifecycleBench.action, estimate: .tokens(10))
        )
        bench.clock.advance(by: .seconds(120))
        #expect(try await guarded.release().outcome == .released)
    }

    @Test func anothersLossIsPassedOnUnchanged() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .failOnFinalize }
        let loss = LeaseLoss(reservationID: "rsv_other", message: "of another")
        do {
            _ = try await bench.client.withCycles(options()) { _ -> (Int, Amount) in throw CyclesError.leaseLost(loss) }
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let found) {
            #expect(found == loss)
        }
    }

    // MARK: Cancellation

    @Test func aLostLeaseCancelsTheBodyIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .cancel }
        for _ in 0..<40 { bench.wire.loseRequest("extend") }
        do {
            _ = try await bench.client.withCycles(options()) { context -> (Int, Amount) in
                context.addSpend(.tokens(6))
                bench.clock.advance(by: .seconds(61))
                #expect(Task.isCancelled)
                try Task.checkCancellation()
                return (1, .tokens(9))
            }
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let loss) {
            #expect(loss.settlement?.charged == .tokens(6))
        }
        // Nothing but the body was cancelled.
        #expect(!Task.isCancelled)
        #expect(bench.figures == [99_994, 0, 6])
        // A body that returns in spite of it is settled as usual.
        let value = try await bench.client.withCycles(options()) { _ in
            bench.clock.advance(by: .seconds(61))
            return (2, .tokens(1))
        }
        #expect(value == 2)
    }

    @Test func underThePolicyABodyIsCancelledWithItsTask() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .cancel }
        let hasBegun = Mutex(false)
        let task = Task {
            try await bench.client.withCycles(options()) { _ -> (Int, Amount) in
                #expect(CyclesContext.current != nil)
                hasBegun.withLock { $0 = true }
                await until { Task.isCancelled }
                throw CancellationError()
            }
        }
        await until { hasBegun.withLock { $0 } }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func aCancelledTaskStillSettles() async throws {
        let bench = try LifecycleBench()
        let task = Task {
            try await bench.client.withCycles(options()) { context -> (Int, Amount) in
                context.addSpend(.tokens(3))
                withUnsafeCurrentTask { $0?.cancel() }
                try Task.checkCancellation()
                return (1, .tokens(1))
            }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(bench.figures == [99_997, 0, 3])
    }

    // MARK: Isolation

    private actor Agent {
        private var replies: [Int] = []
        let bench: LifecycleBench
        init(_ bench: LifecycleBench) { self.bench = bench }

        func run(_ options: CyclesOptions) async throws -> Int {
            let result = try await bench.client.withCycles(options) { _ in
                // The actor's own state, without leaving it.
                self.replies.append(1)
                assertIsolated()
                return (NotSendable(self.replies.count), .tokens(1))
            }
            return result.number
        }
    }

    @Test(arguments: [HeartbeatPolicy.warn, .cancel])
    func bodiesStayWhereTheirCallersAre(policy: HeartbeatPolicy) async throws {
        let bench = try LifecycleBench { $0.heartbeat = policy }
        #expect(try await Agent(bench).run(options()) == 1)
        let result = try await bench.client.withCycles(options()) { _ in (NotSendable(5), .tokens(1)) }
        result.number += 1
        #expect(result.number == 6)
        #expect(try await onMainActor(bench) == 3)
        #expect(bench.figures == [99_997, 0, 3])
    }

    @MainActor private func onMainActor(_ bench: LifecycleBench) async throws -> Int {
        var local = 1
        let result = try await bench.client.withCycles(options()) { _ in
            local += 2
            MainActor.assertIsolated()
            return (NotSendable(local), .tokens(1))
        }
        return result.number
    }
}
