import Cycles
import CyclesTesting
import Testing

private struct StreamFailed: Error, Equatable {}

/// A model's answer, chunk by chunk, which tells how often it was asked for more.
private struct Chunks: AsyncSequence, Sendable {
    struct Chunk: Sendable, Equatable {
        var text: String
        var usage: Usage?
    }

    final class Log: Sendable {
        private let count = Lock(0)
        var asked: Int { count.withLock { $0 } }
        func ask() { count.withLock { $0 += 1 } }
    }

    var chunks: [Chunk]
    var fails = false
    let log = Log()

    init(_ chunks: [(String, Usage?)], fails: Bool = false) {
        self.chunks = chunks.map { Chunk(text: $0.0, usage: $0.1) }
        self.fails = fails
    }

    func makeAsyncIterator() -> Iterator { Iterator(chunks: chunks, fails: fails, log: log) }

    struct Iterator: AsyncIteratorProtocol {
        var chunks: [Chunk]
        let fails: Bool
        let log: Log

        mutating func next() async throws -> Chunk? {
            log.ask()
            try Task.checkCancellation()
            guard chunks.isEmpty else { return chunks.removeFirst() }
            if fails { throw StreamFailed() }
            return nil
        }
    }
}

@Suite struct MeteredTests {
    private func options(_ unknown: UnknownActualPolicy = .commitEstimate) -> CyclesOptions {
        CyclesOptions(estimate: .tokens(1_000), action: LifecycleBench.action, whenActualUnknown: unknown)
    }

    private func metered(
        _ bench: LifecycleBench,
        _ chunks: Chunks,
        _ unknown: UnknownActualPolicy = .commitEstimate
    ) -> MeteredSequence<Chunks> {
        bench.client.metered(options(unknown), usage: \.usage) { _ in chunks }
    }

    private func texts(_ sequence: MeteredSequence<Chunks>) async throws -> [String] {
        var result: [String] = []
        for try await chunk in sequence { result.append(chunk.text) }
        return result
    }

    @Test func elementsPassAndWhatTheyUsedIsCommitted() async throws {
        let bench = try LifecycleBench()
        let chunks = Chunks([("a", .added(.tokens(3))), ("b", nil), ("c", .added(.tokens(4)))])
        let sequence = metered(bench, chunks)
        #expect(bench.operations.isEmpty && chunks.log.asked == 0)
        #expect(try await texts(sequence) == ["a", "b", "c"])
        #expect(bench.operations == ["reserve", "commit"])
        #expect(bench.figures == [99_993, 0, 7])
    }

    @Test func totalsReplaceWhatCameBefore() async throws {
        let bench = try LifecycleBench()
        let chunks = Chunks([("a", .total(.tokens(3))), ("b", .total(.tokens(9))), ("c", .added(.tokens(1)))])
        #expect(try await texts(metered(bench, chunks)).count == 3)
        #expect(bench.figures == [99_990, 0, 10])
    }

    @Test func theCapsAreKnownBeforeTheStreamIsMade() async throws {
        let bench = try LifecycleBench()
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000), caps: Caps(maxTokens: 64))
        let seen = Lock<(Caps?, [String])>((nil, []))
        let sequence = bench.client.metered(options(), usage: \.usage) { context in
            seen.withLock { $0 = (context.caps, bench.operations) }
            #expect(CyclesContext.current?.reservationID == context.reservationID)
            return Chunks([("a", .added(.tokens(1)))])
        }
        _ = try await texts(sequence)
        let (caps, operations) = seen.withLock { $0 }
        #expect(caps?.maxTokens == 64 && operations == ["reserve"])
    }

    @Test func elementsAreAskedForOneAtATime() async throws {
        let bench = try LifecycleBench()
        let chunks = Chunks([("a", nil), ("b", nil), ("c", .total(.tokens(1)))])
        var iterator = metered(bench, chunks).makeAsyncIterator()
        for expected in 1...3 {
            #expect(try await iterator.next() != nil)
            #expect(chunks.log.asked == expected)
        }
        #expect(try await iterator.next() == nil)
        #expect(try await iterator.next() == nil)
        #expect(bench.operations == ["reserve", "commit"])
    }

    @Test func eachIterationIsAReservation() async throws {
        let bench = try LifecycleBench()
        let sequence = metered(bench, Chunks([("a", .added(.tokens(2)))]))
        _ = try await texts(sequence)
        _ = try await texts(sequence)
        #expect(bench.figures == [99_996, 0, 4])
    }

    @Test func aDenialComesAtTheFirstElement() async throws {
        let bench = try LifecycleBench(budget: 5)
        let chunks = Chunks([("a", nil)])
        await #expect(throws: CyclesError.self) { try await texts(metered(bench, chunks)) }
        #expect(chunks.log.asked == 0)
    }

    // MARK: Streams that fail

    @Test func whatAFailedStreamUsedIsCommitted() async throws {
        let bench = try LifecycleBench()
        let chunks = Chunks([("a", .added(.tokens(3)))], fails: true)
        await #expect(throws: StreamFailed()) { try await texts(metered(bench, chunks)) }
        #expect(bench.figures == [99_997, 0, 3])
    }

    @Test func aStreamThatFailsAtOnceGivesItsHoldBack() async throws {
        let bench = try LifecycleBench()
        await #expect(throws: StreamFailed()) { try await texts(metered(bench, Chunks([], fails: true))) }
        #expect(bench.operations == ["reserve", "release"])
        let sequence = bench.client.metered(options(), usage: \.usage) { _ -> Chunks in throw StreamFailed() }
        await #expect(throws: StreamFailed()) { try await texts(sequence) }
        #expect(bench.figures == [100_000, 0, 0])
    }

    @Test func aStreamThatFailsIsChargedTheEstimateIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench()
        var options = options()
        options.whenBodyFails = .commitEstimate
        let failing = bench.client.metered(options, usage: \.usage) { _ in Chunks([], fails: true) }
        await #expect(throws: StreamFailed()) { try await texts(failing) }
        let unmade = bench.client.metered(options, usage: \.usage) { _ -> Chunks in throw StreamFailed() }
        await #expect(throws: StreamFailed()) { try await texts(unmade) }
        #expect(bench.figures == [98_000, 0, 2_000])
        // A word of usage comes before the policy, and a stream that ends without an element has not failed.
        let saying = bench.client.metered(options, usage: \.usage) { _ in
            Chunks([("a", .added(.tokens(3)))], fails: true)
        }
        await #expect(throws: StreamFailed()) { try await texts(saying) }
        let empty = bench.client.metered(options, usage: \.usage) { _ in Chunks([]) }
        #expect(try await texts(empty).isEmpty && bench.figures == [97_997, 0, 2_003])
    }

    @Test(arguments: UnknownActualPolicy.allCases, [false, true])
    func usageInAnotherUnitChargesTheEstimate(policy: UnknownActualPolicy, fails: Bool) async throws {
        let bench = try LifecycleBench()
        let chunks = Chunks([("a", .added(.tokens(3))), ("b", .added(.credits(3)))], fails: fails)
        _ = try? await texts(metered(bench, chunks, policy))
        #expect(bench.figures == [99_000, 0, 1_000])
        #expect(bench.wire.requests.last?.json["metadata"] == ["actual_source": "estimate"])
    }

    // MARK: Streams that are abandoned

    @Test func whatAnAbandonedStreamUsedIsCommitted() async throws {
        let bench = try LifecycleBench()
        for try await _ in metered(bench, Chunks([("a", .total(.tokens(5))), ("b", .total(.tokens(9)))])) { break }
        #expect(bench.figures == [99_995, 0, 5])
    }

    @Test func aStreamThatIsNeverAskedReservesNothing() async throws {
        let bench = try LifecycleBench()
        do { _ = metered(bench, Chunks([("a", nil)])).makeAsyncIterator() }
        #expect(bench.operations.isEmpty)
    }

    @Test func aCancelledTaskIsCharged() async throws {
        let bench = try LifecycleBench()
        let task = Task {
            for try await _ in metered(bench, Chunks([("a", .added(.tokens(5))), ("b", .added(.tokens(5)))])) {
                withUnsafeCurrentTask { $0?.cancel() }
            }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(bench.figures == [99_995, 0, 5])
    }

    // MARK: Streams that do not say what they used

    @Test func withoutAWordTheEstimateIsCommitted() async throws {
        let bench = try LifecycleBench()
        #expect(try await texts(metered(bench, Chunks([("a", nil)]))) == ["a"])
        #expect(bench.wire.requests[1].json["metadata"] == ["actual_source": "estimate"])
        for try await _ in metered(bench, Chunks([("a", nil), ("b", nil)])) { break }
        #expect(bench.figures == [98_000, 0, 2_000])
    }

    @Test func aWordOfNothingIsAWord() async throws {
        let bench = try LifecycleBench()
        _ = try await texts(metered(bench, Chunks([("a", .total(.tokens(0)))])))
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [100_000, 0, 0])
    }

    @Test func anEmptyStreamGivesItsHoldBack() async throws {
        let bench = try LifecycleBench()
        #expect(try await texts(metered(bench, Chunks([]))).isEmpty)
        #expect(bench.operations == ["reserve", "release"])
    }

    @Test func withoutAWordItCanBeAFailure() async throws {
        let bench = try LifecycleBench()
        do {
            _ = try await texts(metered(bench, Chunks([("a", nil)]), .fail))
            Issue.record("no failure")
        } catch CyclesError.validation(let issue) {
            #expect(issue.field == "actual")
        }
        #expect(bench.operations == ["reserve"])
        bench.clock.advance(by: .seconds(70))
        #expect(bench.operations == ["reserve"] && bench.figures == [100_000, 0, 0])
    }

    // MARK: Leases

    @Test func aStreamKeepsItsLease() async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000))
        var iterator = metered(bench, Chunks([("a", .added(.tokens(1))), ("b", .added(.tokens(1)))]))
            .makeAsyncIterator()
        _ = try await iterator.next()
        bench.clock.advance(by: .seconds(600))
        _ = try await iterator.next()
        #expect(try await iterator.next() == nil)
        #expect(bench.figures == [99_998, 0, 2])
    }

    @Test func aLostLeaseEndsTheStreamIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .cancel }
        for _ in 0..<20 { bench.wire.loseRequest("extend") }
        var iterator = metered(bench, Chunks([("a", .added(.tokens(4))), ("b", nil)])).makeAsyncIterator()
        _ = try await iterator.next()
        bench.clock.advance(by: .seconds(61))
        do {
            _ = try await iterator.next()
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let loss) {
            #expect(loss.settlement?.charged == .tokens(4))
        }
        #expect(try await iterator.next() == nil)
    }
}
