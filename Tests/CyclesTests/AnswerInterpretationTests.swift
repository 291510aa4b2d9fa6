import Testing

@testable import Cycles

@Suite struct AnswerInterpretationTests {
    private let defaults = RequestDefaults(CyclesConfiguration(baseURL: "http://localhost", apiKey: "key-1"))
    private let redactor = Redactor(["hush-hush"])

    private func answer(_ status: Int, _ body: String, _ headers: HTTPHeaders = [:]) -> HTTPResponse {
        HTTPResponse(status: status, headers: headers, body: Array(body.utf8))
    }

    private func create(_ response: HTTPResponse) throws(CyclesError) -> APIResponse<ReservationCreateResponse> {
        let request = ReservationCreateRequest(
            subject: Subject(tenant: "acme"),
            action: Action(kind: "k", name: "n"),
            estimate: .tokens(5),
            idempotencyKey: "key-of-the-call"
        )
        return try Operation.createReservation(request, defaults).interpret(response, redactor)
    }

    private func commit(_ response: HTTPResponse) throws(CyclesError) -> APIResponse<CommitResponse> {
        try Operation.commitReservation("r", CommitRequest(actual: .tokens(5), idempotencyKey: "k"))
            .interpret(response, redactor)
    }

    private func error<Value>(_ body: () throws(CyclesError) -> Value) -> CyclesError? {
        do throws(CyclesError) {
            _ = try body()
            return nil
        } catch {
            return error
        }
    }

    private let full = #"""
        {"decision":"ALLOW_WITH_CAPS","reservation_id":"rsv_1","reserved":{"unit":"TOKENS","amount":5},
        "expires_at_ms":1712956830000,"remaining_ttl_ms":600000,"scope_path":"tenant:acme/agent:bot",
        "affected_scopes":["tenant:acme","tenant:acme/agent:bot"],"caps":{"max_tokens":10,"max_steps_remaining":2,
        "tool_allowlist":["a"],"tool_denylist":[],"cooldown_ms":1500},"balances":[{"scope":"tenant:acme",
        "scope_path":"tenant:acme","remaining":{"unit":"TOKENS","amount":-5},"reserved":{"unit":"TOKENS","amount":1},
        "spent":{"unit":"TOKENS","amount":2},"allocated":{"unit":"TOKENS","amount":3},
        "debt":{"unit":"TOKENS","amount":4},"overdraft_limit":{"unit":"TOKENS","amount":5},"is_over_limit":true,
        "later":{"x":[1]}}],"reason_code":null,"retry_after_ms":250,"cycles_evidence":{"evidence_id":"e","cycles_evidence_url":"u"},
        "added_later":{"x":[null]}}
        """#

    @Test func everythingOfAReservationIsRead() throws {
        let response = try create(answer(200, full, ["X-Request-Id": "req_1"]))
        #expect(response.decision == .allowWithCaps)
        #expect(response.reservationID == "rsv_1")
        #expect(response.reserved == .tokens(5))
        #expect(response.expiresAtMilliseconds == 1_712_956_830_000)
        #expect(response.remainingTimeToLive == .seconds(600))
        #expect(response.scopePath == "tenant:acme/agent:bot")
        #expect(response.affectedScopes == ["tenant:acme", "tenant:acme/agent:bot"])
        #expect(
            response.caps
                == Caps(
                    maxTokens: 10,
                    maxStepsRemaining: 2,
                    toolAllowlist: ["a"],
                    toolDenylist: [],
                    cooldown: .milliseconds(1_500)
                )
        )
        #expect(
            response.balances == [
                Balance(
                    scope: "tenant:acme",
                    scopePath: "tenant:acme",
                    remaining: .tokens(-5),
                    reserved: .tokens(1),
                    spent: .tokens(2),
                    allocated: .tokens(3),
                    debt: .tokens(4),
                    overdraftLimit: .tokens(5),
                    isOverLimit: true
                )
            ]
        )
        #expect(response.reasonCode == nil)
        #expect(response.retryAfter == .milliseconds(250))
        #expect(response.cyclesEvidence == EvidenceReference(evidenceID: "e", url: "u"))
        #expect(response.idempotencyKey == "key-of-the-call")
        #expect(response.http.requestID == "req_1")
        #expect(String(decoding: response.body, as: UTF8.self) == full)
        #expect(response == (try create(answer(200, full, ["X-Request-Id": "req_1"]))))
    }

    @Test func everyDecisionOfALowLevelCallIsReturned() throws {
        for decision in ["DENY", "ALLOW", "SOMETHING_NEW"] {
            let response = try create(answer(200, #"{"decision":"\#(decision)","affected_scopes":[]}"#))
            #expect(response.decision.rawValue == decision)
            #expect(response.balances.isEmpty && response.cyclesEvidence == nil)
        }
    }

    @Test(arguments: [
        ("", "not valid JSON"), ("<html>", "not valid JSON"), ("[]", "is not an object"), ("null", "is not an object"),
        ("{}", "decision is missing"), (#"{"decision":"ALLOW"}"#, "affected_scopes is missing"),
        (#"{"decision":1,"affected_scopes":[]}"#, "decision is not a string"),
        (#"{"decision":null,"affected_scopes":[]}"#, "decision is not a string"),
        (#"{"decision":"ALLOW","affected_scopes":"x"}"#, "affected_scopes is not an array"),
        (#"{"decision":"ALLOW","affected_scopes":["a",1]}"#, "affected_scopes[1] is not a string"),
        (#"{"decision":"ALLOW","affected_scopes":[],"caps":[]}"#, "caps is not an object"),
        (#"{"decision":"ALLOW","affected_scopes":[],"caps":{"max_tokens":"9"}}"#, "caps.max_tokens is not"),
        (#"{"decision":"ALLOW","affected_scopes":[],"caps":{"max_tokens":-1}}"#, "caps.max_tokens is not"),
        (#"{"decision":"ALLOW","affected_scopes":[],"remaining_ttl_ms":"1"}"#, "remaining_ttl_ms is not"),
        (#"{"decision":"ALLOW","affected_scopes":[],"remaining_ttl_ms":-1}"#, "remaining_ttl_ms is not"),
        (#"{"decision":"ALLOW","affected_scopes":[],"reservation_id":5}"#, "reservation_id is not a string"),
        (
            #"{"decision":"ALLOW","affected_scopes":[],"expires_at_ms":9223372036854775808}"#,
            "expires_at_ms does not fit"
        ),
        (
            #"{"decision":"ALLOW","affected_scopes":[],"reserved":{"unit":"TOKENS","amount":1e30}}"#,
            "reserved.amount does not fit"
        ),
        (#"{"decision":"ALLOW","affected_scopes":[]} x"#, "not valid JSON"),
    ])
    func reservationsThatMakeNoSenseAreInvalid(body: String, message: String) throws {
        guard case .invalidResponse(let invalid) = error({ () throws(CyclesError) in try create(answer(200, body)) })
        else {
            Issue.record("\(body) was accepted")
            return
        }
        #expect(invalid.message.contains(message), "\(invalid.message)")
        #expect(invalid.status == 200)
        #expect(invalid.idempotencyKey == "key-of-the-call")
    }

    @Test func deeplyNestedAndTruncatedBodiesAreInvalid() {
        let deep = #"{"decision":"ALLOW","affected_scopes":[],"x":"# + String(repeating: "[", count: 100_000)
        #expect(error { () throws(CyclesError) in try create(answer(200, deep)) }?.isRetryable == true)
        let bytes = Array(full.utf8)
        for length in stride(from: 0, to: bytes.count, by: 7) {
            let response = HTTPResponse(status: 200, body: Array(bytes[..<length]))
            guard case .invalidResponse = error({ () throws(CyclesError) in try create(response) }) else {
                Issue.record("a body cut at \(length) was accepted")
                return
            }
        }
    }

    @Test func settlementsAreLenientAboutWhatDoesNotSettle() throws {
        let response = try commit(
            answer(
                200,
                #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":5},"released":"x","balances":7,"cycles_evidence":[]}"#
            )
        )
        #expect(response.charged == .tokens(5))
        #expect(response.released == nil && response.balances.isEmpty && response.cyclesEvidence == nil)
    }

    @Test(arguments: [
        #"{"status":"COMMITTED"}"#, #"{"charged":{"unit":"TOKENS","amount":5}}"#,
        #"{"status":"PENDING","charged":{"unit":"TOKENS","amount":5}}"#,
        #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":-5}}"#,
        #"{"status":"COMMITTED","charged":{"unit":"TOKENS"}}"#, #"{"status":"COMMITTED","charged":{"amount":1}}"#,
        #"{"status":"COMMITTED","charged":5}"#,
    ])
    func settlementsThatDoNotSettleAreInvalid(body: String) {
        guard case .invalidResponse(let invalid) = error({ () throws(CyclesError) in try commit(answer(200, body)) })
        else {
            Issue.record("\(body) was accepted")
            return
        }
        #expect(invalid.operation == "commitReservation")
    }

    @Test func onlyThePromisedStatusIsASuccess() throws {
        let body = #"{"status":"COMMITTED","charged":{"unit":"TOKENS","amount":5}}"#
        for status in [201, 202, 204, 206, 302, 304] {
            let found = error { () throws(CyclesError) in try commit(answer(status, body, ["Location": "http://evil/"]))
            }
            guard case .invalidResponse(let invalid) = found else {
                Issue.record("\(status) was accepted")
                return
            }
            #expect(invalid.status == status)
            #expect(found?.isRetryable == (status < 300))
            if status == 302 { #expect(invalid.message.contains("http://evil/")) }
        }
    }

    @Test func errorAnswersAreReadWhole() throws {
        let body = #"""
            {"error":"IDEMPOTENCY_MISMATCH","message":"other payload","request_id":"req_9",
            "trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","details":{"field":"estimate"},
            "cycles_evidence":{"evidence_id":"e","cycles_evidence_url":"u"}}
            """#
        let found = try #require(
            error { () throws(CyclesError) in try create(answer(409, body, ["Retry-After": " 3 "])) }
        )
        guard case .api(let api) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(api.code == .idempotencyMismatch && found.errorCode == .idempotencyMismatch)
        #expect(api.status == 409 && found.status == 409)
        #expect(api.message == "other payload")
        #expect(found.requestID == "req_9")
        #expect(found.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(api.details == ["field": "estimate"])
        #expect(api.evidence == EvidenceReference(evidenceID: "e", url: "u"))
        #expect(found.retryAfter == .seconds(3))
        #expect(found.idempotencyKey == "key-of-the-call")
        #expect(!found.isRetryable && !found.isDenied)
        #expect("\(found)".contains("createReservation failed with 409 IDEMPOTENCY_MISMATCH: other payload"))
        #expect("\(found)".contains("use a fresh key") && "\(found)".contains("request req_9"))
    }

    @Test(arguments: [
        "BUDGET_EXCEEDED", "BUDGET_FROZEN", "BUDGET_CLOSED", "OVERDRAFT_LIMIT_EXCEEDED", "DEBT_OUTSTANDING",
        "TENANT_CLOSED",
    ])
    func budgetConflictsAreDenials(code: String) throws {
        let body = #"{"error":"\#(code)","message":"no","request_id":"r","details":{"scope":"tenant:acme"}}"#
        let found = try #require(error { () throws(CyclesError) in try create(answer(409, body)) })
        guard case .denied(let denial) = found else {
            Issue.record("\(found)")
            return
        }
        #expect(denial.reason.rawValue == code)
        #expect(denial.errorCode?.rawValue == code)
        #expect(denial.affectedScopes == ["tenant:acme"])
        #expect(found.isDenied && !found.isRetryable)
        #expect(found.isBudgetExceeded == (code == "BUDGET_EXCEEDED"))
        #expect(found.requestID == "r" && found.status == 409)
        // A commit that is refused is an error: there is nothing left to deny.
        guard case .api = error({ () throws(CyclesError) in try commit(answer(409, body)) }) else {
            Issue.record("a commit was denied")
            return
        }
    }

    @Test func otherConflictsAreNoDenials() {
        for code in ["RESERVATION_FINALIZED", "MAX_EXTENSIONS_EXCEEDED", "SOMETHING_NEW"] {
            let body = #"{"error":"\#(code)","message":"m","request_id":"r"}"#
            #expect(error { () throws(CyclesError) in try create(answer(409, body)) }?.isDenied == false)
        }
        // The code alone does not make a denial.
        let body = #"{"error":"BUDGET_EXCEEDED","message":"m","request_id":"r"}"#
        #expect(error { () throws(CyclesError) in try create(answer(400, body)) }?.isDenied == false)
    }

    @Test func errorsSayWhichUnitWasMeant() throws {
        let mismatch = #"""
            {"error":"UNIT_MISMATCH","message":"m","request_id":"r",
            "details":{"scope":"tenant:acme","requested_unit":"TOKENS","expected_units":["CREDITS","USD_MICROCENTS"]}}
            """#
        let found = error { () throws(CyclesError) in try create(answer(400, mismatch)) }
        #expect(found?.description.contains("; send amounts in CREDITS or USD_MICROCENTS instead of TOKENS") == true)
        let missing = #"{"error":"NOT_FOUND","message":"Budget not found for provided scope: x","request_id":"r"}"#
        #expect(
            error { () throws(CyclesError) in try create(answer(404, missing)) }?.description
                .contains("the request was in TOKENS") == true
        )
        let bare = #"{"error":"UNIT_MISMATCH","message":"m","request_id":"r"}"#
        #expect(
            error { () throws(CyclesError) in try commit(answer(400, bare)) }?.description
                .contains("another unit than TOKENS") == true
        )
    }

    @Test(arguments: [401, 403, 404, 429, 500, 502, 503])
    func errorsThatAreNotOfTheProtocolAreStillErrors(status: Int) throws {
        for body in ["", "<html>Bad\nGateway</html>", "[]", "{\"error\":5}", String(repeating: "[", count: 100_000)] {
            let found = try #require(
                error { () throws(CyclesError) in try create(answer(status, body, ["X-Request-Id": "r"])) }
            )
            guard case .api(let api) = found else {
                Issue.record("\(found)")
                return
            }
            #expect(api.code == nil && api.status == status && api.requestID == "r")
            #expect(found.isRetryable == (status == 429 || status >= 500))
            #expect(!api.message.contains("\n") && api.message.count < 300)
        }
    }

    @Test(arguments: [
        "<center>The plain HTTP request was sent to HTTPS port</center>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br /> Instead use the HTTPS scheme",
        "Bad Request\r\nThis combination of host and port requires TLS.\r\n",
    ])
    func aPortThatExpectsTLSIsNamed(page: String) throws {
        let found = try #require(error { () throws(CyclesError) in try create(answer(400, page)) })
        #expect(found.description.contains("its URL has to begin with https"), "\(found)")
        let other = try #require(error { () throws(CyclesError) in try create(answer(500, page)) })
        #expect(!other.description.contains("has to begin with https"), "\(other)")
    }

    @Test func secretsThatTheServerQuotesAreTakenOut() throws {
        let body = #"""
            {"error":"UNAUTHORIZED","message":"unknown key hush-hush","request_id":"hush-hush",
            "details":{"key":"\u0068ush-hush","hush-hush":1}}
            """#
        let found = try #require(error { () throws(CyclesError) in try create(answer(401, body)) })
        var shown = "\(found) \(String(reflecting: found))"
        dump(found, to: &shown)
        #expect(!shown.contains("hush-hush"), "\(shown)")
        let redirect = answer(302, "", ["Location": "http://evil/?key=hush-hush"])
        #expect(error { () throws(CyclesError) in try create(redirect) }?.description.contains("hush-hush") == false)
        let page = answer(502, "your key is hush-hush")
        #expect(error { () throws(CyclesError) in try create(page) }?.description.contains("hush-hush") == false)
    }

    @Test(arguments: [
        (401, "UNAUTHORIZED"), (409, "BUDGET_EXCEEDED"), (500, "INTERNAL_ERROR"),
    ])
    func secretsInAReferenceToEvidenceAreTakenOut(status: Int, code: String) throws {
        let evidence = #""cycles_evidence":{"evidence_id":"hush-hush","cycles_evidence_url":"https://a/hush-hush"}"#
        let body = #"{"error":"\#(code)","message":"no",\#(evidence)}"#
        var shown = ""
        dump(try #require(error { () throws(CyclesError) in try create(answer(status, body)) }), to: &shown)
        #expect(shown.contains("https://a/[redacted]") && !shown.contains("hush-hush"), "\(shown)")
        let denied = try create(answer(200, #"{"decision":"DENY","affected_scopes":[],\#(evidence)}"#))
        shown = ""
        dump(Denial(denied, redactor), to: &shown)
        #expect(shown.contains("https://a/[redacted]") && !shown.contains("hush-hush"), "\(shown)")
    }

    @Test func aKeyOfDigitsIsTakenOutOfATraceIdentifier() throws {
        let key = "4bf92f3577b34da6a3ce929d0e0e4736"
        let redactor = Redactor([key])
        let operation = try Operation.commitReservation("r", CommitRequest(actual: .tokens(5), idempotencyKey: "k"))
        for (status, body) in [(200, "{}"), (302, ""), (404, "{}")] {
            let response = answer(status, body, ["X-Cycles-Trace-Id": key])
            let found = error { () throws(CyclesError) in try operation.interpret(response, redactor) }
            #expect(try #require(found).traceID == "[redacted]")
        }
        let denied = try create(
            answer(200, #"{"decision":"DENY","affected_scopes":[]}"#, ["X-Cycles-Trace-Id": key])
        )
        #expect(Denial(denied, redactor).traceID == "[redacted]")
    }

    @Test(
        arguments: [
            ("3", 3), (" 7\t", 7), ("0", 0), ("-1", nil), ("+1", nil), ("1.5", nil), ("", nil), ("soon", nil),
            ("Wed, 21 Oct 2015 07:28:00 GMT", nil), ("99999999999999999999", nil), ("１", nil),
        ] as [(String, Int64?)]
    )
    func retryAfterIsDigitsOnly(text: String, expected: Int64?) {
        let metadata = ResponseMetadata(HTTPResponse(status: 429, headers: ["Retry-After": text]))
        #expect(metadata.retryAfter == expected.map { Duration.seconds($0) })
    }

    @Test func headersOfTheAnswerAreRead() {
        let metadata = ResponseMetadata(
            HTTPResponse(
                status: 200,
                headers: [
                    "x-request-id": "req", "X-CYCLES-TRACE-ID": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "X-Cycles-Tenant": "acme", "X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "1712956830",
                ]
            )
        )
        #expect(metadata.status == 200)
        #expect(metadata.requestID == "req" && metadata.tenant == "acme")
        #expect(metadata.traceID == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect(metadata.rateLimitRemaining == 5 && metadata.rateLimitReset == 1_712_956_830)
        let malformed = ResponseMetadata(
            HTTPResponse(
                status: 200,
                headers: ["X-Cycles-Trace-Id": "XYZ", "X-RateLimit-Remaining": "many", "X-Request-Id": " "]
            )
        )
        #expect(malformed.traceID == nil && malformed.rateLimitRemaining == nil && malformed.requestID == nil)
        #expect(malformed.tenant == nil && malformed.rateLimitReset == nil && malformed.retryAfter == nil)
    }

    @Test func everyOtherAnswerIsRead() throws {
        func read<Output>(_ operation: Operation<Output>, _ status: Int, _ body: String) throws(CyclesError) -> Output {
            try operation.interpret(answer(status, body), redactor).value
        }
        let decision = try read(
            .decide(
                DecisionRequest(
                    subject: Subject(tenant: "t"),
                    action: Action(kind: "", name: ""),
                    estimate: .tokens(1)
                ),
                defaults
            ),
            200,
            #"{"decision":"DENY","reason_code":"NEW_REASON","retry_after_ms":1,"affected_scopes":["s"],"caps":null,"cycles_evidence":{"evidence_id":"e","cycles_evidence_url":"u"}}"#
        )
        #expect(decision.decision == .deny && decision.reasonCode == .unrecognized("NEW_REASON"))
        #expect(decision.retryAfter == .milliseconds(1) && decision.affectedScopes == ["s"] && decision.caps == nil)
        #expect(decision.cyclesEvidence?.url == "u")

        let release = try read(
            .releaseReservation("r", ReleaseRequest()),
            200,
            #"{"status":"RELEASED","released":{"unit":"TOKENS","amount":5},"balances":[],"cycles_evidence":null}"#
        )
        #expect(release.status == .released && release.released == .tokens(5))
        #expect(release.balances.isEmpty && release.cyclesEvidence == nil)

        let extend = try read(
            .extendReservation("r", ExtendRequest(by: .seconds(1))),
            200,
            #"{"status":"ACTIVE","expires_at_ms":5,"remaining_ttl_ms":0,"balances":null}"#
        )
        #expect(extend.status == .active && extend.expiresAtMilliseconds == 5 && extend.remainingTimeToLive == .zero)
        #expect(extend.balances.isEmpty)

        let event = try read(
            .createEvent(
                EventCreateRequest(
                    subject: Subject(tenant: "t"),
                    action: Action(kind: "", name: ""),
                    actual: .tokens(1)
                ),
                defaults
            ),
            201,
            #"{"status":"APPLIED","event_id":"evt","charged":{"unit":"TOKENS","amount":1},"balances":[]}"#
        )
        #expect(event.status == .applied && event.eventID == "evt" && event.charged == .tokens(1))
        #expect(event.balances.isEmpty)

        let row = #"""
            {"reservation_id":"r","status":"COMMITTED","idempotency_key":"k","subject":{"tenant":"t","workspace":"w",
            "app":"a","workflow":"f","agent":"g","toolset":"s","dimensions":{"d":"v"},"x":1},
            "action":{"kind":"k","name":"n","tags":["t"],"x":1},"reserved":{"unit":"TOKENS","amount":5,"x":[]},
            "committed":{"unit":"TOKENS","amount":4},"created_at_ms":1,"expires_at_ms":2,"finalized_at_ms":3,
            "scope_path":"p","affected_scopes":["p"],"metadata":{"m":1},"committed_metadata":{"c":2},
            "evidence":{"reserve":{"evidence_id":"1","cycles_evidence_url":"u"},"commit":{"evidence_id":"2",
            "cycles_evidence_url":"u"},"release":7,"other":1}}
            """#
        let detail = try read(.getReservation("r"), 200, row)
        #expect(detail.reservationID == "r" && detail.status == .committed && detail.idempotencyKey == "k")
        #expect(
            detail.subject
                == Subject(
                    tenant: "t",
                    workspace: "w",
                    app: "a",
                    workflow: "f",
                    agent: "g",
                    toolset: "s",
                    dimensions: ["d": "v"]
                )
        )
        #expect(detail.action == Action(kind: "k", name: "n", tags: ["t"]))
        #expect(detail.reserved == .tokens(5) && detail.committed == .tokens(4))
        #expect(detail.createdAtMilliseconds == 1 && detail.expiresAtMilliseconds == 2)
        #expect(detail.finalizedAtMilliseconds == 3 && detail.scopePath == "p" && detail.affectedScopes == ["p"])
        #expect(detail.metadata == ["m": 1] && detail.committedMetadata == ["c": 2])
        #expect(detail.evidence?.reserve?.evidenceID == "1" && detail.evidence?.commit?.evidenceID == "2")
        #expect(detail.evidence?.release == nil)

        let list = try read(
            .listReservations(ReservationQuery(), defaults),
            200,
            #"{"reservations":[\#(row)],"next_cursor":"c","has_more":true,"x":1}"#
        )
        #expect(list.reservations == [detail] && list.nextCursor == "c" && list.hasMore)
        let last = try read(
            .listReservations(ReservationQuery(), defaults),
            200,
            #"{"reservations":[],"next_cursor":""}"#
        )
        #expect(last.reservations.isEmpty && last.nextCursor == nil && !last.hasMore)

        let balances = try read(
            .getBalances(BalanceQuery(tenant: "t"), defaults),
            200,
            #"{"balances":[{"scope":"s","scope_path":"p","remaining":{"unit":"TOKENS","amount":1,"x":2}}],"next_cursor":"c"}"#
        )
        #expect(balances.balances == [Balance(scope: "s", scopePath: "p", remaining: .tokens(1))])
        #expect(balances.nextCursor == "c" && balances.hasMore)

        let id = String(repeating: "a", count: 64)
        let envelope = try read(
            .getEvidence(EvidenceID(id)),
            200,
            #"{"schema_version":"cycles-evidence/v0.1","artifact_type":"reserve","server_id":"s","signer_did":"d","issued_at_ms":1,"trace_id":"t","payload":{"reserve":{}},"evidence_id":"\#(id)","signature":"g","x":1}"#
        )
        #expect(envelope.schemaVersion == "cycles-evidence/v0.1" && envelope.artifactType == .reserve)
        #expect(envelope.serverID == "s" && envelope.signerDID == "d" && envelope.issuedAtMilliseconds == 1)
        #expect(envelope.traceID == "t" && envelope.payload == ["reserve": [:]])
        #expect(envelope.evidenceID.rawValue == id && envelope.signature == "g")

        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
        let keys = try read(
            .getEvidenceKeys(),
            200,
            #"""
            {"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"\#(x)","kid":"1","cycles_nbf_ms":1,"cycles_exp_ms":2,"status":"retired","y":1},
            {"kty":"RSA"},{"kty":"OKP","crv":"Ed25519","alg":"ES256","x":"\#(x)","kid":"2","cycles_nbf_ms":1},7,
            {"kty":"OKP","crv":"Ed25519","x":"\#(x)","kid":"3","cycles_nbf_ms":1,"cycles_exp_ms":null}],"more":[]}
            """#
        )
        #expect(keys.keys.map(\.kid) == ["1", "3"])
        #expect(keys.keys[0].cyclesExpMilliseconds == 2 && keys.keys[1].cyclesExpMilliseconds == nil)
        #expect(keys.keys[0].kty == "OKP" && keys.keys[0].crv == "Ed25519" && keys.keys[0].x == x)
        #expect(keys.keys[0].status == "retired" && keys.keys[0].cyclesNbfMilliseconds == 1)
    }

    @Test func balancesOfAPageAreReadStrictly() {
        for body in [
            #"{"balances":[{"scope":"s","scope_path":"p","remaining":{"unit":"TOKENS","amount":1e30}}]}"#,
            #"{"balances":[{"scope":"s","remaining":{"unit":"TOKENS","amount":1}}]}"#,
            #"{"balances":{}}"#, #"{}"#,
        ] {
            guard
                case .invalidResponse = error({ () throws(CyclesError) in
                    try Operation.getBalances(BalanceQuery(tenant: "t"), defaults).interpret(
                        answer(200, body),
                        redactor
                    )
                })
            else {
                Issue.record("\(body) was accepted")
                return
            }
        }
    }
}

@Suite struct CyclesErrorTests {
    @Test func accessorsAndDescriptions() {
        let transport = CyclesError.transport(
            HTTPTransportError(kind: .timedOut, message: "Timed out", wasRequestSent: true, idempotencyKey: "k")
        )
        #expect(transport.isRetryable && transport.idempotencyKey == "k" && transport.status == nil)
        #expect("\(transport)".contains("the request was sent"))
        #expect("\(HTTPTransportError(kind: .other, message: "x"))".contains("not known"))
        #expect("\(HTTPTransportError(kind: .other, message: "x", wasRequestSent: false))".contains("was not sent"))

        let ambiguous = CyclesError.ambiguous(
            AmbiguousOutcome(
                operation: "createReservation",
                message: "twice nothing",
                status: 503,
                requestID: "r",
                traceID: "t",
                idempotencyKey: "k"
            )
        )
        #expect(ambiguous.isRetryable && ambiguous.status == 503 && ambiguous.requestID == "r")
        #expect(ambiguous.traceID == "t" && ambiguous.idempotencyKey == "k")
        #expect("\(ambiguous)".contains("look the key up with listReservations"))

        let lost = CyclesError.leaseLost(LeaseLoss(reservationID: "r", message: "it expired"))
        #expect(!lost.isRetryable && lost.idempotencyKey == nil && "\(lost)".contains("reservation r"))
        #expect(lost.requestID == nil && lost.traceID == nil && lost.errorCode == nil && lost.retryAfter == nil)

        let denial = CyclesError.denied(
            Denial(
                operation: "decide",
                reason: .budgetFrozen,
                affectedScopes: ["tenant:a"],
                requestID: "r",
                traceID: "t",
                status: 200,
                idempotencyKey: "k"
            )
        )
        #expect(
            "\(denial)"
                == "decide was denied: BUDGET_FROZEN [tenant:a]; an operator has to unfreeze the budget (request r, trace t)"
        )
        #expect(
            denial.traceID == "t" && denial.idempotencyKey == "k" && denial.errorCode == nil && denial.retryAfter == nil
        )
        for reason in [ReasonCode.budgetExceeded, .debtOutstanding, .overdraftLimitExceeded, .budgetNotFound] {
            #expect("\(Denial(operation: "o", reason: reason, status: 200))".contains(";"))
        }
        #expect(
            "\(Denial(operation: "o", reason: .actionKindDenied, retryAfter: .seconds(2), message: "m", status: 200))"
                == "o was denied: ACTION_KIND_DENIED: m; the server suggests retrying in 2 s"
        )

        #expect(!CyclesError.cancelled.isRetryable && !"\(CyclesError.cancelled)".isEmpty)
        let validation = CyclesError.validation(ValidationIssue(field: "f", message: "is bad"))
        #expect(!validation.isRetryable && "\(validation)" == "Nothing was sent: f is bad.")
        let configuration = CyclesError.configuration(ConfigurationIssue(name: "n", message: "is bad"))
        #expect(!configuration.isRetryable && "\(configuration)" == "Configuration: n is bad.")
        let invalid = CyclesError.invalidResponse(
            InvalidResponse(
                operation: "o",
                status: 200,
                message: "m",
                requestID: "r",
                traceID: "t",
                idempotencyKey: "k"
            )
        )
        #expect(
            invalid.requestID == "r" && invalid.traceID == "t" && invalid.idempotencyKey == "k" && invalid.status == 200
        )
        let throttled = CyclesError.api(
            APIError(
                operation: "o",
                status: 429,
                code: .limitExceeded,
                message: "m",
                traceID: "t",
                retryAfter: .seconds(2)
            )
        )
        #expect(throttled.isRetryable && throttled.traceID == "t" && "\(throttled)".contains("retry after 2 s"))
        #expect(
            CyclesError.api(APIError(operation: "o", status: 409, code: .budgetExceeded, message: "m")).isBudgetExceeded
        )
    }
}
