public import Cycles

/// One webhook delivery: what a receiver gets.
public struct WebhookDelivery: Hashable, Sendable {
    /// The header fields, `X-Cycles-Signature` among them.
    public var headers: HTTPHeaders
    /// The body.
    public var body: [UInt8]

    /// The value of `X-Cycles-Signature`.
    public var signature: String? { headers["X-Cycles-Signature"] }

    /// The delivery as a request, to send to a receiver.
    public func request(to url: String) -> HTTPRequest {
        HTTPRequest(method: .post, url: url, headers: headers, body: body)
    }
}

/// Makes webhook deliveries for the tests of a receiver: genuine ones, forgeries, and replays (specification: WEBHOOK EVENT
/// GUIDANCE).
///
/// ```swift
/// let signer = WebhookSigner(secret: "whsec_test")
/// let delivery = signer.delivery(of: .budgetExhausted, id: "evt_1")
/// #expect(try receive(delivery).status == 204)
/// #expect(try receive(signer.replay(of: delivery)).status == 409)
/// for forgery in WebhookSigner.Forgery.allCases {
///     #expect(try receive(signer.forgery(forgery, of: delivery)).status == 401)
/// }
/// ```
public struct WebhookSigner: Sendable {
    private let function: HMACSHA256

    /// Creates a signer with the secret of a subscription.
    public init(secret: String) { function = HMACSHA256(key: Array(secret.utf8)) }

    // MARK: Genuine deliveries

    /// The delivery of an event.
    /// - Parameters:
    ///   - type: The type, whose part before the point is the category.
    ///   - id: The id of the event.
    ///   - tenant: The tenant of the event.
    ///   - timestamp: The time of the event.
    ///   - data: The details.
    public func delivery(
        of type: WebhookEventType,
        id: String,
        tenant: String = "acme",
        timestamp: String = "2026-01-01T00:00:00Z",
        data: JSONValue = [:]
    ) -> WebhookDelivery {
        let category = String(type.rawValue.prefix { $0 != "." })
        let event: JSONValue = [
            "event_id": .string(id), "event_type": .string(type.rawValue), "category": .string(category),
            "timestamp": .string(timestamp), "tenant_id": .string(tenant), "source": "cycles-server", "data": data,
        ]
        return delivery(of: event.encoded, id: id, type: type)
    }

    /// The delivery of any body, such as one that is no event.
    public func delivery(of body: [UInt8], id: String, type: WebhookEventType) -> WebhookDelivery {
        let trace = String(Hexadecimal.text(SHA256.hash(id.utf8)).prefix(32))
        return WebhookDelivery(
            headers: [
                "Content-Type": "application/json", "User-Agent": "cycles-server/test", "X-Cycles-Event-Id": id,
                "X-Cycles-Event-Type": type.rawValue, "X-Cycles-Signature": signature(body), "X-Cycles-Trace-Id": trace,
                "traceparent": "00-\(trace)-00f067aa0ba902b7-01",
            ],
            body: body
        )
    }

    /// The value of `X-Cycles-Signature` for a body.
    public func signature(_ body: [UInt8]) -> String { "sha256=" + Hexadecimal.text(function.code(body)) }

    // MARK: Replays

    /// A recorded delivery, sent again by somebody without the secret, who changes `X-Cycles-Event-Id`, as header fields
    /// are not signed. A delivery that is simply sent twice is a replay, too, and also what a server may do.
    public func replay(of delivery: WebhookDelivery) -> WebhookDelivery {
        var copy = delivery
        copy.headers["X-Cycles-Event-Id"] = (delivery.headers["X-Cycles-Event-Id"] ?? "") + "-replayed"
        return copy
    }

    // MARK: Forgeries

    /// The ways to forge a delivery.
    public enum Forgery: String, Hashable, Sendable, CaseIterable {
        /// Without a signature.
        case noSignature
        /// Signed with another secret.
        case otherSecret
        /// With a body that was changed after it was signed.
        case changedBody
        /// With the signature of another body.
        case otherSignature
        /// With the first half of the signature.
        case truncatedSignature
        /// With a plain hash of the body.
        case hashWithoutSecret
    }

    /// A delivery that a receiver has to refuse.
    public func forgery(_ forgery: Forgery, of delivery: WebhookDelivery) -> WebhookDelivery {
        var copy = delivery
        switch forgery {
        case .noSignature: copy.headers["X-Cycles-Signature"] = nil
        case .otherSecret:
            let other = HMACSHA256(key: Array(function.code(Array("other".utf8))))
            copy.headers["X-Cycles-Signature"] = "sha256=" + Hexadecimal.text(other.code(copy.body))
        case .changedBody: copy.body.append(UInt8(ascii: " "))
        case .otherSignature: copy.headers["X-Cycles-Signature"] = signature(copy.body + [0x20])
        case .truncatedSignature: copy.headers["X-Cycles-Signature"] = signature(copy.body).prefix(39).description
        case .hashWithoutSecret:
            copy.headers["X-Cycles-Signature"] = "sha256=" + Hexadecimal.text(SHA256.hash(copy.body))
        }
        return copy
    }
}

extension WebhookSigner: CustomStringConvertible, CustomReflectable {
    /// The type, without the secret.
    public var description: String { "WebhookSigner(\(Secret.placeholder))" }

    /// Nothing, since the state of the function can sign.
    public var customMirror: Mirror { Mirror(self, children: [], displayStyle: .struct) }
}
