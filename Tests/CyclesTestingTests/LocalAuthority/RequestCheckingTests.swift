import Cycles
import CyclesTesting
import Testing

@Suite struct RequestCheckingTests {
    private func expectInvalid(_ reply: Reply, _ comment: String) {
        #expect(reply.status == 400, "\(comment)")
        #expect(reply.error == "INVALID_REQUEST", "\(comment)")
        #expect(reply.json["message"]?.string?.isEmpty == false, "\(comment)")
        #expect(reply.json["request_id"]?.string == reply.headers["X-Request-Id"], "\(comment)")
    }

    private static func long(_ count: Int) -> JSONValue { .string(String(repeating: "é", count: count)) }

    @Test(arguments: Behavior.allCases)
    func membersOutsideTheSchemaAreRefused(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let id = try bench.hold("h", 1)
        let actual: JSONValue = ["unit": "TOKENS", "amount": 1]
        let reserve = Bench.reserveBody(key: "k", 1)
        let event: JSONValue = [
            "idempotency_key": "k", "subject": ["tenant": "acme"], "action": ["kind": "k", "name": "n"],
            "actual": actual,
        ]
        let valid: [(path: String, body: JSONValue)] = [
            ("/v1/decide", reserve), ("/v1/reservations", reserve), ("/v1/events", event),
            ("/v1/reservations/\(id)/extend", ["idempotency_key": "k", "extend_by_ms": 1]),
            ("/v1/reservations/\(id)/commit", ["idempotency_key": "k", "actual": actual]),
            ("/v1/reservations/\(id)/release", ["idempotency_key": "k"]),
        ]
        for (path, body) in valid {
            expectInvalid(try bench.post(path, body.adding("stranger", 1)), path)
            expectInvalid(try bench.post(path, body.adding("idempotency_key", nil)), path)
            for name in (body.object ?? [:]).keys {
                guard case .object(var members) = body else { continue }
                members[name] = nil
                expectInvalid(try bench.post(path, .object(members)), "\(path) without \(name)")
                expectInvalid(try bench.post(path, body.adding(name, nil)), "\(path) with null for \(name)")
                expectInvalid(try bench.post(path, body.adding(name, true)), "\(path) with true for \(name)")
            }
        }
        expectInvalid(try bench.post("/v1/decide", reserve.adding("ttl_ms", 1_000)), "a preflight has no lease")
        #expect(try bench.figures() == [999, 1, 0, 0])
    }

    @Test(
        arguments: [
            ("idempotency_key", ""), ("idempotency_key", long(257)), ("ttl_ms", 999), ("ttl_ms", 86_400_001),
            ("ttl_ms", "1000"), ("ttl_ms", 1000.5), ("grace_period_ms", -1), ("grace_period_ms", 60_001),
            ("overage_policy", "ALLOW"), ("overage_policy", 1), ("dry_run", "true"), ("metadata", []), ("subject", []),
            ("subject", [:]), ("subject", ["dimensions": ["a": "b"]]), ("subject", ["tenant": "acme", "team": "x"]),
            ("subject", ["tenant": "acme", "agent": ""]), ("subject", ["tenant": "acme", "agent": "a:b"]),
            ("subject", ["tenant": "acme", "agent": "a/b"]), ("subject", ["tenant": "acme", "agent": "a b"]),
            ("subject", ["tenant": "acme", "agent": "é"]), ("subject", ["tenant": "acme", "agent": 1]),
            ("subject", ["tenant": "acme", "agent": .string(String(repeating: "a", count: 129))]),
            ("subject", ["tenant": "acme", "dimensions": ["a": 1]]),
            ("subject", ["tenant": "acme", "dimensions": "x"]),
            ("subject", ["tenant": "acme", "dimensions": ["a": long(257)]]),
            ("action", ["kind": "", "name": "n"]), ("action", ["kind": " \u{2003}\t", "name": "n"]),
            ("action", ["kind": "k", "name": " "]),
            ("action", ["kind": "k"]), ("action", ["name": "n"]), ("action", ["kind": "k", "name": "n", "x": 1]),
            ("action", ["kind": long(65), "name": "n"]), ("action", ["kind": "k", "name": long(257)]),
            ("action", ["kind": "k", "name": "n", "tags": "t"]), ("action", ["kind": "k", "name": "n", "tags": [1]]),
            ("action", ["kind": "k", "name": "n", "tags": [long(65)]]),
            ("action", ["kind": "k", "name": "n", "tags": .array(Array(repeating: "t", count: 11))]),
            ("estimate", ["unit": "TOKENS"]), ("estimate", ["amount": 1]),
            ("estimate", ["unit": "EUROS", "amount": 1]),
            ("estimate", ["unit": "TOKENS", "amount": -1]), ("estimate", ["unit": "TOKENS", "amount": 1.5]),
            ("estimate", ["unit": "TOKENS", "amount": "1"]), ("estimate", ["unit": "TOKENS", "amount": 1, "x": 1]),
            ("estimate", ["unit": "TOKENS", "amount": .number(JSONNumber(digits: "9223372036854775808")!)]),
            ("estimate", ["unit": "TOKENS", "amount": .number(JSONNumber(digits: "1e9223372036854775807")!)]),
        ] as [(String, JSONValue)]
    )
    func aReservationKeepsTheLimits(_ name: String, _ value: JSONValue) throws {
        let bench = Bench()
        let body = Bench.reserveBody(key: "k", 1).adding(name, value)
        expectInvalid(try bench.post("/v1/reservations", body), "\(name) \(value)")
        #expect(try bench.figures() == [1_000, 0, 0, 0])
    }

    @Test func whatIsJustWithinTheLimitsIsTaken() throws {
        let bench = Bench()
        let dimensions = Dictionary(uniqueKeysWithValues: (0..<16).map { ("d\($0)", RequestCheckingTests.long(256)) })
        let body: JSONValue = [
            "idempotency_key": RequestCheckingTests.long(256),
            "subject": [
                "tenant": "acme", "agent": .string(String(repeating: "a", count: 128)),
                "dimensions": .object(dimensions),
            ],
            "action": [
                "kind": RequestCheckingTests.long(64), "name": RequestCheckingTests.long(256),
                "tags": .array(Array(repeating: RequestCheckingTests.long(64), count: 10)),
            ],
            "estimate": ["unit": "TOKENS", "amount": 0], "ttl_ms": 86_400_000, "grace_period_ms": 60_000,
            "overage_policy": "REJECT", "dry_run": false, "metadata": ["x": nil],
        ]
        let reply = try bench.post("/v1/reservations", body)
        #expect(reply.status == 200, "\(reply.json)")
        let id = try #require(reply.json["reservation_id"]?.string)
        #expect(try bench.get("/v1/reservations/\(id)").json["subject"] == body["subject"])
        #expect(try bench.extend(id, "e", 86_400_000).status == 200)
        let reason: JSONValue = ["idempotency_key": "x", "reason": RequestCheckingTests.long(256)]
        #expect(try bench.post("/v1/reservations/\(id)/release", reason).status == 200)
    }

    @Test func settlementsKeepTheLimits() throws {
        let bench = Bench()
        let id = try bench.hold("h", 1)
        let commit: JSONValue = ["idempotency_key": "k", "actual": ["unit": "TOKENS", "amount": 1]]
        let metrics: [JSONValue] = [
            [], ["x": 1], ["tokens_input": -1], ["tokens_output": "1"], ["latency_ms": 0.5], ["model_version": 1],
            ["model_version": RequestCheckingTests.long(129)], ["custom": 1],
        ]
        for value in metrics {
            expectInvalid(try bench.post("/v1/reservations/\(id)/commit", commit.adding("metrics", value)), "\(value)")
        }
        let release: JSONValue = ["idempotency_key": "k", "reason": RequestCheckingTests.long(257)]
        expectInvalid(try bench.post("/v1/reservations/\(id)/release", release), "a long reason")
        for milliseconds: Int64 in [0, -1, 86_400_001] {
            expectInvalid(try bench.extend(id, "k", milliseconds), "\(milliseconds)")
        }
        let event: JSONValue = [
            "idempotency_key": "k", "subject": ["tenant": "acme"], "action": ["kind": "k", "name": "n"],
            "actual": ["unit": "TOKENS", "amount": 1], "client_time_ms": -1,
        ]
        expectInvalid(try bench.post("/v1/events", event), "a time before 1970")
    }

    @Test(arguments: [
        "", " ", "{", "[]", "5", "null", "\"text\"", "{\"idempotency_key\":", "{\"a\":1}x", "{'a':1}", "{\"a\":01}",
        "{\"a\":\"\\ud800\"}", "{\"a\":\"\u{1}\"}", "\u{feff}{}",
    ])
    func bodiesThatAreNoRequestAreRefused(_ text: String) throws {
        for path in ["/v1/decide", "/v1/reservations", "/v1/events", "/v1/reservations/rsv_1/commit"] {
            expectInvalid(try Bench().send(.post, path, bytes: Array(text.utf8)), text)
        }
    }

    @Test func bytesThatAreNoTextAreRefused() throws {
        for bytes: [UInt8] in [[0xff], Array("{\"a\":\"".utf8) + [0xc3, 0x28] + Array("\"}".utf8), [0, 0, 0]] {
            expectInvalid(try Bench().send(.post, "/v1/decide", bytes: bytes), "\(bytes)")
        }
    }

    @Test func deepNestingIsRefused() throws {
        let bench = Bench()
        func nested(_ depth: Int) -> [UInt8] {
            let body = Bench.reserveBody(key: "k", 1, extra: ["metadata": ["x": "@"]]).encoded
            let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
            return Array(String(decoding: body, as: UTF8.self).split(separator: "\"@\"").joined(separator: deep).utf8)
        }
        for depth in [111, 127, 128, 200_000] {
            expectInvalid(try bench.send(.post, "/v1/reservations", bytes: nested(depth)), "\(depth)")
        }
        // An accepted request can be read, listed, attested and restored.
        #expect(try bench.send(.post, "/v1/reservations", bytes: nested(110)).status == 200)
        #expect(try bench.get("/v1/reservations?include=metadata").status == 200)
        _ = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
    }

    @Test func pathsAreDecoded() throws {
        let bench = Bench()
        let id = try bench.hold("h", 1)
        let encoded = id.utf8.map { "%" + String($0, radix: 16) }.joined()
        #expect(try bench.get("/v1/reservations/\(encoded)").json["reservation_id"] == .string(id))
        #expect(try bench.get("/v1/reservations/a%2Fb").error == "NOT_FOUND")
        #expect(try bench.get("/v1/reservations/a%2Fb").json["message"]?.string?.contains("a/b") == true)
        for path in [
            "/v1/reservations/%", "/v1/reservations/%4", "/v1/reservations/%zz", "/v1/reservations/%ff",
            "/v1/reservations/%c3%28", "/v1/reservations/", "/v1/reservations/" + String(repeating: "a", count: 129),
            "/v1/reservations?agent=%", "/v1/reservations?agent=%ff", "/v1/balances?tenant=%e0%80",
            "/v1/reservations?%zz=1",
        ] {
            expectInvalid(try bench.get(path), path)
        }
        expectInvalid(try bench.commit("%zz", "c", 1), "commit")
        expectInvalid(try bench.commit("", "c", 1), "commit")
    }

    @Test func pathsThatAreNoOperationAreNotFound() throws {
        let bench = Bench()
        for path in [
            "", "/", "/v1", "/v1/", "/v2/decide", "/v1/reservations/a/b", "/v1/reservations/a/commit/b", "/v1/decide/",
            "/v1/events/1", "/V1/balances", "/v1/v1/balances?tenant=acme", "/v1/%2e%2e/balances",
        ] {
            for method: HTTPMethod in [.get, .post, "DELETE"] {
                let reply = try bench.send(method, path)
                #expect(reply.status == 404, "\(method) \(path)")
                #expect(reply.error == "NOT_FOUND")
            }
        }
    }

    @Test(
        arguments: [
            ("GET", "/v1/decide", "POST"), ("PUT", "/v1/reservations", "GET, HEAD, POST"),
            ("POST", "/v1/reservations/a", "GET, HEAD"), ("GET", "/v1/reservations/a/commit", "POST"),
            ("DELETE", "/v1/reservations/a/release", "POST"), ("PATCH", "/v1/reservations/a/extend", "POST"),
            ("POST", "/v1/balances", "GET, HEAD"), ("HEAD", "/v1/events", "POST"),
            ("POST", "/v1/evidence/a", "GET, HEAD"), ("OPTIONS", "/v1/.well-known/cycles-jwks.json", "GET, HEAD"),
        ] as [(HTTPMethod, String, String)]
    )
    func aMethodThatThePathDoesNotHaveIsNotAllowed(_ method: HTTPMethod, _ path: String, _ allowed: String) throws {
        let reply = try Bench().send(method, path)
        #expect(reply.status == 405)
        #expect(reply.headers["Allow"] == allowed)
        #expect(reply.error == "INVALID_REQUEST")
    }

    @Test func anyBaseURLWillDo() throws {
        var bench = Bench()
        for base in ["https://other.test:8443/cycles/eu", "http://[::1]:80", "", "unix"] {
            bench.base = base
            #expect(try bench.get("/v1/balances?tenant=acme#fragment").status == 200, "\(base)")
        }
    }

    @Test func theFirstOfSeveralParametersCounts() throws {
        #expect(try Bench().get("/v1/balances?tenant=acme&tenant=other&&=&x").status == 200)
    }

    @Test func amountsAtTheEndOfTheRangeNeverTrap() throws {
        let bench = Bench(budget: .max)
        let huge = try bench.hold("a", .max)
        #expect(try bench.figures() == [0, .max, 0, 0])
        #expect(try bench.reserve("b", 1).error == "BUDGET_EXCEEDED")
        #expect(try bench.hold("c", 0).isEmpty == false)
        #expect(try bench.event("d", .max).json["charged"]?.amount == 0)
        #expect(try bench.commit(huge, "e", .max).status == 200)
        #expect(try bench.figures() == [0, 0, .max, 0])
        bench.authority.fund(scope: "tenant:acme", .tokens(.max))
        #expect(try bench.balance().allocated == .tokens(.max))
    }

    @Test func debtThatTheLedgerCannotHoldIsRefused() throws {
        let bench = Bench(budget: nil)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(100), overdraftLimit: .max)
        let extra: [String: JSONValue] = ["overage_policy": "ALLOW_WITH_OVERDRAFT"]
        let id = try bench.hold("a", 100, extra: extra)
        let other = try bench.hold("b", 0, extra: extra)
        #expect(try bench.commit(id, "c", .max).status == 200)
        #expect(try bench.figures() == [.min + 101, 0, 100, .max - 100])
        for reply in [try bench.commit(other, "d", 1), try bench.event("e", 1, policy: "ALLOW_WITH_OVERDRAFT")] {
            #expect(reply.status == 400)
        }
        #expect(try bench.commit(other, "d", .max).error == "OVERDRAFT_LIMIT_EXCEEDED")
        #expect(try bench.commit(other, "d", 0).status == 200)
    }

    @Test func timeAtItsEndNeverTraps() throws {
        let clock = ManualClock(startingAtMilliseconds: .max - 10_000)
        let authority = LocalAuthority(clock: clock)
        authority.addAPIKey("k", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10))
        for path in ["", "/rsv_000001/extend"] {
            let body: JSONValue =
                path.isEmpty ? Bench.reserveBody(key: "r", 1) : ["idempotency_key": "e", "extend_by_ms": 86_400_000]
            let request = HTTPRequest(
                method: .post,
                url: "http://authority.test/v1/reservations" + path,
                headers: ["X-Cycles-API-Key": "k"],
                body: body.encoded
            )
            let answer = try JSONValue(parsing: authority.send(request).body)
            #expect(answer["expires_at_ms"]?.int64 == .max)
        }
    }
}
