/// One call of the protocol, ready to be sent: where it goes, what it carries, what its answer has to be.
package struct Operation<Output: ResponseDecodable>: Sendable {
    /// The operation of the specification, such as `commitReservation`.
    package var name: StaticString
    package var method: HTTPMethod
    /// The path below the base URL, encoded, with its query.
    package var path: String
    package var body: [UInt8] = []
    package var idempotencyKey: IdempotencyKey?
    /// The reservation that it is about, if it exists already.
    package var reservationID: ReservationID?
    /// The status of a success; every other is none.
    package var successStatus = 200
    package var authentication = Authentication.apiKey
    /// Its place in the queue for connections.
    package var priority = RequestPriority.normal
    /// The unit that the request was in, to explain an answer that does not know the budget.
    package var unit: BudgetUnit?
    /// Whether the 409 codes about budgets mean that the authority said no.
    package var isBudgetRequest = false
}

/// Which credentials an operation carries.
package enum Authentication: Sendable {
    /// The API key.
    case apiKey
    /// The operator's key if there is one, else the API key.
    case operatorOrAPIKey
    /// None: the operation is public.
    case none
}

/// What a client fills in where a request says nothing.
package struct RequestDefaults: Sendable {
    package var subject: Subject
    /// Whether the operator's key is sent where the specification allows it.
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

    /// Fills the gaps in the subject of a request.
    package func complete(_ subject: inout Subject) {
        if subject.tenant == nil { subject.tenant = self.subject.tenant }
        if subject.workspace == nil { subject.workspace = self.subject.workspace }
        if subject.app == nil { subject.app = self.subject.app }
        if subject.workflow == nil { subject.workflow = self.subject.workflow }
        if subject.agent == nil { subject.agent = self.subject.agent }
        if subject.toolset == nil { subject.toolset = self.subject.toolset }
    }
}
