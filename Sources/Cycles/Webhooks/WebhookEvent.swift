/// An event that a server delivers to a webhook (specification: WEBHOOK EVENT GUIDANCE, standard event payload).
///
/// Deliveries are at least once and may be out of order: remember the ids of the events that were handled, and order
/// events by their `timestamp`.
public struct WebhookEvent: Hashable, Sendable {
    /// The id of the event, the same in each delivery of it (`event_id`).
    public let id: String
    /// The type of the event (`event_type`).
    public let type: WebhookEventType
    /// The category, such as `budget` or `reservation`.
    public let category: String
    /// The time of the event in UTC, as ISO 8601 writes it.
    public let timestamp: String
    /// The tenant; `__system__` for events of the system (`tenant_id`).
    public let tenant: String
    /// The service that emitted the event, such as `cycles-server`.
    public let source: String
    /// The details, whose members depend on the type; `null` if there are none.
    public let data: JSONValue
}

extension WebhookEvent: WireObjectDecodable, ResponseDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            id: try object.required("event_id"),
            type: try object.required("event_type"),
            category: try object.required("category"),
            timestamp: try object.required("timestamp"),
            tenant: try object.required("tenant_id"),
            source: try object.required("source"),
            data: try object.optional("data") ?? .null
        )
    }
}

extension WebhookEventType: WireDecodable {}
