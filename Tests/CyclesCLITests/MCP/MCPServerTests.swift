import Cycles
import CyclesTesting
import Testing

@testable import CyclesCLI

/// Passes requests on to an authority. Reservations wait until they are let through.
private final class GatedTransport: HTTPTransport {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        /// Resumed when a reservation has arrived.
        var arrival: CheckedContinuation<Void, Never>?
    }

    private let authority: LocalAuthority
    private let state = Lock(State())

    init(_ authority: LocalAuthority) { self.authority = authority }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        if request.url.hasSuffix("/v1/reservations") {
            await withCheckedContinuation { continuation in
                let (isOpen, arrival) = state.withLock { state in
                    if !state.isOpen { state.waiting.append(continuation) }
                    return (state.isOpen, state.arrival.take())
                }
                arrival?.resume()
                if isOpen { continuation.resume() }
            }
        }
        return try authority.send(request)
    }

    func shutdown() async {}

    /// Waits until a reservation has arrived.
    func waitForArrival() async {
        await withCheckedContinuation { continuation in
            let hasArrived = state.withLock { state in
                if state.waiting.isEmpty { state.arrival = continuation }
                return !state.waiting.isEmpty
            }
            if hasArrived { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            defer { (state.waiting, state.isOpen) = ([], true) }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

@Suite struct MCPServerTests {
    private let lines = Recorder()

    private final class Recorder: Sendable {
        private let recorded = Lock([JSONValue]())
        var answers: [JSONValue] { recorded.withLock { $0 } }

        func add(_ line: [UInt8]) {
            let answer = (try? JSONValue(parsing: line)) ?? .null
            recorded.withLock { $0.append(answer) }
        }
    }

    private func server(_ bench: CallBench) -> MCPServer {
        MCPServer(Permissions(), bench.performer.client, executor: nil) { [lines] in lines.add($0) }
    }

    private func receive(_ text: String, _ server: MCPServer) { server.receive(.line(Array(text.utf8))) }

    @Test func theEndOfTheInputAnswersCallsAndReleasesHolds() async throws {
        let bench = try CallBench()
        let server = server(bench)
        receive(Conversation.call("a", .reserve, Conversation.reserve), server)
        server.endInput()
        await server.finish()
        #expect(lines.answers.count == 1 && lines.answers.first?["id"] == "a")
        #expect(lines.answers.first?["result"]?["structuredContent"]?["decision"] == "ALLOW")
        #expect(bench.held == 0)
    }

    @Test func aThousandCallsAtOnceAddUp() async throws {
        let bench = try CallBench()
        let server = server(bench)
        for number in 0..<1_000 {
            let arguments: JSONValue = [
                "idempotencyKey": .string("key \(number)"), "action": ["kind": "k", "name": "n"],
                "actual": ["unit": "TOKENS", "amount": 1],
            ]
            receive(Conversation.call(.whole(Int64(number)), .createEvent, arguments), server)
        }
        server.endInput()
        await server.finish()
        #expect(Set(lines.answers.compactMap { $0["id"]?.int64 }) == Set(0..<1_000) && lines.answers.count == 1_000)
        #expect(lines.answers.allSatisfy { $0["result"]?["structuredContent"]?["status"] == "APPLIED" })
        #expect(bench.spent == 1_000 && bench.held == 0)
    }

    /// Reserves, and does something to the call before the authority's answer arrives. Returns the held amount at last.
    private func reserve(then act: (MCPServer) -> Void) async throws -> Int64? {
        let authority = LocalAuthority()
        authority.addAPIKey("secret-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        let transport = GatedTransport(authority)
        let bench = try CallBench(transport)
        let server = server(bench)
        receive(Conversation.call("a", .reserve, Conversation.reserve), server)
        await transport.waitForArrival()
        act(server)
        transport.open()
        await server.finish()
        await bench.performer.client.shutdown(timeout: .seconds(60))
        return authority.balances().first?.reserved?.amount
    }

    @Test func aCancelledReservationIsReleasedWithoutAnAnswer() async throws {
        let held = try await reserve { server in
            receive(Conversation.cancel, server)
            server.endInput()
        }
        #expect(held == 0 && lines.answers.isEmpty)
    }

    @Test func anInterruptionReleasesWhatCallsObtain() async throws {
        let held = try await reserve { $0.interrupt() }
        #expect(held == 0 && lines.answers.isEmpty)
    }

    /// Ends a call as soon as the client holds its reservation.
    private final class EndingObserver: CyclesObserver {
        let end = Lock((@Sendable () -> Void)?.none)
        let isCancelled = Lock(false)

        func observe(_ event: CyclesEvent) {
            guard case .reserved = event else { return }
            end.withLock { $0 }?()
            isCancelled.withLock { $0 = Task.isCancelled }
        }
    }

    @Test(arguments: [false, true])
    func aReservationThatACallObtainsAfterItsEndIsReleasedAtOnce(isInterrupted: Bool) async throws {
        let (transport, observer) = (MockTransport(), EndingObserver())
        let bench = try CallBench(transport, observer: observer)
        let authority = bench.authority
        transport.on(.post, "/v1/*") { try authority.send($0) }
        let server = server(bench)
        observer.end.withLock { end in
            end = {
                if isInterrupted { server.interrupt() } else { server.receive(.line(Array(Conversation.cancel.utf8))) }
            }
        }
        receive(Conversation.call("a", .reserve, Conversation.reserve), server)
        server.endInput()
        await server.finish()
        // The releases at the end of the session give no such reason.
        let release = try #require(transport.requests.first { $0.url.hasSuffix("/release") })
        #expect(String(decoding: release.body, as: UTF8.self).contains("the call was cancelled"))
        #expect(observer.isCancelled.withLock { $0 } && lines.answers.isEmpty && bench.held == 0)
    }

    @Test func aReservationWhoseCallIsCancelledTooLateForTheRequestIsGivenBack() async throws {
        let bench = try CallBench()
        let outcome = await bench.performer.perform(.tool(.reserve, Conversation.reserve))
        #expect(bench.held == 100)
        await bench.performer.giveBack(try #require(outcome.obtained))
        #expect(bench.held == 0)
    }
}
