import Cycles
import CyclesTesting
import Testing

@Suite struct CorrelationTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let parent = "00-\(trace)-00f067aa0ba902b7-01"
    private static let flat = "0123456789abcdef0123456789abcdef"

    private func traceID(_ headers: HTTPHeaders) throws -> String? {
        try Bench().get("/v1/balances?tenant=acme", headers: headers).headers["X-Cycles-Trace-Id"]
    }

    @Test func everyAnswerIsLabelled() throws {
        let bench = Bench()
        for reply in [
            try bench.reserve("r", 1), try bench.reserve("r", 5_000), try bench.event("e", 1),
            try bench.get("/v1/reservations"), try bench.get("/v1/nothing"), try bench.with(key: "x").get("/v1/decide"),
            try bench.get("/v1/evidence/x"), try bench.get("/v1/.well-known/cycles-jwks.json"),
        ] {
            let trace = try #require(reply.headers["X-Cycles-Trace-Id"])
            #expect(TraceContext(traceID: trace, parentID: "00f067aa0ba902b7") != nil)
            #expect(reply.headers["X-Request-Id"]?.hasPrefix("req_") == true)
            #expect(reply.headers["Content-Type"] == "application/json")
            if reply.status >= 400 {
                #expect(reply.json["trace_id"] == .string(trace))
                #expect(reply.json["request_id"]?.string == reply.headers["X-Request-Id"])
                #expect(reply.json["message"]?.string?.isEmpty == false)
            }
        }
        #expect(try bench.reserve("s", 1).headers["X-Cycles-Tenant"] == "acme")
    }

    @Test func traceparentComesFirst() throws {
        #expect(try traceID(["traceparent": CorrelationTests.parent]) == CorrelationTests.trace)
        #expect(try traceID(["X-Cycles-Trace-Id": CorrelationTests.flat]) == CorrelationTests.flat)
        #expect(
            try traceID(["X-Cycles-Trace-Id": CorrelationTests.flat, "traceparent": CorrelationTests.parent])
                == CorrelationTests.trace
        )
    }

    @Test(arguments: [
        "", "00", "01-\(trace)-00f067aa0ba902b7-01", "00-\(trace)-0000000000000000-01", "00-\(trace)-00f067aa0ba902b7",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
    ])
    func aMalformedTraceparentIsAsGoodAsNone(_ header: String) throws {
        #expect(
            try traceID(["traceparent": header, "X-Cycles-Trace-Id": CorrelationTests.flat]) == CorrelationTests.flat
        )
    }

    @Test func aTraceIsMadeUpWhereNoneIsGiven() throws {
        let bench = Bench()
        let made = try (0..<2).map { _ in
            try bench.get(
                "/v1/balances?tenant=acme",
                headers: ["X-Cycles-Trace-Id": "00000000000000000000000000000000"]
            ).headers["X-Cycles-Trace-Id"]
        }
        #expect(made[0] != made[1])
        #expect(try traceID(["X-Cycles-Trace-Id": "xyz"])?.utf8.count == 32)
    }
}

@Suite struct PlannedFailureTests {
    @Test(arguments: [
        (ErrorCode.invalidRequest, 400), (.unitMismatch, 400), (.unauthorized, 401), (.forbidden, 403),
        (.notFound, 404), (.budgetExceeded, 409), (.budgetFrozen, 409), (.budgetClosed, 409),
        (.reservationFinalized, 409), (.idempotencyMismatch, 409), (.overdraftLimitExceeded, 409),
        (.debtOutstanding, 409), (.maxExtensionsExceeded, 409), (.tenantClosed, 409), (.reservationExpired, 410),
        (.limitExceeded, 429), (.internalError, 500), (.unrecognized("NEW_CODE"), 500),
    ])
    func everyCodeHasItsStatus(_ code: ErrorCode, _ status: Int) throws {
        let bench = Bench()
        bench.authority.failNext(code)
        let reply = try bench.reserve("r", 1)
        #expect(reply.status == status)
        #expect(reply.error == code.rawValue)
        #expect(reply.headers["Retry-After"] == nil)
        #expect(reply.json["request_id"]?.string == reply.headers["X-Request-Id"])
        // Nothing happened, and the next request is served.
        #expect(try bench.figures() == [1_000, 0, 0, 0])
        #expect(try bench.reserve("r", 1).status == 200)
    }

    @Test func throttlingSaysWhenToComeBack() throws {
        let bench = Bench()
        bench.authority.failNext(.limitExceeded, retryAfter: .milliseconds(2_001))
        bench.authority.failNext(.internalError, retryAfter: .seconds(1))
        let throttled = try bench.get("/v1/reservations")
        #expect(throttled.status == 429)
        #expect(throttled.headers["Retry-After"] == "3")
        #expect(throttled.headers["X-RateLimit-Remaining"] == "0")
        #expect(throttled.headers["X-RateLimit-Reset"] == String(bench.clock.nowMilliseconds / 1_000 + 3))
        let failed = try bench.get("/v1/reservations")
        #expect(failed.status == 500)
        #expect(failed.headers["Retry-After"] == "1")
        #expect(failed.headers["X-RateLimit-Reset"] == nil)
        #expect(try bench.get("/v1/reservations").status == 200)
    }

    @Test func leasesRunOutWhileTheAuthorityFails() throws {
        let bench = Bench()
        _ = try bench.hold("r", 10)
        bench.clock.advance(by: .seconds(1_000))
        bench.authority.failNext(.internalError)
        _ = try bench.get("/v1/reservations")
        #expect(try bench.get("/v1/balances?tenant=acme").json["balances"]?[0]?["reserved"]?.amount == 0)
    }
}

@Suite struct EvidenceTests {
    private func reference(_ reply: Reply) throws -> (id: String, url: String) {
        let reference = try #require(reply.json["cycles_evidence"])
        return (
            try #require(reference["evidence_id"]?.string), try #require(reference["cycles_evidence_url"]?.string)
        )
    }

    @Test func thereIsNoneUnlessAskedFor() throws {
        let bench = Bench()
        #expect(try bench.reserve("r", 1).json["cycles_evidence"] == nil)
        #expect(try bench.get("/v1/evidence/" + String(repeating: "0", count: 64)).status == 404)
        #expect(try bench.get("/v1/evidence/" + String(repeating: "A", count: 64)).status == 400)
        #expect(try bench.get("/v1/evidence/short").status == 400)
    }

    @Test func everyAttestedOperationRefersToItsEnvelope() throws {
        let bench = Bench(options: .init(emitsEvidence: true))
        let reserved = try bench.reserve("r", 10)
        let id = try #require(reserved.json["reservation_id"]?.string)
        let other = try bench.hold("s", 10)
        let replies: [(artifact: String, reply: Reply)] = [
            ("decide", try bench.decide("d", 1)), ("decide", try bench.decide("e", 5_000)), ("reserve", reserved),
            ("reserve", try bench.reserve("y", 5_000, extra: ["dry_run": true])),
            ("commit", try bench.commit(id, "c", 5)), ("release", try bench.release(other, "x")),
            ("error", try bench.reserve("z", 5_000)),
        ]
        var ids: Set<String> = []
        for (artifact, reply) in replies {
            let (evidenceID, url) = try reference(reply)
            ids.insert(evidenceID)
            #expect(url == "http://authority.test/v1/evidence/" + evidenceID)
            // Fetching needs no key.
            let response = try bench.authority.send(HTTPRequest(method: .get, url: url))
            #expect(response.status == 200)
            #expect(response.headers["Cache-Control"] == "public, immutable")
            let envelope = try JSONValue(parsing: response.body)
            #expect(envelope["schema_version"] == "cycles-evidence/v0.1")
            #expect(envelope["artifact_type"] == .string(artifact))
            #expect(envelope["server_id"] == "http://authority.test/v1")
            #expect(envelope["evidence_id"] == .string(evidenceID))
            #expect(envelope["signer_did"]?.string?.utf8.count == 64)
            #expect(envelope["signature"]?.string?.utf8.count == 128)
            #expect(envelope["issued_at_ms"]?.int64 == bench.clock.nowMilliseconds)
            #expect(envelope["trace_id"]?.string == reply.headers["X-Cycles-Trace-Id"])
            // Neither of the two transport members is attested.
            let attested = envelope["payload"]?[artifact]?["response"]?.object
            var answer = reply.json.object
            answer?["cycles_evidence"] = nil
            answer?["remaining_ttl_ms"] = nil
            #expect(attested == answer)
        }
        #expect(ids.count == replies.count)
        #expect(try bench.event("v", 1).json["cycles_evidence"] == nil)
        // A replay refers to the same envelope.
        #expect(try reference(bench.reserve("r", 10)).id == reference(reserved).id)

        let detail = try bench.get("/v1/reservations/\(id)").json
        #expect(detail["evidence"]?["reserve"] == reserved.json["cycles_evidence"])
        #expect(detail["evidence"]?["commit"]?["evidence_id"]?.string == (try reference(replies[4].reply).id))
        #expect(detail["evidence"]?["release"] == nil)
        #expect(try bench.get("/v1/reservations").json["reservations"]?[0]?["evidence"] == nil)
        let row = try bench.get("/v1/reservations?include=evidence").json["reservations"]?[0]
        #expect(row?["evidence"]?["release"]?["evidence_id"]?.string == (try reference(replies[5].reply).id))
    }

    @Test func anEnvelopeMayAppearLater() throws {
        let bench = Bench(options: .init(emitsEvidence: true, evidenceMisses: 2))
        let (id, _) = try reference(bench.decide("d", 1))
        #expect(try (0..<4).map { _ in try bench.get("/v1/evidence/\(id)").status } == [404, 404, 200, 200])
    }

    @Test func keysArePublishedOnRequest() throws {
        let bench = Bench()
        let path = "/v1/.well-known/cycles-jwks.json"
        #expect(try bench.get(path).status == 404)
        let keys: JSONValue = [
            "keys": [["kty": "OKP", "crv": "Ed25519", "x": "abc", "kid": "k", "cycles_nbf_ms": 0]]
        ]
        bench.authority.setEvidenceKeys(keys)
        let response = try bench.authority.send(HTTPRequest(method: .get, url: "http://authority.test" + path))
        #expect(try JSONValue(parsing: response.body) == keys)
        #expect(response.headers["Cache-Control"]?.contains("max-age") == true)
        bench.authority.setEvidenceKeys(nil)
        #expect(try bench.get(path).status == 404)
    }
}
