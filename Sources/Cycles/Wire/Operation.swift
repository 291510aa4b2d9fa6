/// One call of the protocol, ready to be sent: its target, its contents, and the type of its answer.
package struct Operation<Output: ResponseDecodable>: Sendable {
    /// The operation of the specification, such as `commitReservation`.
    package var name: StaticString
    package var method: HTTPMethod
    /// The path below the base URL, encoded, with its query.
    package var path: String
    package var body: [UInt8] = []
    package var idempotencyKey: IdempotencyKey?
    /// The reservation that the operation concerns, if it already exists.
    package var reservationID: ReservationID?
    /// The status of a success. Any other status is an error.
    package var successStatus = 200
    package var authentication = Authentication.apiKey
    /// The priority in the queue for connections.
    package var priority = RequestPriority.normal
    /// The unit of the request, used in advice on an answer that reports an unknown budget.
    package var unit: BudgetUnit?
    /// Whether the 409 codes about budgets are denials.
    package var isBudgetRequest = false
}

/// The credentials of an operation.
package enum Authentication: Sendable {
    /// The API key.
    case apiKey
    /// The admin key if there is one, otherwise the API key.
    case operatorOrAPIKey
    /// No credentials: the operation is public.
    case none
}

/// The values that a client adds to requests that lack them.
package struct RequestDefaults: Sendable {
    package var subject: Subject
    /// Whether the client sends the admin key where the specification allows it.
    package var usesOperatorKey: Bool

    package init(_ configuration: CyclesConfiguration) {
        func value(_ text: String?) -> String? { text.flatMap { $0.isBlank ? nil : $0 } }
        subject = Subject(
            tenant: value(configuration.tenant),
            workspace: value(configuration.workspace),
            app: value(configuration.app),
            workflow: value(configuration.workflow),
            agent: value(configuration.agent),
            toolset: value(configuration.toolset)
        )
        usesOperatorKey = configuration.adminAPIKey != nil
    }

    /// Adds missing fields to the subject of a request.
    package func complete(_ subject: inout Subject) {
        if subject.tenant == nil { subject.tenant = self.subject.tenant }
        if subject.workspace == nil { subject.workspace = self.subject.workspace }
        if subject.app == nil { subject.app = self.subject.app }
        if subject.workflow == nil { subject.workflow = self.subject.workflow }
        if subject.agent == nil { subject.agent = self.subject.agent }
        if subject.toolset == nil { subject.toolset = self.subject.toolset }
    }
}
