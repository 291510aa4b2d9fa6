import Cycles
import CyclesTesting
import Testing

/// A chunk of a model's answer. As with most models, only the last one has the usage.
private struct Chunk: Sendable {
    struct Usage: Sendable { var total: Int64 }

    var text: String
    var usage: Usage?
}

private struct StreamFailed: Error, Equatable {}

/// Streams on a guard that is held already. ``MeteredTests`` has the rules for streams in general.
@Suite struct MeteringTests {
    /// Ten tokens of prompt, and an answer in three chunks.
    private static let prompt = Amount.tokens(10)

    private func stream(_ count: Int = 3, reportsUsage: Bool = true, fails: Bool = false) -> AsyncThrowingStream<
        Chunk, any Error
    > {
        AsyncThrowingStream { continuation in
            for number in 0..<count {
                let isLast = number == count - 1
                let usage: Chunk.Usage? = isLast && reportsUsage ? Chunk.Usage(total: 42) : nil
                continuation.yield(Chunk(text: "\(number)", usage: usage))
            }
            continuation.finish(throwing: fails ? StreamFailed() : nil)
        }
    }

    private typealias Stream = MeteredSequence<AsyncThrowingStream<Chunk, any Error>>

    /// The documented way: the prompt is recorded, and the chunks are counted until the usage is known.
    private func metering(
        _ reservation: consuming ReservationGuard,
        _ stream: AsyncThrowingStream<Chunk, any Error>,
        prompt: Amount? = MeteringTests.prompt
    ) -> Stream {
        if let prompt { reservation.setSpend(prompt) }
        return reservation.metering(stream) { $0.usage.map { .total(.tokens($0.total)) } ?? .added(.tokens(1)) }
    }

    private func texts(_ sequence: Stream) async throws -> [String] {
        var result: [String] = []
        for try await chunk in sequence { result.append(chunk.text) }
        return result
    }

    private func issue(_ body: () async throws -> Void) async -> ValidationIssue? {
        do {
            try await body()
        } catch CyclesError.validation(let issue) {
            return issue
        } catch {
            Issue.record(error)
        }
        return nil
    }

    // MARK: What is charged

    @Test func elementsPassAndTheReportedTotalIsCharged() async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let context = reservation.context
        let chunks = metering(reservation, stream())
        #expect(bench.operations == ["reserve"] && context.settlement == nil)
        #expect(try await texts(chunks) == ["0", "1", "2"])
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [99_958, 0, 42])
        let settlement = try context.settlement?.get()
        #expect(settlement?.charged == .tokens(42) && settlement?.chargedEstimate == false)
    }

    @Test func anEarlyDisconnectIsChargedForThePromptAndTheChunksThatCame() async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let context = reservation.context
        for try await chunk in metering(reservation, stream()) where chunk.text == "1" { break }
        #expect(bench.figures == [99_988, 0, 12])
        #expect(try context.settlement?.get().chargedEstimate == false)
    }

    @Test func aCancelledTaskIsChargedForWhatCame() async throws {
        let bench = try LifecycleBench()
        let stream = stream().map { chunk in
            try Task.checkCancellation()
            return chunk
        }
        let chunks = try await bench.client.reserve(bench.request()).metering(stream) { _ in .added(.tokens(1)) }
        let task = Task {
            for try await _ in chunks { withUnsafeCurrentTask { $0?.cancel() } }
        }
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(bench.figures == [99_999, 0, 1])
    }

    @Test func aStreamThatFailsIsChargedForWhatCame() async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let chunks = metering(reservation, stream(2, reportsUsage: false, fails: true))
        await #expect(throws: StreamFailed()) { _ = try await texts(chunks) }
        #expect(bench.figures == [99_988, 0, 12])
    }

    @Test(arguments: [MeteringTests.prompt, nil])
    func aStreamThatFailsAtOnceIsChargedForThePromptOnly(prompt: Amount?) async throws {
        let charged = prompt?.amount ?? 0
        for fails in [true, false] {
            let bench = try LifecycleBench()
            let reservation = try await bench.client.reserve(bench.request())
            _ = try? await texts(metering(reservation, stream(0, fails: fails), prompt: prompt))
            #expect(bench.figures == [100_000 - charged, 0, charged])
            #expect(bench.operations == ["reserve", prompt == nil ? "release" : "commit"])
        }
    }

    @Test(arguments: [false, true])
    func withoutAnySpendTheEstimateIsChargedAndTheSettlementAndAnEventSaySo(breaksOff: Bool) async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let context = reservation.context
        let chunks = reservation.metering(stream(), usage: { _ in nil })
        for try await _ in chunks where breaksOff { break }
        #expect(bench.figures == [99_000, 0, 1_000])
        #expect(try context.settlement?.get().chargedEstimate == true)
        let settled = bench.events { if case .settled(_, let settlement, _) = $0 { settlement } else { nil } }
        #expect(settled.map(\.chargedEstimate) == [true])
    }

    @Test func withoutAnySpendItCanBeAFailure() async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let chunks = reservation.metering(stream(), usage: { _ in nil }, whenActualUnknown: .fail)
        #expect(await issue { _ = try await texts(chunks) }?.field == "actual")
        bench.clock.advance(by: .seconds(70))
        #expect(bench.operations == ["reserve"] && bench.figures == [100_000, 0, 0])
    }

    // MARK: One iteration

    @Test func copiesShareOneIteration() async throws {
        let bench = try LifecycleBench()
        let chunks = metering(try await bench.client.reserve(bench.request()), stream())
        let copy = chunks
        var first = chunks.makeAsyncIterator()
        var second = copy.makeAsyncIterator()
        #expect(try await first.next()?.text == "0")
        let refusal = await issue { _ = try await second.next() }
        #expect(
            "\(refusal?.description ?? "")" == "Nothing was sent: sequence was iterated before, and its reservation "
                + "pays for one iteration: reserve again and meter a new stream."
        )
        // The refused iteration takes no element, and is over.
        #expect(try await second.next() == nil)
        #expect(try await first.next()?.text == "1")
        while try await first.next() != nil {}
        #expect(await issue { _ = try await texts(chunks) }?.field == "sequence")
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [99_958, 0, 42])
    }

    @Test func oneOfManyTasksGetsTheIteration() async throws {
        let bench = try LifecycleBench()
        let chunks = metering(try await bench.client.reserve(bench.request()), stream())
        let counts = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var count = 0
                    do {
                        for try await _ in chunks { count += 1 }
                    } catch CyclesError.validation {
                        return 0
                    }
                    return count
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(counts.sorted() == [0, 0, 0, 0, 0, 0, 0, 3])
        #expect(bench.operations == ["reserve", "commit"] && bench.figures == [99_958, 0, 42])
    }

    @Test(arguments: [MeteringTests.prompt, nil], [false, true])
    func aSequenceThatIsNeverIteratedEndsAsADroppedGuard(prompt: Amount?, hasIterator: Bool) async throws {
        let charged = prompt?.amount ?? 0
        let bench = try LifecycleBench()
        do {
            let chunks = metering(try await bench.client.reserve(bench.request()), stream(), prompt: prompt)
            if hasIterator { _ = chunks.makeAsyncIterator() }
            #expect(bench.operations == ["reserve"])
        }
        #expect(bench.figures == [100_000 - charged, 0, charged])
        let dropped = bench.events { if case .guardDropped(_, let spend, _) = $0 { [spend] } else { nil } }
        #expect(dropped == [[prompt]])
    }

    @Test func anIterationThatEndsIsNoDroppedGuard() async throws {
        let bench = try LifecycleBench()
        for try await _ in metering(try await bench.client.reserve(bench.request()), stream()) { break }
        _ = try await texts(metering(try await bench.client.reserve(bench.request()), stream()))
        #expect(bench.events { if case .guardDropped = $0 { true } else { nil } }.isEmpty)
    }

    @Test func theSequenceMayEndBeforeItsIteration() async throws {
        let bench = try LifecycleBench()
        var iterator = metering(try await bench.client.reserve(bench.request()), stream()).makeAsyncIterator()
        #expect(try await iterator.next() != nil)
        #expect(bench.operations == ["reserve"] && bench.figures == [99_000, 1_000, 0])
        while try await iterator.next() != nil {}
        #expect(bench.figures == [99_958, 0, 42])
    }

    // MARK: The context and the lease

    @Test func theStreamHasTheContextOfItsReservation() async throws {
        let bench = try LifecycleBench()
        let reservation = try await bench.client.reserve(bench.request())
        let id = reservation.reservationID
        let seen = stream().map { _ in CyclesContext.current?.reservationID }
        for try await current in reservation.metering(seen, usage: { _ in .added(.tokens(2)) }) {
            #expect(current == id)
        }
        #expect(CyclesContext.current?.reservationID == nil)
        #expect(bench.figures == [99_994, 0, 6])
    }

    @Test func aHeldLeaseIsKeptBeforeAndDuringTheStream() async throws {
        let bench = try LifecycleBench(options: .init(maxExtensions: 1_000))
        let chunks = metering(try await bench.client.reserve(bench.request()), stream())
        bench.clock.advance(by: .seconds(600))
        var iterator = chunks.makeAsyncIterator()
        _ = try await iterator.next()
        bench.clock.advance(by: .seconds(600))
        while try await iterator.next() != nil {}
        #expect(bench.operations.last == "commit" && bench.figures == [99_958, 0, 42])
    }

    @Test func aLostLeaseEndsTheStreamIfThatIsThePolicy() async throws {
        let bench = try LifecycleBench { $0.heartbeat = .cancel }
        for _ in 0..<20 { bench.wire.loseRequest("extend") }
        var iterator = metering(try await bench.client.reserve(bench.request()), stream()).makeAsyncIterator()
        _ = try await iterator.next()
        bench.clock.advance(by: .seconds(61))
        do {
            _ = try await iterator.next()
            Issue.record("no failure")
        } catch CyclesError.leaseLost(let loss) {
            #expect(loss.settlement?.charged == .tokens(11))
        }
        #expect(try await iterator.next() == nil)
    }
}
