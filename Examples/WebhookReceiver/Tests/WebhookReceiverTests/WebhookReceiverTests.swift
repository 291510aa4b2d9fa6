import Cycles
import CyclesTesting
import Synchronization
import Testing
import WebhookReceiver

@Suite struct WebhookReceiverTests {
    private let signer = WebhookSigner(secret: "whsec_test")

    private final class Handled: Sendable {
        private let ids = Mutex<[String]>([])
        private let failures = Mutex(0)

        var all: [String] { ids.withLock { $0 } }
        func failNext() { failures.withLock { $0 += 1 } }

        func handle(_ event: WebhookEvent) throws {
            struct Failure: Error {}
            let fails = failures.withLock { count in
                defer { count = max(0, count - 1) }
                return count > 0
            }
            if fails { throw Failure() }
            ids.withLock { $0.append(event.id) }
        }
    }

    private struct Front: BlockingHTTPTransport {
        let receiver: WebhookReceiver
        func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse { receiver.respond(to: request) }
    }

    /// Sends deliveries over a socket, and returns the statuses.
    private func statuses(
        of deliveries: [WebhookDelivery],
        _ handled: Handled,
        remembering count: Int = 10
    ) async throws -> [Int] {
        let receiver = WebhookReceiver(secret: "whsec_test", remembering: count) { try handled.handle($0) }
        let server = LoopbackServer(Front(receiver: receiver))
        try server.start()
        defer { server.stop() }
        let transport = CurlTransport(configuration: CyclesConfiguration(baseURL: server.baseURL, apiKey: "unused"))
        var statuses: [Int] = []
        for delivery in deliveries {
            statuses.append(try await transport.send(delivery.request(to: server.baseURL + "/hooks")).status)
        }
        await transport.shutdown()
        return statuses
    }

    @Test func genuineDeliveriesAreHandledOnce() async throws {
        let handled = Handled()
        let first = signer.delivery(of: .budgetExhausted, id: "evt_1")
        let second = signer.delivery(of: .unrecognized("budget.invented"), id: "evt_2")
        #expect(try await statuses(of: [first, second, first, second, first], handled) == [204, 204, 200, 200, 200])
        #expect(handled.all == ["evt_1", "evt_2"])
    }

    @Test func forgeriesAndReplaysUnderAnotherIDAreRefused() async throws {
        let handled = Handled()
        let genuine = signer.delivery(of: .reservationDenied, id: "evt_1")
        let forgeries = WebhookSigner.Forgery.allCases.map { signer.forgery($0, of: genuine) }
        let statuses = try await statuses(of: forgeries + [genuine, signer.replay(of: genuine)], handled)
        #expect(statuses == forgeries.map { _ in 401 } + [204, 400])
        #expect(handled.all == ["evt_1"])
    }

    @Test func anEventThatCouldNotBeHandledIsHandledAtItsNextDelivery() async throws {
        let handled = Handled()
        handled.failNext()
        let delivery = signer.delivery(of: .budgetExhausted, id: "evt_1")
        #expect(try await statuses(of: [delivery, delivery, delivery], handled) == [500, 204, 200])
        #expect(handled.all == ["evt_1"])
    }

    @Test func onlyTheLastEventsAreRemembered() async throws {
        let handled = Handled()
        let deliveries = (0..<3).map { signer.delivery(of: .budgetExhausted, id: "evt_\($0)") }
        let sent = deliveries + [deliveries[1], deliveries[0]]
        #expect(try await statuses(of: sent, handled, remembering: 2) == [204, 204, 204, 200, 204])
    }

    @Test func aSignedBodyThatIsNoEventIsRefused() async throws {
        let handled = Handled()
        let delivery = signer.delivery(of: Array("[]".utf8), id: "evt_1", type: .systemWebhookTest)
        #expect(try await statuses(of: [delivery], handled) == [400])
        #expect(handled.all.isEmpty)
    }
}
