import Cycles
import CyclesTesting
import Testing

@Suite struct WebhookSignerTests {
    private let signer = WebhookSigner(secret: "whsec_test")
    private let verifier = WebhookVerifier(secret: "whsec_test")

    @Test func aDeliveryIsGenuine() throws {
        let delivery = signer.delivery(of: .reservationDenied, id: "evt_1", tenant: "globex", data: ["reason": "x"])
        let event = try verifier.event(signature: delivery.signature, body: delivery.body)
        #expect(event.id == "evt_1" && event.type == .reservationDenied && event.category == "reservation")
        #expect(event.tenant == "globex" && event.data["reason"] == "x")
        #expect(delivery.headers["X-Cycles-Event-Id"] == "evt_1")
        #expect(delivery.headers["X-Cycles-Event-Type"] == "reservation.denied")
        let trace = try #require(delivery.headers["traceparent"].flatMap(TraceContext.init(parsing:)))
        #expect(delivery.headers["X-Cycles-Trace-Id"] == trace.traceID)
    }

    @Test(arguments: WebhookSigner.Forgery.allCases)
    func aForgeryIsNotValid(forgery: WebhookSigner.Forgery) {
        let forged = signer.forgery(forgery, of: signer.delivery(of: .budgetExhausted, id: "evt_1"))
        #expect(!verifier.isValid(signature: forged.signature, body: forged.body))
    }

    @Test func aReplayIsValidUnderAnotherHeader() throws {
        let delivery = signer.delivery(of: .budgetExhausted, id: "evt_1")
        let replay = signer.replay(of: delivery)
        #expect(replay.headers["X-Cycles-Event-Id"] != "evt_1")
        #expect(try verifier.event(signature: replay.signature, body: replay.body).id == "evt_1")
    }

    @Test func anyBodyCanBeSigned() {
        let delivery = signer.delivery(of: Array("no event".utf8), id: "evt_1", type: .systemWebhookTest)
        #expect(verifier.isValid(signature: delivery.signature, body: delivery.body))
        #expect(throws: CyclesError.self) { try verifier.event(signature: delivery.signature, body: delivery.body) }
    }
}
