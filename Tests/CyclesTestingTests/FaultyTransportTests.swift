import Cycles
import CyclesTesting
import Testing

@Suite(.timeLimit(.minutes(5))) struct FaultyTransportTests {
    private typealias Outcome = Result<HTTPResponse, HTTPTransportError>

    private let body = #"{"decision":"ALLOW","affected_scopes":["tenant:acme"]}"#
    private let request = HTTPRequest(method: .post, url: "http://host/v1/decide", timeout: .seconds(7))

    private func inner(_ body: String? = nil) -> MockTransport {
        let inner = MockTransport()
        let response = HTTPResponse(status: 200, headers: ["Content-Length": "99", "X": "y"], json: body ?? self.body)
        inner.on(.post, "*") { _ in response }
        return inner
    }

    /// The outcomes of `count` sequential requests on this thread.
    private func outcomes(_ transport: FaultyTransport, _ count: Int) -> [Outcome] {
        (0..<count).map { _ in outcome(transport) }
    }

    private func outcome(_ transport: FaultyTransport) -> Outcome {
        Outcome { () throws(HTTPTransportError) in try transport.send(request) }
    }

    private func failure(of outcome: Outcome) -> HTTPTransportError? {
        if case .failure(let error) = outcome { error } else { nil }
    }

    private func faults(_ fault: FaultyTransport.Fault, _ share: Double) -> FaultyTransport.Faults {
        var faults = FaultyTransport.Faults()
        switch fault {
        case .lostRequest: faults.lostRequest = share
        case .lostResponse: faults.lostResponse = share
        case .reset: faults.reset = share
        case .serverError: faults.serverError = share
        case .throttled: faults.throttled = share
        case .truncated: faults.truncated = share
        case .malformed: faults.malformed = share
        case .delayed: faults.delayed = share
        }
        return faults
    }

    private func isJSON(_ bytes: [UInt8]) -> Bool {
        do throws(JSONError) {
            _ = try JSONReader.document(bytes) { (reader) throws(JSONError) in try reader.readValue() }
            return true
        } catch { return false }
    }

    // MARK: Chance

    @Test func withoutFaultsEverythingPasses() async throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1)
        for _ in 0..<100 { #expect(try await transport.send(request).status == 200) }
        #expect(outcomes(transport, 100).allSatisfy { (try? $0.get())?.headers["X"] == "y" })
        #expect(inner.requests.count == 200)
        #expect(transport.injected.isEmpty)
    }

    @Test func aSeedDecidesWhatHappens() async {
        let faults = FaultyTransport.Faults(
            lostRequest: 0.1,
            lostResponse: 0.1,
            reset: 0.1,
            serverError: 0.1,
            throttled: 0.1,
            truncated: 0.1,
            malformed: 0.1,
            delayed: 0.1
        )
        let first = outcomes(FaultyTransport(inner(), seed: 7, faults: faults), 200)
        #expect(outcomes(FaultyTransport(inner(), seed: 7, faults: faults), 200) == first)
        #expect(outcomes(FaultyTransport(inner(), seed: 8, faults: faults), 200) != first)
        let asynchronous = FaultyTransport(inner(), seed: 7, faults: faults)
        var second: [Outcome] = []
        for _ in 0..<200 {
            do throws(HTTPTransportError) {
                second.append(.success(try await asynchronous.send(request)))
            } catch { second.append(.failure(error)) }
        }
        #expect(second == first)
    }

    @Test func anotherShareDoesNotShiftTheChancesOfOthers() {
        let few = outcomes(FaultyTransport(inner(), seed: 3, faults: .init(lostRequest: 0.1)), 300)
        let many = outcomes(FaultyTransport(inner(), seed: 3, faults: .init(lostRequest: 0.1, reset: 0.5)), 300)
        let lost = { (outcome: Outcome) in outcome == few.first { (try? $0.get()) == nil } }
        #expect(few.map(lost) == many.map(lost))
        #expect(few.contains(where: lost))
    }

    @Test(arguments: FaultyTransport.Fault.allCases)
    func happensAsOftenAsItsShare(fault: FaultyTransport.Fault) {
        let transport = FaultyTransport(inner(), seed: 11, faults: faults(fault, 0.25))
        _ = outcomes(transport, 4_000)
        #expect(transport.injected.keys.map(\.rawValue) == [fault.rawValue])
        #expect((900...1_100).contains(transport.injected[fault] ?? 0), "\(transport.injected)")
    }

    @Test func sharesAreTakenOneAfterTheOther() {
        let all = FaultyTransport(inner(), seed: 5, faults: .init(lostRequest: 0.5, reset: 0.25, delayed: 9))
        _ = outcomes(all, 4_000)
        #expect((1_900...2_100).contains(all.injected[.lostRequest] ?? 0))
        #expect((900...1_100).contains(all.injected[.reset] ?? 0))
        #expect(all.injected.values.reduce(0, +) == 4_000)
        let strange = FaultyTransport(inner(), seed: 5, faults: .init(lostRequest: .nan, lostResponse: -1, reset: 0.5))
        _ = outcomes(strange, 4_000)
        #expect((1_900...2_100).contains(strange.injected[.reset] ?? 0))
        #expect(strange.injected.count == 1)
    }

    @Test func aCalmPhaseIsCalmAndUsesNoChance() {
        let faults = FaultyTransport.Faults(lostRequest: 0.3, serverError: 0.3)
        let reference = outcomes(FaultyTransport(inner(), seed: 9, faults: faults), 100)
        let transport = FaultyTransport(inner(), seed: 9, faults: faults)
        #expect(transport.isEnabled)
        let first = outcomes(transport, 50)
        let injected = transport.injected
        transport.isEnabled = false
        #expect(outcomes(transport, 50).allSatisfy { (try? $0.get())?.status == 200 })
        #expect(transport.injected == injected)
        transport.isEnabled = true
        #expect(first + outcomes(transport, 50) == reference)
    }

    // MARK: Faults

    @Test func aLostRequestNeverArrives() throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(lostRequest: 1))
        let error = try #require(failure(of: outcome(transport)))
        #expect(error.kind == .connectionFailed)
        #expect(error.wasRequestSent == false)
        #expect(error.message.contains("POST http://host/v1/decide"))
        #expect(inner.requests.isEmpty)
    }

    @Test func aLostResponseWasHandled() throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(lostResponse: 1))
        let error = try #require(failure(of: outcome(transport)))
        #expect(error.kind == .connectionFailed)
        #expect(error.wasRequestSent == true)
        #expect(inner.requests == [request])
    }

    @Test func aResetStrikesOnEitherSide() throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(reset: 1))
        for outcome in outcomes(transport, 200) {
            let error = try #require(failure(of: outcome))
            #expect(error.kind == .connectionFailed)
            #expect(error.wasRequestSent == nil)
        }
        #expect((70...130).contains(inner.requests.count))
    }

    @Test func aServerErrorComesInsteadOrAfter() throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(serverError: 1))
        var seen: [String: Int] = [:]
        for _ in 0..<400 {
            let before = inner.requests.count
            let response = try outcome(transport).get()
            #expect(isJSON(response.body))
            #expect(String(decoding: response.body, as: UTF8.self).contains(#""error":"INTERNAL_ERROR""#))
            seen["\(response.status) \(inner.requests.count - before)", default: 0] += 1
        }
        #expect(Set(seen.keys) == ["500 0", "500 1", "503 0", "503 1"])
        #expect(seen.values.allSatisfy { (60...140).contains($0) }, "\(seen)")
    }

    @Test(arguments: [(Duration.milliseconds(1_001), "2"), (.seconds(3), "3"), (.seconds(-1), "0")])
    func aThrottledRequestIsNotHandled(wait: Duration, header: String) throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(throttled: 1, retryAfter: wait))
        let response = try outcome(transport).get()
        #expect(response.status == 429)
        #expect(response.headers["Retry-After"] == header)
        #expect(response.headers["X-Request-Id"] == "fault-1")
        #expect(isJSON(response.body))
        #expect(String(decoding: response.body, as: UTF8.self).contains(#""error":"LIMIT_EXCEEDED""#))
        #expect(inner.requests.isEmpty)
    }

    @Test func aTruncatedAnswerIsABeginning() throws {
        let transport = FaultyTransport(inner(), seed: 1, faults: .init(truncated: 1))
        var lengths: Set<Int> = []
        for outcome in outcomes(transport, 300) {
            let response = try outcome.get()
            #expect(response.status == 200)
            #expect(response.headers["Content-Length"] == nil)
            #expect(response.headers["X"] == "y")
            #expect(response.body.count < body.utf8.count)
            #expect(Array(body.utf8).starts(with: response.body))
            lengths.insert(response.body.count)
        }
        #expect(lengths.count > 40)
        let empty = FaultyTransport(inner(""), seed: 1, faults: .init(truncated: 1))
        #expect(try outcome(empty).get().body.isEmpty)
        #expect(empty.injected.isEmpty)
    }

    @Test func aMalformedAnswerIsNeverJSON() throws {
        let transport = FaultyTransport(inner(), seed: 1, faults: .init(malformed: 1))
        #expect(isJSON(Array(body.utf8)))
        var changed = 0
        for outcome in outcomes(transport, 500) {
            let response = try outcome.get()
            #expect(response.status == 200)
            #expect(response.headers["Content-Length"] == nil)
            #expect(!isJSON(response.body))
            if response.body.count == body.utf8.count {
                changed += 1
                #expect(zip(response.body, body.utf8).count { $0 != $1 } == 1)
            }
        }
        #expect((200...300).contains(changed))
        let empty = FaultyTransport(inner(""), seed: 1, faults: .init(malformed: 1))
        #expect(outcomes(empty, 20).allSatisfy { (try? $0.get())?.body.isEmpty == false })
    }

    @Test func aDelayMovesTheClock() throws {
        let clock = ManualClock()
        let times = MockTransport()
        times.on(.post, "*") { _ in HTTPResponse(json: "\(clock.now.components.seconds)") }
        let faults = FaultyTransport.Faults(delayed: 1, delay: .seconds(3))
        let transport = FaultyTransport(times, seed: 1, faults: faults, clock: clock)
        var arrivals: Set<Int64> = []
        for index in 0..<50 {
            let response = try outcome(transport).get()
            #expect(clock.now == .seconds(3 * (index + 1)))
            let arrival = try #require(Int64(String(decoding: response.body, as: UTF8.self)))
            arrivals.insert(arrival - Int64(3 * index))
        }
        // Late on the way there, or on the way back.
        #expect(arrivals == [0, 3])
        #expect(transport.injected == [.delayed: 50])
    }

    @Test(arguments: [true, false])
    func aDelayThatIsTooLongTimesOutAfterTheHandling(hasClock: Bool) throws {
        let clock = ManualClock()
        let inner = inner()
        let faults = FaultyTransport.Faults(delayed: 1, delay: hasClock ? .seconds(100) : .seconds(1))
        let transport = FaultyTransport(inner, seed: 1, faults: faults, clock: hasClock ? clock : nil)
        for outcome in outcomes(transport, 20) {
            let error = try #require(failure(of: outcome))
            #expect(error.kind == .timedOut)
            #expect(error.wasRequestSent == true)
        }
        #expect(inner.requests.count == 20)
        // The caller gave up at the request's timeout.
        #expect(clock.now == (hasClock ? .seconds(20 * 7) : .zero))
    }

    @Test func errorsOfTheInnerTransportPassAndCountForNothing() throws {
        let inner = MockTransport()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(lostResponse: 1))
        let error = try #require(failure(of: outcome(transport)))
        #expect(error.kind == .other)
        #expect(transport.injected.isEmpty)
    }

    @Test func obeysCancellationAndShutsDownWhatIsBehind() async {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(lostRequest: 1))
        let task = Task { () -> HTTPTransportError? in
            withUnsafeCurrentTask { $0?.cancel() }
            do throws(HTTPTransportError) {
                _ = try await transport.send(request)
                return nil
            } catch { return error }
        }
        #expect(await task.value?.kind == .cancelled)
        #expect(transport.injected.isEmpty)
        await transport.shutdown()
        #expect(throws: HTTPTransportError.self) { try inner.send(request) as HTTPResponse }
    }

    @Test func losesAnswersOnTheWire() throws {
        let inner = inner()
        let transport = FaultyTransport(inner, seed: 1, faults: .init(lostResponse: 1))
        let server = LoopbackServer(transport)
        try server.start()
        let post = "POST /v1/decide HTTP/1.1\r\nHost: h\r\n\r\n"
        let first = try TestConnection(port: server.port)
        first.send(post)
        #expect(try first.rest().isEmpty)
        #expect(inner.requests.count == 1)
        transport.isEnabled = false
        let second = try TestConnection(port: server.port)
        second.send(post)
        #expect(try second.answer()?.text == body)
        #expect(server.connectionCount == 2)
    }

    @Test func theGeneratorIsSplitMix64() {
        // The first values for seed 0 as other implementations have them.
        var generator = SplitMix64(seed: 0)
        #expect(generator.next() == 0xE220_A839_7B1D_CDAF)
        #expect(generator.next() == 0x6E78_9E6A_A1B9_65F4)
        #expect(generator.next() == 0x06C4_5D18_8009_454F)
    }
}
