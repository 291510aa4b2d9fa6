import Testing

@testable import Cycles

@Suite struct SettlementStateMachineTests {
    private func error(_ status: Int, _ code: ErrorCode? = nil, retryAfter: Duration? = nil) -> CyclesError {
        .api(APIError(operation: "o", status: status, code: code, message: "m", retryAfter: retryAfter))
    }

    private func record(_ key: IdempotencyKey = "key-1") -> SettlementRecord {
        SettlementRecord(
            reservationID: "rsv_1",
            baseURL: "",
            idempotencyKey: key,
            commit: CommitRequest(
                actual: .tokens(5),
                metrics: CyclesMetrics(tokensInput: 3),
                metadata: ["job": 7, "recovery_reason": "mine"]
            ),
            subject: Subject(tenant: "acme", agent: "bot"),
            action: Action(kind: "k", name: "n", tags: ["t"]),
            recordedAtMilliseconds: 0
        )
    }

    private func machine(_ mode: SettlementRecord.Mode = .commit) -> SettlementStateMachine {
        var record = record()
        if mode == .event { _ = record.becomeEvent() }
        return SettlementStateMachine(.settle(record), RetryPolicy())
    }

    /// The next step as text, to compare.
    private func step(
        _ machine: inout SettlementStateMachine,
        _ answer: Result<SettlementStateMachine.Answer, CyclesError>
    ) -> String {
        switch machine.answered(answer, now: .zero, randomness: 0.5) {
        case .send: "send \(name(machine.request))"
        case .storeAndSend: "store and send \(name(machine.request))"
        case .wait(let delay, let floor, _):
            "\(name(machine.request)) in \(delay.readable)" + (floor > .zero ? ", not before \(floor.readable)" : "")
        case .finished(.success(let settlement)): "settled \(settlement)"
        case .finished(.failure(let error)): "rejected \(error.status ?? 0)"
        }
    }

    private func name(_ request: SettlementStateMachine.Request) -> String {
        switch request {
        case .commit: "commit"
        case .event: "event"
        case .lookUp: "lookUp"
        case .release: "release"
        }
    }

    private func afterCommit(_ error: CyclesError) -> String {
        var machine = machine()
        return step(&machine, .failure(error))
    }

    private func afterEvent(_ error: CyclesError) -> String {
        var machine = machine(.event)
        return step(&machine, .failure(error))
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
            var machine = machine()
            #expect(step(&machine, .failure(answer)) == "store and send event")
            #expect(machine.record?.mode == .event)
            #expect(afterEvent(answer) == "rejected \(answer.status ?? 0)")
        }
    }

    @Test func whatIsFinalizedIsLookedUp() {
        let expectations: [(ReservationStatus, String)] = [
            (.committed, "settled already settled"), (.released, "store and send event"),
            (.expired, "store and send event"),
            (.active, "rejected 409"), (ReservationStatus(rawValue: "ODD"), "rejected 409"),
        ]
        for (status, expected) in expectations {
            var machine = machine()
            #expect(step(&machine, .failure(error(409, .reservationFinalized))) == "send lookUp")
            #expect(step(&machine, .success(.found(status))) == expected)
        }
        #expect(afterEvent(error(409, .reservationFinalized)) == "rejected 409")
    }

    @Test func aKeyThatWasUsedForSomethingElseCountsOnlyIfCommitted() {
        for (status, expected) in [
            (ReservationStatus.committed, "settled already settled"), (.released, "rejected 409"),
            (.expired, "rejected 409"), (.active, "rejected 409"),
        ] {
            var machine = machine()
            #expect(step(&machine, .failure(error(409, .idempotencyMismatch))) == "send lookUp")
            #expect(step(&machine, .success(.found(status))) == expected)
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
            var machine = machine()
            _ = step(&machine, .failure(error(409, .reservationFinalized)))
            #expect(step(&machine, .failure(failure)) == expected)
            #expect(name(machine.request) == "commit")
        }
        for (failure, expected) in [
            (error(410), "store and send event"), (error(400, .reservationExpired), "store and send event"),
            (error(404, .notFound), "rejected 409"),
            (error(404, ErrorCode(rawValue: "NEW")), "rejected 409"),
        ] {
            var machine = machine()
            _ = step(&machine, .failure(error(409, .reservationFinalized)))
            #expect(step(&machine, .failure(failure)) == expected)
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
        var machine = machine()
        var waits: [String] = []
        for _ in 0..<12 { waits.append(step(&machine, .failure(error(500)))) }
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
        let event = try JSONValue(parsing: try #require(record().eventBody))
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

    @Test func aCommitWithoutAnEventIsRejectedWhenItsReservationHasExpired() throws {
        let contents = #"{"version":1,"reservation_id":"r","commit_body":{},"recorded_at_ms":0}"#
        let record = try SettlementRecord(parsing: Array(contents.utf8))
        var machine = SettlementStateMachine(.settle(record), RetryPolicy())
        #expect(step(&machine, .failure(error(410))) == "rejected 410")
    }

    @Test func anEventOfAnotherClientHasItsOwnKey() throws {
        let contents =
            #"{"version":1,"reservation_id":"r","commit_body":{"idempotency_key":"k"},"#
            + #""event_fallback_body":{"idempotency_key":"other"}}"#
        var record = try SettlementRecord(parsing: Array(contents.utf8))
        #expect(record.body.idempotencyKey == "k")
        let becameEvent = record.becomeEvent()
        #expect(becameEvent && record.body.idempotencyKey == "other")
        #expect(record.commit == .object(Array(#"{"idempotency_key":"k"}"#.utf8)))
    }

    // MARK: Releases

    private func afterRelease(_ errors: [CyclesError], leaseEnd: Duration? = .seconds(10)) -> String {
        let work = SettlementStateMachine.Work.release(ReleaseRequest(), leaseEnd: leaseEnd)
        var machine = SettlementStateMachine(work, RetryPolicy())
        return errors.map { step(&machine, .failure($0)) }.joined(separator: ", then ")
    }

    @Test func aReleaseOfWhatIsNotHeldHasSucceeded() {
        for answer in [error(410), error(409, .reservationFinalized)] {
            #expect(afterRelease([answer]) == "settled released")
        }
    }

    @Test func aReleaseIsRepeatedUntilTheLeaseEnds() {
        let failures = [CyclesError](repeating: error(500), count: 4)
        #expect(afterRelease(failures, leaseEnd: .seconds(3)).hasSuffix("then release in 2 s, then rejected 500"))
        #expect(afterRelease([error(429, retryAfter: .seconds(4))]) == "release in 4 s, not before 4 s")
        #expect(afterRelease([error(429, retryAfter: .seconds(10))]) == "rejected 429")
    }

    @Test func aReleaseWithoutAKnownEndIsRepeatedAFewTimes() {
        let failures = [CyclesError](repeating: error(500), count: 6)
        #expect(
            afterRelease(failures, leaseEnd: nil)
                == "release in 500 ms, then release in 1 s, then release in 2 s, then release in 4 s, then release in 8 s, "
                + "then rejected 500"
        )
    }

    @Test func aReleaseThatIsRefusedHasFailed() {
        for answer in [error(401), error(404), error(404, .notFound), error(409, .idempotencyMismatch)] {
            #expect(afterRelease([answer]) == "rejected \(answer.status ?? 0)")
        }
    }
}
