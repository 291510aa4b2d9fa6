import Cycles
import CyclesTesting
import Testing

/// Calls of the forms of `withCycles` that the compiler warns of. A call of a protocol's requirement has no warning.
private protocol UnchargedForms {
    func integer(_ client: CyclesClient) async throws -> [Int]
    func optional(_ client: CyclesClient) async throws -> [Amount?]
    func integer(_ client: BlockingCyclesClient) throws -> [Int]
    func optional(_ client: BlockingCyclesClient) throws -> [Amount?]
}

private struct Calls: UnchargedForms {
    private let options = CyclesOptions(estimate: .tokens(1_000), action: LifecycleBench.action)

    @available(*, deprecated)
    func integer(_ client: CyclesClient) async throws -> [Int] {
        let (_, cost) = try await client.withCycles(options) { context in
            context.addSpend(.tokens(3))
            return ("Hello", 42)
        }
        let (value, settlement) = try await client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(4))
            return ("Hello", 43)
        }
        #expect(try settlement.get().charged == .tokens(4))
        return [cost, value.1]
    }

    @available(*, deprecated)
    func optional(_ client: CyclesClient) async throws -> [Amount?] {
        let (_, cost) = try await client.withCycles(options) { context in
            context.addSpend(.tokens(3))
            return ("Hello", Optional(Amount.tokens(42)))
        }
        let (value, settlement) = try await client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(4))
            return ("Hello", Amount?.none)
        }
        #expect(try settlement.get().charged == .tokens(4))
        return [cost, value.1]
    }

    @available(*, deprecated)
    func integer(_ client: BlockingCyclesClient) throws -> [Int] {
        let (_, cost) = try client.withCycles(options) { context in
            context.addSpend(.tokens(3))
            return ("Hello", 42)
        }
        let (value, settlement) = try client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(4))
            return ("Hello", 43)
        }
        #expect(try settlement.get().charged == .tokens(4))
        return [cost, value.1]
    }

    @available(*, deprecated)
    func optional(_ client: BlockingCyclesClient) throws -> [Amount?] {
        let (_, cost) = try client.withCycles(options) { context in
            context.addSpend(.tokens(3))
            return ("Hello", Optional(Amount.tokens(42)))
        }
        let (value, settlement) = try client.withCyclesOutcome(options) { context in
            context.addSpend(.tokens(4))
            return ("Hello", Amount?.none)
        }
        #expect(try settlement.get().charged == .tokens(4))
        return [cost, value.1]
    }
}

/// Costs that the compiler warns of are part of the value. The recorded spend is charged.
@Suite struct UnchargedCostTests {
    private let calls: any UnchargedForms = Calls()

    @Test func anIntegerWithoutAUnitIsNotCharged() async throws {
        let bench = try LifecycleBench()
        #expect(try await calls.integer(bench.client) == [42, 43])
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test func anOptionalAmountIsNotCharged() async throws {
        let bench = try LifecycleBench()
        #expect(try await calls.optional(bench.client) == [.tokens(42), nil])
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test func aBlockingClientChargesNeither() throws {
        let bench = try LifecycleBench()
        let client = try BlockingCyclesClient.waiting(
            configuration: bench.client.configuration,
            transport: bench.wire,
            clock: bench.clock
        )
        #expect(try calls.integer(client) == [42, 43])
        #expect(try calls.optional(client) == [.tokens(42), nil])
        #expect(bench.figures == [99_986, 0, 14])
    }
}
