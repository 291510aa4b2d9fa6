import Cycles

/// Receives webhook deliveries of a Cycles server: verifies each one, and handles each event once.
///
/// `respond(to:)` takes a request and returns an answer, so that any HTTP server can call it.
public final class WebhookReceiver: Sendable {
    private let verifier: WebhookVerifier
    private let handled: HandledEvents
    private let handle: @Sendable (WebhookEvent) throws -> Void

    /// - Parameters:
    ///   - secret: The signing secret of the subscription.
    ///   - remembered: The number of events to remember, by which replays are recognized.
    ///   - handle: Handles an event. After an error the server delivers the event again.
    public init(
        secret: String,
        remembering remembered: Int = 100_000,
        handle: @escaping @Sendable (WebhookEvent) throws -> Void
    ) {
        verifier = WebhookVerifier(secret: secret)
        handled = HandledEvents(capacity: remembered)
        self.handle = handle
    }

    /// Answers a delivery.
    ///
    /// - 204: the event was handled.
    /// - 200: the event was handled before, and is not handled again. A failure status would make the server repeat the
    ///   delivery: it cannot tell a lost answer from a refusal.
    /// - 400: the signed body is no event, or a header field names another event than the body.
    /// - 401: the signature is missing or wrong.
    /// - 500: the event could not be handled.
    public func respond(to request: HTTPRequest) -> HTTPResponse {
        guard request.method == .post else { return HTTPResponse(status: 405, headers: ["Allow": "POST"]) }
        let signature = request.headers["X-Cycles-Signature"]
        guard verifier.isValid(signature: signature, body: request.body) else { return HTTPResponse(status: 401) }
        let event: WebhookEvent
        do {
            event = try verifier.event(signature: signature, body: request.body)
        } catch {
            return HTTPResponse(status: 400)
        }
        // Header fields are not signed: only the id in the body is the server's.
        if let id = request.headers["X-Cycles-Event-Id"], id != event.id { return HTTPResponse(status: 400) }
        guard handled.begin(event.id) else {
            return HTTPResponse(status: 200, body: Array("\(event.id) was handled before\n".utf8))
        }
        do {
            try handle(event)
        } catch {
            handled.forget(event.id)
            return HTTPResponse(status: 500)
        }
        return HTTPResponse(status: 204)
    }
}
