import Testing

@testable import Cycles

@Suite struct SettlementStateMachineTests {
    private func error(_ status: Int, _ code: ErrorCode? = nil, retryAfter: Duration? = nil) -> CyclesError {
        .api(APIError(operation: "o", status: status, code: code, message: "m", retryAfter: retryAfter))
    }

    private func process(_ mode: SettlementRecord.Mode = .commit) -> SettlementStateMachine {
        SettlementStateMachine(mode, RetryPolicy())
    }

    private func detail(_ status: ReservationStatus) -> Result<APIResponse<ReservationDetail>, CyclesError> {
        .success(
            APIResponse(
                value: ReservationDetail(
                    reservationID: "r",
                    status: status,
                    idempotencyKey: nil,
                    subject: Subject(tenant: "t"),
                    action: Action(kind: "k", name: "n"),
                    reserved: .tokens(1),
                    committed: nil,
                    createdAtMilliseconds: 0,
                    expiresAtMilliseconds: 0,
                    finalizedAtMilliseconds: nil,
                    scopePath: "s",
                    affectedScopes: [],
                    metadata: nil,
                    committedMetadata: nil,
                    evidence: nil
                ),
                http: ResponseMetadata(HTTPResponse(status: 200)),
                body: [],
                idempotencyKey: nil
            )
        )
    }

    /// A step as text, to compare.
    private func text(_ step: SettlementStateMachine.Step) -> String {
        switch step {
        case .send(let request): "send \(request)"
        case .wait(let request, let delay, let floor, _):
            "\(request) in \(delay.readable)" + (floor > .zero ? ", not before \(floor.readable)" : "")
        case .settled(let settlement): "settled \(settlement)"
        case .rejected(let error): "rejected \(error.status ?? 0)"
        }
    }

    private func afterCommit(_ error: CyclesError) -> String {
        var process = process()
        return text(process.committed(.failure(error), randomness: 0.5))
    }

    private func afterEvent(_ error: CyclesError) -> String {
        var process = process(.event)
        return text(process.charged(.failure(error), randomness: 0.5))
    }

    @Test func whatMayHaveBeenAppliedIsRepeated() {
        let transport = CyclesError.transport(HTTPTransportError(kind: .timedOut, message: "m"))
        #expect(afterCommit(transport) == "commit in 500 ms")
        #expect(afterEvent(transport) == "event in 500 ms")
        for status in [200, 201, 204, 302] {
            let invalid = CyclesError.invalidResponse(InvalidResponse(operation: "o", status: status, message: "m"))
            #expect(afterCommit(invalid) == "commit in 500 ms")
        }
        #expect(afterCommit(error(500, .internalError)) == "commit in 500 ms")
        #expect(afterCommit(error(502)) == "commit in 500 ms")
        for code in [nil, ErrorCode.notFound, .limitExceeded, .reservationExpired, ErrorCode(rawValue: "NEW")] {
            #expect(afterCommit(error(408, code)) == "commit in 500 ms")
            #expect(afterEvent(error(408, code)) == "event in 500 ms")
        }
        #expect(afterCommit(error(503, retryAfter: .seconds(4))) == "commit in 4 s, not before 4 s")
        // A code in a 5xx does not make it final.
        #expect(afterCommit(error(500, .notFound)) == "commit in 500 ms")
    }

    @Test func throttlingIsObeyed() {
        #expect(afterCommit(error(429, .limitExceeded, retryAfter: .seconds(7))) == "commit in 7 s, not before 7 s")
        #expect(afterCommit(error(429)) == "commit in 500 ms")
        #expect(afterCommit(error(400, .limitExceeded, retryAfter: .zero)) == "commit in 500 ms")
        // For an hour at most.
        #expect(afterCommit(error(429, retryAfter: .seconds(1_000_000))) == "commit in 3600 s, not before 3600 s")
        #expect(afterCommit(error(401, .limitExceeded)) == "commit in 500 ms")
    }

    @Test func whatNeedsAnOperatorWaitsLonger() {
        for answer in [error(401, .unauthorized), error(403, .forbidden), error(401), error(403, .budgetFrozen)] {
            #expect(afterCommit(answer) == "commit in 60 s")
        }
        for answer in [
            error(404), error(400, ErrorCode(rawValue: "NEW")), error(409, .internalError), error(418, .unauthorized),
        ] { #expect(afterCommit(answer) == "commit in 60 s") }
    }

    @Test func anExpiredReservationBecomesAnEvent() {
        for answer in [error(410, .reservationExpired), error(410), error(409, .reservationExpired)] {
            var process = process()
            #expect(text(process.committed(.failure(answer), randomness: 0.5)) == "send event")
            #expect(process.mode == .event && process.request == .event)
            #expect(afterEvent(answer) == "rejected \(answer.status ?? 0)")
        }
    }

    @Test func whatIsFinalizedIsLookedUp() {
        let expectations: [(ReservationStatus, String)] = [
            (.committed, "settled already settled"), (.released, "send event"), (.expired, "send event"),
            (.active, "rejected 409"), (ReservationStatus(rawValue: "ODD"), "rejected 409"),
        ]
        for (status, expected) in expectations {
            var process = process()
            #expect(
                text(process.committed(.failure(error(409, .reservationFinalized)), randomness: 0.5)) == "send lookUp"
            )
            #expect(text(process.lookedUp(detail(status), randomness: 0.5)) == expected)
        }
        #expect(afterEvent(error(409, .reservationFinalized)) == "rejected 409")
    }

    @Test func aKeyThatWasUsedForSomethingElseCountsOnlyIfCommitted() {
        for (status, expected) in [
            (ReservationStatus.committed, "settled already settled"), (.released, "rejected 409"),
            (.expired, "rejected 409"), (.active, "rejected 409"),
        ] {
            var process = process()
            #expect(
                text(process.committed(.failure(error(409, .idempotencyMismatch)), randomness: 0.5)) == "send lookUp"
            )
            #expect(text(process.lookedUp(detail(status), randomness: 0.5)) == expected)
        }
        #expect(afterEvent(error(409, .idempotencyMismatch)) == "rejected 409")
    }

    @Test func aLookUpThatFailsDecidesNothing() {
        let doubtful: [(CyclesError, String)] = [
            (error(500), "commit in 500 ms"), (error(429, retryAfter: .seconds(3)), "commit in 3 s, not before 3 s"),
            (error(401), "commit in 60 s"), (error(403), "commit in 60 s"), (error(404), "commit in 60 s"),
            (error(404, ErrorCode(rawValue: "Not Found")), "commit in 60 s"), (error(408), "commit in 500 ms"),
            (.transport(HTTPTransportError(kind: .timedOut, message: "m")), "commit in 500 ms"),
            (.invalidResponse(InvalidResponse(operation: "o", status: 200, message: "m")), "commit in 500 ms"),
        ]
        for (failure, expected) in doubtful {
            var process = process()
            _ = process.committed(.failure(error(409, .reservationFinalized)), randomness: 0.5)
            #expect(text(process.lookedUp(.failure(failure), randomness: 0.5)) == expected)
            #expect(process.request == .commit)
        }
        for (failure, expected) in [
            (error(410), "send event"), (error(400, .reservationExpired), "send event"),
            (error(404, .notFound), "rejected 409"),
            (error(404, ErrorCode(rawValue: "NEW")), "rejected 409"),
        ] {
            var process = process()
            _ = process.committed(.failure(error(409, .reservationFinalized)), randomness: 0.5)
            #expect(text(process.lookedUp(.failure(failure), randomness: 0.5)) == expected)
        }
    }

    @Test func everythingElseIsRefusedForGood() {
        for (status, code) in [
            (400, ErrorCode.invalidRequest), (400, .unitMismatch), (404, .notFound), (409, .budgetExceeded),
            (409, .budgetFrozen), (409, .budgetClosed), (409, .overdraftLimitExceeded), (409, .debtOutstanding),
            (409, .maxExtensionsExceeded), (409, .tenantClosed), (409, .actionQuotaExceeded),
            (409, .actionKindDenied), (409, .actionKindNotAllowed),
        ] {
            #expect(afterCommit(error(status, code)) == "rejected \(status)")
            #expect(afterEvent(error(status, code)) == "rejected \(status)")
        }
        let denied = CyclesError.denied(
            Denial(operation: "createEvent", reason: .budgetExceeded, status: 409, errorCode: .budgetExceeded)
        )
        #expect(afterEvent(denied) == "rejected 409")
    }

    @Test func aDenialWithAnUnknownCodeIsKept() {
        for code in [ErrorCode(rawValue: "REGION_CLOSED"), nil] {
            let denied = CyclesError.denied(
                Denial(operation: "createEvent", reason: .policyViolation, status: 409, errorCode: code)
            )
            #expect(afterEvent(denied) == "event in 60 s")
            #expect(afterCommit(error(409, code)) == "commit in 60 s")
        }
    }

    @Test func delaysGrowAndThenRoundsAreSlow() {
        var process = process()
        var waits: [String] = []
        for _ in 0..<12 { waits.append(text(process.committed(.failure(error(500)), randomness: 0.5))) }
        #expect(
            waits
                == [
                    "500 ms", "1 s", "2 s", "4 s", "8 s", "60 s", "120 s", "240 s", "480 s", "900 s", "900 s", "900 s",
                ].map { "commit in \($0)" }
        )
    }

    @Test func delaysAreJitteredByAFifth() {
        for (randomness, expected) in [(0.0, 400), (0.5, 500), (0.999_999_999, 600)] {
            var delays = RetryDelays(RetryPolicy())
            let milliseconds = delays.next(randomness: randomness).wholeMillisecondsRoundedUp
            #expect(milliseconds == Int64(expected))
        }
    }

    @Test func retriesCanBeTurnedOff() {
        var delays = RetryDelays(RetryPolicy(isEnabled: false))
        #expect(!delays.hasFastRetries && delays.next(randomness: 0.5) == .seconds(60))
        var none = RetryDelays(RetryPolicy(maxRetries: 0))
        #expect(none.next(randomness: 0.5) == .seconds(60))
    }

    @Test func extremeDelaysStayWithinTheirLimit() {
        var delays = RetryDelays(RetryPolicy(maxRetries: 1_000, multiplier: 1e300, maxDelay: .seconds(30)))
        for _ in 0..<1_000 {
            let delay = delays.next(randomness: 0.5)
            #expect(delay > .zero && delay <= .seconds(30))
        }
    }

    @Test func theEventStandsInForTheCommit() throws {
        let record = SettlementRecord(
            reservationID: "rsv_1",
            idempotencyKey: "key-1",
            commit: CommitRequest(
                actual: .tokens(5),
                metrics: CyclesMetrics(tokensInput: 3),
                metadata: ["job": 7, "recovery_reason": "mine"]
            ),
            subject: Subject(tenant: "acme", agent: "bot"),
            action: Action(kind: "k", name: "n", tags: ["t"]),
            recordedAtMilliseconds: 0
        )
        let event = try JSONValue(parsing: try #require(record.eventBody))
        #expect(
            event == [
                "idempotency_key": "key-1", "subject": ["tenant": "acme", "agent": "bot"],
                "action": ["kind": "k", "name": "n", "tags": ["t"]], "actual": ["unit": "TOKENS", "amount": 5],
                "metrics": ["tokens_input": 3],
                "metadata": [
                    "job": 7, "recovered_reservation_id": "rsv_1",
                    "recovery_reason": "commit_after_reservation_expired",
                ],
            ]
        )
    }
}
