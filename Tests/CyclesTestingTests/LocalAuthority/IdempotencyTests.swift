import Cycles
import CyclesTesting
import Testing

@Suite struct IdempotencyTests {
    @Test func aReplayIsTheOriginalAnswer() throws {
        let bench = Bench()
        let first = try bench.reserve("r", 300)
        _ = try bench.hold("other", 100)
        #expect(try bench.reserve("r", 300).bytes == first.bytes)
        let id = try #require(first.json["reservation_id"]?.string)
        let committed = try bench.commit(id, "c", 200)
        _ = try bench.hold("another", 100)
        #expect(try bench.commit(id, "c", 200).bytes == committed.bytes)
        #expect(try bench.figures() == [600, 200, 200, 0])

        let released = try bench.hold("s", 10)
        let release = try bench.release(released, "x")
        #expect(try bench.release(released, "x").bytes == release.bytes)
        let event = try bench.event("e", 5)
        let again = try bench.event("e", 5)
        #expect(again.bytes == event.bytes)
        #expect(again.status == 201)
        let decision = try bench.decide("d", 600)
        _ = try bench.hold("last", 590)
        #expect(try bench.decide("d", 600).bytes == decision.bytes)
    }

    @Test func whatRemainsOfALeaseIsObservedAnew() throws {
        let bench = Bench()
        let reserve = { try bench.reserve("r", 10, extra: ["ttl_ms": 10_000]).json }
        let id = try #require(try reserve()["reservation_id"]?.string)
        let original = try reserve()["expires_at_ms"]
        bench.clock.advance(by: .seconds(3))
        #expect(try reserve()["remaining_ttl_ms"] == 7_000)

        // An extension under its own key does not show in the replay of the create.
        let extended = try bench.extend(id, "e", 10_000).json
        bench.clock.advance(by: .seconds(1))
        #expect(try reserve()["remaining_ttl_ms"] == 6_000)
        #expect(try reserve()["expires_at_ms"] == original)
        let replayed = try bench.extend(id, "e", 10_000).json
        #expect(replayed["remaining_ttl_ms"] == 16_000)
        #expect(replayed["expires_at_ms"] == extended["expires_at_ms"])

        // Past the expiry that the create told, the reservation is still active, but not by that answer.
        bench.clock.advance(by: .seconds(7))
        #expect(try reserve()["remaining_ttl_ms"] == 0)
        #expect(try bench.extend(id, "e", 10_000).json["remaining_ttl_ms"] == 9_000)
        _ = try bench.commit(id, "c", 10)
        #expect(try bench.extend(id, "e", 10_000).json["remaining_ttl_ms"] == 0)
        #expect(try bench.extend(id, "e", 10_000).status == 200)
    }

    @Test func aReplayOutlivesTheReservation() throws {
        let bench = Bench()
        let first = try bench.reserve("r", 10)
        bench.clock.advance(by: .seconds(1_000))
        let replay = try bench.reserve("r", 10)
        #expect(replay.json == first.json.adding("remaining_ttl_ms", 0))
        #expect(bench.authority.activeReservations.isEmpty)
    }

    @Test func anotherPayloadIsAMismatch() throws {
        let bench = Bench()
        let id = try bench.hold("r", 10)
        let other = try bench.hold("s", 10)
        _ = try bench.extend(id, "e", 1_000)
        _ = try bench.commit(id, "c", 5)
        _ = try bench.release(other, "x")
        _ = try bench.decide("d", 5)
        _ = try bench.event("v", 5)
        let reason: JSONValue = ["idempotency_key": "x", "reason": "why"]
        for reply in [
            try bench.reserve("r", 11), try bench.reserve("r", 10, extra: ["metadata": [:]]),
            try bench.commit(id, "c", 6), try bench.extend(id, "e", 1_001), try bench.decide("d", 6),
            try bench.event("v", 6), try bench.post("/v1/reservations/\(other)/release", reason),
        ] {
            #expect(reply.status == 409)
            #expect(reply.error == "IDEMPOTENCY_MISMATCH")
        }
        #expect(try bench.figures() == [990, 0, 10, 0])
    }

    @Test func payloadsAreComparedInCanonicalForm() throws {
        let bench = Bench()
        let texts = [
            #"{"idempotency_key":"r","subject":{"tenant":"acme"},"action":{"kind":"k","name":"\u00e9"},"#
                + #""estimate":{"unit":"TOKENS","amount":5}}"#,
            #" {"estimate":{"amount":5,"unit":"TOKENS"}, "action":{"name":"é","kind":"k"},"#
                + #" "idempotency_key":"r", "subject":{"tenant":"acme"} } "#,
        ]
        let replies = try texts.map { try bench.send(.post, "/v1/reservations", bytes: Array($0.utf8)) }
        #expect(replies[0].status == 200)
        #expect(replies[0].bytes == replies[1].bytes)
        // However a number is spelled, it is the same.
        for spelling in ["5.0", "5e0", "0.5e1"] {
            let respelled = texts[0].split(separator: ":5}").joined(separator: ":\(spelling)}")
            #expect(try bench.send(.post, "/v1/reservations", bytes: Array(respelled.utf8)).bytes == replies[0].bytes)
        }
        // A letter and a combining accent look like é, but they are other bytes.
        let decomposed = texts[0].split(separator: #"\u00e9"#).joined(separator: "e\u{301}")
        #expect(
            try bench.send(.post, "/v1/reservations", bytes: Array(decomposed.utf8)).error == "IDEMPOTENCY_MISMATCH"
        )
    }

    @Test func keysAreToldApartByTheirBytes() throws {
        let bench = Bench()
        #expect(try bench.hold("\u{e9}", 5) != bench.hold("e\u{301}", 5))
    }

    @Test(arguments: Behavior.allCases)
    func keysBelongToAnEndpoint(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let first = try bench.hold("k", 10)
        let second = try bench.hold("l", 10)
        #expect(try bench.decide("k", 1).status == 200)
        #expect(try bench.event("k", 1).status == 201)
        #expect(try bench.extend(first, "k", 1_000).status == 200)
        #expect(try bench.extend(second, "k", 1_000).status == 200)
        #expect(try bench.commit(first, "k", 10).status == 200)
        #expect(try bench.commit(second, "k", 9).json["charged"]?.amount == 9)
        let third = try bench.hold("m", 10)
        #expect(try bench.release(third, "k").status == 200)
    }

    @Test func keysBelongToATenant() throws {
        let bench = Bench()
        bench.authority.addAPIKey("other-key", tenant: "other")
        bench.authority.setBudget(scope: "tenant:other", allocated: .tokens(10))
        let mine = try bench.hold("k", 10)
        #expect(try bench.with(key: "other-key").hold("k", 9, subject: ["tenant": "other"]) != mine)
    }

    @Test func severalKeysOfATenantShareItsIdempotencyKeys() throws {
        let bench = Bench()
        bench.authority.addAPIKey("second-key", tenant: "acme")
        #expect(try bench.hold("k", 10) == bench.with(key: "second-key").hold("k", 10))
    }

    @Test(arguments: Behavior.allCases)
    func aRefusalLeavesTheKeyFree(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: 5)
        #expect(try bench.reserve("r", 6).status == 409)
        bench.authority.fund(scope: "tenant:acme", .tokens(10))
        #expect(try bench.reserve("r", 6).status == 200)
        #expect(try bench.event("e", 100, policy: "REJECT").status == 409)
        #expect(try bench.event("e", 5, policy: "REJECT").status == 201)
    }

    @Test(arguments: Behavior.allCases)
    func aDenialOfAnEvaluationTakesTheKey(_ behavior: Behavior) throws {
        let bench = Bench(behavior, budget: 5)
        let decision = try bench.decide("d", 6)
        let dryRun = try bench.reserve("y", 6, extra: ["dry_run": true])
        bench.authority.fund(scope: "tenant:acme", .tokens(10))
        #expect(try bench.decide("d", 6).bytes == decision.bytes)
        #expect(try bench.reserve("y", 6, extra: ["dry_run": true]).bytes == dryRun.bytes)
        #expect(try bench.decide("d", 5).error == "IDEMPOTENCY_MISMATCH")
    }

    @Test(arguments: Behavior.allCases)
    func aDryRunSharesTheKeysOfLiveReservations(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        _ = try bench.reserve("k", 5, extra: ["dry_run": true])
        #expect(try bench.reserve("k", 5).error == "IDEMPOTENCY_MISMATCH")
        _ = try bench.reserve("l", 5)
        #expect(try bench.reserve("l", 5, extra: ["dry_run": true]).error == "IDEMPOTENCY_MISMATCH")
    }

    @Test func theHeaderHasToAgreeWithTheBody() throws {
        let bench = Bench()
        let body = Bench.reserveBody(key: "k", 5)
        let refused = try bench.post("/v1/reservations", body, headers: ["x-idempotency-key": "other"])
        #expect(refused.status == 400)
        #expect(refused.error == "INVALID_REQUEST")
        #expect(try bench.figures() == [1_000, 0, 0, 0])
        #expect(try bench.post("/v1/reservations", body, headers: ["x-idempotency-key": "k"]).status == 200)
    }

    @Test(arguments: Behavior.allCases)
    func aReplayComesBeforeEverythingThatCameSince(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let id = try bench.hold("r", 10)
        let extended = try bench.extend(id, "e", 1_000)
        let committed = try bench.commit(id, "c", 10)
        bench.authority.setBudget(scope: "tenant:acme", allocated: .tokens(0), status: .closed)
        // A deployed server does not know the keys of a closed tenant any more.
        if behavior == .specification { bench.authority.setTenant("acme", status: .closed) }
        bench.clock.advance(by: .seconds(1_000))
        #expect(try bench.reserve("r", 10).json["reservation_id"] == .string(id))
        #expect(try bench.commit(id, "c", 10).bytes == committed.bytes)
        #expect(try bench.extend(id, "e", 1_000).json == extended.json.adding("remaining_ttl_ms", 0))
    }
}
