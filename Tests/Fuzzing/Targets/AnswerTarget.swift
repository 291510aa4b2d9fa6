@testable import Cycles

/// Answers to all operations.
///
/// The first byte of an input chooses the operation and the second the status. Lines with fields follow, up to an empty
/// line, and the body.
enum AnswerTarget {
    /// A key that servers may quote.
    static let secret = "sk-fuzz-4711"

    static func run(_ bytes: [UInt8]) throws(Finding) {
        var input = FuzzInput(bytes)
        let check = checks[input.byte() % checks.count]
        let status = statuses[input.byte() % statuses.count]
        var headers = HTTPHeaders()
        while let line = input.line(), !line.isEmpty {
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1).map {
                String(decoding: $0, as: UTF8.self)
            }
            headers.append(name: parts.first ?? "", value: parts.count == 2 ? parts[1].trimmed : "")
        }
        try check(HTTPResponse(status: status, headers: headers, body: Array(input.rest)))
    }

    private static let statuses = [
        200, 201, 400, 401, 403, 404, 409, 410, 422, 429, 500, 503, 302, 204, 426, 497, 0, 999,
    ]

    private static let checks: [@Sendable (HTTPResponse) throws(Finding) -> Void] = [
        check(Operation<DecisionResponse>(.post, "decide", isBudgetRequest: true)),
        check(Operation<ReservationCreateResponse>(.post, "createReservation", isBudgetRequest: true)) {
            response throws(Finding) in
            guard response.decision == .deny else { return }
            var dumped = ""
            dump(Denial(response, Redactor([secret])), to: &dumped)
            try conceals(dumped)
        },
        check(Operation<CommitResponse>(.post, "commitReservation")) { response throws(Finding) in
            try require(
                response.status == .committed && response.charged.amount >= 0,
                "a commit charges less than zero"
            )
        },
        check(Operation<ReleaseResponse>(.post, "releaseReservation")) { response throws(Finding) in
            try require(response.status == .released && response.released.amount >= 0, "less than zero is released")
        },
        check(Operation<ExtendResponse>(.post, "extendReservation")) { response throws(Finding) in
            try require(response.expiresAtMilliseconds >= 0, "a lease ends before 1970")
        },
        check(Operation<EventCreateResponse>(.post, "createEvent", successStatus: 201, isBudgetRequest: true)),
        check(Operation<ReservationDetail>(.get, "getReservation")),
        check(Operation<ReservationListResponse>(.get, "listReservations")) { response throws(Finding) in
            try require(!response.hasMore || response.nextCursor?.isEmpty == false, "a next page has no cursor")
        },
        check(Operation<BalanceResponse>(.get, "getBalances")) { response throws(Finding) in
            try require(!response.hasMore || response.nextCursor?.isEmpty == false, "a next page has no cursor")
        },
        check(Operation<EvidenceEnvelope>(.get, "getEvidence")),
        check(Operation<EvidenceKeySet>(.get, "getEvidenceJwks")),
    ]

    private static func check<Output: Equatable>(
        _ operation: Operation<Output>,
        _ rules: @escaping @Sendable (APIResponse<Output>) throws(Finding) -> Void = { _ in }
    ) -> @Sendable (HTTPResponse) throws(Finding) -> Void {
        { response throws(Finding) in
            let metadata = ResponseMetadata(response)
            try require(metadata.retryAfter ?? .zero >= .zero, "Retry-After is less than zero")
            let success: APIResponse<Output>
            do throws(CyclesError) {
                success = try operation.interpret(response, Redactor([secret]))
            } catch {
                return try checkFailure(operation, response, error)
            }
            try checkSuccess(operation, response, success)
            try rules(success)
        }
    }

    /// A success has the operation's status, and its value does not depend on the spelling of the body.
    private static func checkSuccess<Output: Equatable>(
        _ operation: Operation<Output>,
        _ response: HTTPResponse,
        _ success: APIResponse<Output>
    ) throws(Finding) {
        try require(response.status == operation.successStatus, "a success has status \(response.status)")
        let body = try require(try? JSONValue(parsing: response.body), "a success has a body that is no JSON")
        let other = try? Output(body: body.encoded)
        try require(other == success.value, "another spelling of the body has another value")
        _ = "\(success.value)"
    }

    /// A failure is of the kind that its status means, and shows no secret.
    private static func checkFailure<Output>(
        _ operation: Operation<Output>,
        _ response: HTTPResponse,
        _ error: CyclesError
    ) throws(Finding) {
        try require(error.status == response.status, "an error has another status than its answer")
        try require(error.retryAfter ?? .zero >= .zero, "a wait is less than zero")
        switch error {
        case .invalidResponse: try require(response.status < 400, "an error answer counts as invalid")
        case .api: try require(response.status >= 400, "an answer counts as an error")
        case .denied: try require(response.status == 409 && operation.isBudgetRequest, "a denial that is none")
        default: throw Finding("an answer became \(error)")
        }
        try conceals("\(error)")
        // Stored values count too, which descriptions leave out.
        var dumped = ""
        dump(error, to: &dumped)
        try conceals(dumped)
        let line = TerminalText(error)
        try require(TerminalText(line) == line, "escaping a text twice changes it")
        try require(line.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a control character is left")
    }

    private static func conceals(_ text: String) throws(Finding) {
        try require(!text.hasPart(secret), "a key is shown: \(text)")
    }
}

extension Operation {
    fileprivate init(
        _ method: HTTPMethod,
        _ name: StaticString,
        successStatus: Int = 200,
        isBudgetRequest: Bool = false
    ) {
        self.init(name: name, method: method, path: "/", successStatus: successStatus, isBudgetRequest: isBudgetRequest)
        unit = .tokens
    }
}
