import CyclesTesting
import Testing

@testable import Cycles

@Suite struct DenialTests {
    static let operations = [
        "reserve", "decide", "event", "commit", "release", "extend", "get", "list", "balances",
    ]
    static let deniable: Set = ["reserve", "decide", "event"]

    /// Performs an operation whose request is answered in this way; returns the error that it ends with.
    private func failure(
        of operation: String,
        status: Int,
        _ body: String,
        headers: HTTPHeaders = [:]
    ) async throws -> CyclesError? {
        let mock = MockTransport()
        mock.enqueue(HTTPResponse(status: status, headers: headers, body: Array(body.utf8)))
        var configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "hush-hush")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration, transport: mock)
        let action = Action(kind: "k", name: "n")
        do throws(CyclesError) {
            switch operation {
            case "reserve":
                _ = try await client.createReservation(
                    ReservationCreateRequest(action: action, estimate: .tokens(1), idempotencyKey: "key-1")
                )
            case "decide":
                _ = try await client.decide(
                    DecisionRequest(
                        subject: Subject(),
                        action: action,
                        estimate: .tokens(1),
                        idempotencyKey: "key-1"
                    )
                )
            case "event":
                _ = try await client.createEvent(
                    EventCreateRequest(
                        subject: Subject(),
                        action: action,
                        actual: .tokens(1),
                        idempotencyKey: "key-1"
                    )
                )
            case "commit":
                _ = try await client.commitReservation("r", CommitRequest(actual: .tokens(1), idempotencyKey: "key-1"))
            case "release": _ = try await client.releaseReservation("r", ReleaseRequest(idempotencyKey: "key-1"))
            case "extend":
                _ = try await client.extendReservation("r", ExtendRequest(by: .seconds(1), idempotencyKey: "key-1"))
            case "get": _ = try await client.getReservation("r")
            case "list": _ = try await client.listReservations(ReservationQuery())
            default: _ = try await client.getBalances(BalanceQuery(tenant: "acme"))
            }
            return nil
        } catch {
            return error
        }
    }

    private func denial(_ details: String, code: String = "ACTION_QUOTA_EXCEEDED") async throws -> Denial? {
        let body = #"{"error":"\#(code)","message":"m","request_id":"r","details":\#(details)}"#
        guard case .denied(let denial)? = try await failure(of: "reserve", status: 409, body) else { return nil }
        return denial
    }

    // MARK: Codes

    @Test(arguments: operations, ["ACTION_QUOTA_EXCEEDED", "ACTION_KIND_NOT_ALLOWED", "ACTION_KIND_DENIED"])
    func codesOfTheExtensionsAreDenialsWhereBudgetIsAskedFor(operation: String, code: String) async throws {
        let body = #"{"error":"\#(code)","message":"m","request_id":"r"}"#
        let found = try #require(try await failure(of: operation, status: 409, body))
        #expect(found.isDenied == DenialTests.deniable.contains(operation))
        #expect(found.errorCode == ErrorCode(rawValue: code) && found.status == 409 && !found.isRetryable)
        #expect(found.requestID == "r")
        if case .denied(let denial) = found {
            #expect(denial.reason == ReasonCode(rawValue: code) && denial.idempotencyKey == "key-1")
            #expect(denial.message == "m" && denial.details == nil)
        }
        // With another status the code is an error like others.
        for status in [400, 403, 404] {
            let other = try await failure(of: operation, status: status, body)
            #expect(other?.isDenied == false)
        }
    }

    @Test(arguments: operations) func anUnknownConflictThatNamesAReasonIsADenial(operation: String) async throws {
        let details = #"{"deny_detail":{"reason_code":"REGION_CLOSED","suggested_fix":"Move."}}"#
        for error in [#""error":"POLICY_SAYS_NO","#, #""error":"conflict","#, #""error":7,"#, ""] {
            let body = #"{\#(error)"message":"m","request_id":"r","details":\#(details)}"#
            let found = try #require(try await failure(of: operation, status: 409, body))
            #expect(found.isDenied == DenialTests.deniable.contains(operation), "\(body)")
            #expect("\(found)".contains("; Move."))
            if case .denied(let denial) = found { #expect(denial.reason == .unrecognized("REGION_CLOSED")) }
            let other = try await failure(of: operation, status: 400, body)
            #expect(other?.isDenied == false)
        }
    }

    @Test(arguments: [
        "{}", #"{"deny_detail":null}"#, #"{"deny_detail":"no"}"#, #"{"deny_detail":[]}"#, #"{"deny_detail":{}}"#,
        #"{"deny_detail":{"reason_code":5}}"#, #"{"deny_detail":{"reason_code":" "}}"#,
        #"{"deny_detail":{"suggested_fix":"Move."}}"#, #"{"reason_code":"REGION_CLOSED"}"#, "7", "null",
    ])
    func anUnknownConflictWithoutAReasonIsNoDenial(details: String) async throws {
        let body = #"{"error":"POLICY_SAYS_NO","message":"m","request_id":"r","details":\#(details)}"#
        let found = try #require(try await failure(of: "reserve", status: 409, body))
        #expect(!found.isDenied && found.errorCode == .unrecognized("POLICY_SAYS_NO"))
    }

    @Test(arguments: [
        "RESERVATION_FINALIZED", "IDEMPOTENCY_MISMATCH", "MAX_EXTENSIONS_EXCEEDED", "INTERNAL_ERROR", "NOT_FOUND",
    ])
    func aKnownConflictMeansWhatItsCodeMeans(code: String) async throws {
        let found = try await denial(#"{"deny_detail":{"reason_code":"BUDGET_EXCEEDED"}}"#, code: code)
        #expect(found == nil)
    }

    @Test func theCodeComesBeforeTheDetail() async throws {
        let found = try await denial(#"{"deny_detail":{"reason_code":"POLICY_VIOLATION"}}"#, code: "BUDGET_FROZEN")
        #expect(found?.reason == .budgetFrozen)
        #expect(ReasonCode(rawValue: "POLICY_VIOLATION") == .policyViolation)
    }

    // MARK: Details

    /// Each member with a value of another type in its place.
    @Test(
        arguments: [
            "reason_code", "quota_violation", "blocked_by_scope", "blocked_by_policy", "suggested_fix",
            "budget_remaining",
        ],
        ["null", "7.5", "true", "[]", "[{}]", "{\"x\":[1]}", "\"\"", "1e999"]
    )
    func aMemberOfAnotherTypeIsAbsent(member: String, value: String) async throws {
        let members = [
            ("reason_code", #""ACTION_KIND_DENIED""#), ("quota_violation", #"{"used":2,"limit":1}"#),
            ("blocked_by_scope", #""tenant:acme""#), ("blocked_by_policy", #""p""#), ("suggested_fix", #""Ask.""#),
            ("budget_remaining", "-5"),
        ].map { name, usual in #""\#(name)":\#(name == member ? value : usual)"# }
        let detail = "{" + members.joined(separator: ",") + "}"
        let isObject = value.hasPrefix("{")
        func check(_ reason: ReasonCode?, _ found: DenyDetail) {
            #expect(reason == (member == "reason_code" ? nil : .actionKindDenied))
            let quota = QuotaViolation(used: 2, limit: 1)
            let other: QuotaViolation? = isObject ? QuotaViolation() : nil
            #expect(found.quotaViolation == (member == "quota_violation" ? other : quota))
            #expect(found.blockedByScope == (member == "blocked_by_scope" ? nil : "tenant:acme"))
            #expect(found.blockedByPolicy == (member == "blocked_by_policy" ? nil : "p"))
            #expect(found.suggestedFix == (member == "suggested_fix" ? nil : "Ask."))
            #expect(found.budgetRemaining == (member == "budget_remaining" ? nil : -5))
        }
        let conflict = try #require(try await denial(#"{"deny_detail":\#(detail)}"#))
        check(
            DenyDetail(decoding: conflict.details?["deny_detail"])?.reasonCode,
            DenyDetail(
                quotaViolation: conflict.quotaViolation,
                blockedByScope: conflict.blockedByScope,
                blockedByPolicy: conflict.blockedByPolicy,
                suggestedFix: conflict.suggestedFix,
                budgetRemaining: conflict.budgetRemaining
            )
        )
        #expect(conflict.reason == .actionQuotaExceeded)
        // Unreadable details are kept unchanged.
        let raw = try JSONValue(parsing: Array(#"{"deny_detail":\#(detail)}"#.utf8))
        #expect(conflict.details == raw)

        let body = #"{"decision":"DENY","affected_scopes":[],"deny_detail":\#(detail)}"#
        let response = try ReservationCreateResponse(body: Array(body.utf8))
        check(response.reasonCode, try #require(response.denyDetail))
        let decision = try DecisionResponse(body: Array(body.utf8))
        #expect(decision.denyDetail == response.denyDetail && decision.reasonCode == response.reasonCode)
    }

    @Test(arguments: [
        "action_kind", "risk_class", "window", "window_key", "used", "limit", "scope", "policy_id",
    ])
    func aMemberOfAQuotaThatIsOfAnotherTypeIsAbsent(member: String) async throws {
        func value(_ name: String) -> String {
            if name == member { return "[[]]" }
            return name == "used" || name == "limit" ? "5" : #""\#(name)""#
        }
        let names = ["action_kind", "risk_class", "window", "window_key", "used", "limit", "scope", "policy_id"]
        let members = names.map { #""\#($0)":\#(value($0))"# }.joined(separator: ",")
        let found = try await denial(#"{"deny_detail":{"quota_violation":{\#(members)},"suggested_fix":"Ask."}}"#)
        let quota = try #require(found?.quotaViolation)
        let texts = [
            quota.actionKind, quota.riskClass, quota.window, quota.windowKey, quota.scope, quota.policyID,
        ]
        let expected = names.filter { $0 != "used" && $0 != "limit" }.map { $0 == member ? nil : $0 }
        #expect(texts == expected)
        #expect(quota.used == (member == "used" ? nil : 5) && quota.limit == (member == "limit" ? nil : 5))
        #expect(found?.suggestedFix == "Ask.")
    }

    @Test(arguments: ["null", "7", "\"x\"", "[]", "[{\"reason_code\":\"BUDGET_FROZEN\"}]"])
    func aDetailThatIsNoObjectIsAbsent(detail: String) async throws {
        let body =
            #"{"decision":"DENY","reason_code":"BUDGET_FROZEN","affected_scopes":["s"],"deny_detail":\#(detail)}"#
        let response = try DecisionResponse(body: Array(body.utf8))
        #expect(response.denyDetail == nil && response.reasonCode == .budgetFrozen)
        let conflict = try #require(try await denial(#"{"deny_detail":\#(detail)}"#))
        #expect(conflict.suggestedFix == nil && conflict.quotaViolation == nil)
    }

    @Test func wholeNumbersAreExactInEverySpelling() async throws {
        for (text, expected) in [
            ("9223372036854775807", Int64.max), ("-9223372036854775808", .min), ("4.5e4", 45_000), ("5.0", 5),
        ] {
            let found = try await denial(#"{"deny_detail":{"budget_remaining":\#(text)}}"#)
            #expect(found?.budgetRemaining == expected)
        }
        let overflow = try await denial(#"{"deny_detail":{"budget_remaining":9223372036854775808}}"#)
        #expect(overflow != nil && overflow?.budgetRemaining == nil)
    }

    @Test func theReasonOfADecisionMayStandInEitherPlace() throws {
        func reason(_ members: String) -> ReasonCode? {
            let body = #"{"decision":"DENY","affected_scopes":[],\#(members)}"#
            return (try? DecisionResponse(body: Array(body.utf8)))?.reasonCode
        }
        let detail = #""deny_detail":{"reason_code":"TENANT_SUSPENDED"}"#
        #expect(reason(#""reason_code":"BUDGET_CLOSED",\#(detail)"#) == .budgetClosed)
        #expect(reason(detail) == .tenantSuspended)
        // A reason that cannot be read leaves the decision a DENY.
        for other in ["5", "null", "\"\"", "{}"] {
            #expect(reason(#"\#(detail),"reason_code":\#(other)"#) == .tenantSuspended)
        }
    }

    // MARK: Scopes

    @Test(arguments: [
        (#"{"affected_scopes":[{"scope":"a","remaining":{}},"b",{"name":"c"},7]}"#, ["a", "b"]),
        (#"{"affected_scopes":[],"deny_detail":{"blocked_by_scope":"c"}}"#, ["c"]),
        (#"{"affected_scopes":"a","scope":"b","deny_detail":{"blocked_by_scope":"c"}}"#, ["b"]),
        (#"{"affected_scopes":[{"scope":"a"}],"deny_detail":{"blocked_by_scope":"c"}}"#, ["a"]),
        (#"{"deny_detail":{"blocked_by_scope":" "}}"#, []), ("[]", []),
    ])
    func theScopesOfAConflictAreThoseThatAreNamed(details: String, expected: [String]) async throws {
        let found = try await denial(details)
        #expect(found?.affectedScopes == expected)
    }

    @Test func scopesOfAnAnswerMayBeObjects() throws {
        let scopes = #"[{"scope":"a","remaining":{"unit":"TOKENS","amount":1}},"b",{"x":[],"scope":"c"}]"#
        let decision = try DecisionResponse(body: Array(#"{"decision":"ALLOW","affected_scopes":\#(scopes)}"#.utf8))
        #expect(decision.affectedScopes == ["a", "b", "c"])
        let detail = try ReservationDetail(
            body: Array(
                #"""
                {"reservation_id":"r","status":"ACTIVE","subject":{},"action":{"kind":"k","name":"n"},
                "reserved":{"unit":"TOKENS","amount":5},"created_at_ms":1,"expires_at_ms":2,"scope_path":"p",
                "affected_scopes":\#(scopes)}
                """#.utf8
            )
        )
        #expect(detail.affectedScopes == ["a", "b", "c"])
        let blocked = #"{"decision":"DENY","affected_scopes":[],"deny_detail":{"blocked_by_scope":"d"}}"#
        let denied = try ReservationCreateResponse(body: Array(blocked.utf8))
        #expect(denied.affectedScopes == ["d"])
        for (scopes, message) in [
            (#"["a",{"name":"b"}]"#, "affected_scopes[1].scope is missing"),
            (#"[{"scope":7}]"#, "affected_scopes[0].scope is not a string"),
        ] {
            do throws(JSONError) {
                _ = try DecisionResponse(body: Array(#"{"decision":"DENY","affected_scopes":\#(scopes)}"#.utf8))
                Issue.record("\(scopes) was accepted")
            } catch {
                #expect("\(error)" == message)
            }
        }
    }

    // MARK: Texts

    @Test func theSuggestedFixIsPartOfTheText() {
        func text(_ change: (inout Denial) -> Void) -> String {
            var denial = Denial(operation: "decide", reason: .actionQuotaExceeded, message: "m", status: 409)
            change(&denial)
            return "\(CyclesError.denied(denial))"
        }
        #expect(text { $0.suggestedFix = "Raise it." } == "decide was denied: ACTION_QUOTA_EXCEEDED: m; Raise it.")
        #expect(
            text {
                $0.suggestedFix = "Raise it"
                $0.retryAfter = .seconds(2)
            } == "decide was denied: ACTION_QUOTA_EXCEEDED: m; Raise it; the server suggests retrying in 2 s"
        )
        for reason in [
            ReasonCode.actionQuotaExceeded, .actionKindDenied, .actionKindNotAllowed, .tenantSuspended,
        ] {
            #expect(text { $0.reason = reason }.contains("; "))
        }
    }

    @Test func keysThatADetailQuotesAreTakenOut() async throws {
        let detail = #"{"reason_code":"NO","suggested_fix":"not with hush-hush","blocked_by_scope":"hush-hush"}"#
        let conflict = #"{"error":"X_Y","message":"m","request_id":"r","details":{"deny_detail":\#(detail)}}"#
        let found = try #require(try await failure(of: "reserve", status: 409, conflict))
        #expect(found.isDenied && !shown(found).contains("hush-hush"))

        let bench = try LifecycleBench()
        try await bench.client.updateAPIKey("hush-hush")
        let body = #"{"decision":"DENY","affected_scopes":["hush-hush"],"deny_detail":\#(detail)}"#
        bench.wire.answer("reserve", status: 200, body, headers: ["X-Request-Id": "hush-hush"])
        let deny = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        let denied = try #require(deny)
        #expect(denied.isDenied && !shown(denied).contains("hush-hush"))
    }

    private func shown(_ error: CyclesError) -> String {
        var text = "\(error) \(String(reflecting: error))"
        dump(error, to: &text)
        return text
    }

    @Test func aDecisionThatDeniesCarriesItsDetail() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer(
            "reserve",
            status: 200,
            #"""
            {"decision":"DENY","affected_scopes":[],"deny_detail":{"reason_code":"BUDGET_EXCEEDED",
            "blocked_by_scope":"tenant:acme","budget_remaining":-7,"suggested_fix":"Fund it.","added_later":[1]}}
            """#
        )
        let found = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request()) }
        guard case .denied(let denial) = found else {
            Issue.record("\(found as Any)")
            return
        }
        #expect(denial.reason == .budgetExceeded && found?.isBudgetExceeded == true)
        #expect(denial.affectedScopes == ["tenant:acme"] && denial.blockedByScope == "tenant:acme")
        #expect(denial.budgetRemaining == -7 && denial.suggestedFix == "Fund it.")
        #expect(denial.details?["deny_detail"]?["added_later"] == [1])
        #expect(denial.status == 200 && denial.errorCode == nil && bench.operations == ["reserve"])
    }

    @Test func theDoubleAnswersWithTheCodesToo() async throws {
        for code in [ErrorCode.actionQuotaExceeded, .actionKindDenied, .actionKindNotAllowed] {
            let bench = try LifecycleBench()
            bench.authority.failNext(code)
            let found = await bench.failure { () throws(CyclesError) in try await bench.client.reserve(bench.request())
            }
            #expect(found?.isDenied == true && found?.errorCode == code)
        }
    }

    // MARK: In place of a commit

    private let expired = #"{"error":"RESERVATION_EXPIRED","message":"m","request_id":"r"}"#

    @Test(arguments: ["ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED", "ACTION_KIND_NOT_ALLOWED", "BUDGET_EXCEEDED"])
    func aRecoveryEventThatIsDeniedIsRefusedForGood(code: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 410, expired)
        bench.wire.answer("event", status: 409, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        let found = await bench.failure { () throws(CyclesError) in try await box.take()?.commit(.tokens(7)) }
        guard case .denied(let denial)? = found else {
            Issue.record("\(found as Any)")
            return
        }
        #expect(denial.operation == "createEvent" && denial.reason.rawValue == code)
        #expect(bench.operations == ["reserve", "commit", "event"])
        let keys = bench.wire.requests.map(\.bodyKey)
        #expect(keys[1] != nil && keys[1] == keys[2] && denial.idempotencyKey?.rawValue == keys[1])
        await bench.client.flush(timeout: .zero)
        #expect(bench.operations.count == 3)
    }

    @Test func aRecoveryEventThatIsDeniedWithAnUnknownCodeIsSentAgain() async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 410, expired)
        let body = #"{"error":"LATER_CODE","message":"m","details":{"deny_detail":{"reason_code":"REGION_CLOSED"}}}"#
        bench.wire.answer("event", status: 409, body)
        let guarded = try await bench.client.reserve(bench.request())
        let settlement = try await guarded.commit(.tokens(7))
        #expect(settlement.outcome == .queued(isDurable: false))
        await bench.client.flush(timeout: .zero)
        #expect(bench.operations == ["reserve", "commit", "event", "event"])
        #expect(Set(bench.wire.requests.dropFirst().map(\.bodyKey)).count == 1)
    }

    @Test(arguments: ["ACTION_QUOTA_EXCEEDED", "ACTION_KIND_DENIED", "ACTION_KIND_NOT_ALLOWED"])
    func aCommitThatIsRefusedWithACodeOfTheExtensionsIsRefusedForGood(code: String) async throws {
        let bench = try LifecycleBench()
        bench.wire.answer("commit", status: 409, #"{"error":"\#(code)","message":"m","request_id":"r"}"#)
        let box = GuardBox(try await bench.client.reserve(bench.request()))
        let found = await bench.failure { () throws(CyclesError) in try await box.take()?.commit(.tokens(7)) }
        #expect(found?.isDenied == false && found?.errorCode?.rawValue == code)
        #expect(bench.operations == ["reserve", "commit"])
    }
}
