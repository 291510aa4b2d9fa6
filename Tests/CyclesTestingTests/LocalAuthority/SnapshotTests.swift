import Cycles
import CyclesTesting
import Testing

@Suite struct SnapshotTests {
    /// A bench in which everything that can be kept has been.
    private func lived() throws -> Bench {
        let bench = Bench(options: .init(emitsEvidence: true, evidenceMisses: 3))
        bench.authority.addAPIKey("a-very-secret-key", tenant: "other")
        bench.authority.addAdminAPIKey("an-admin-secret")
        bench.authority.setTenant("other", status: .closed)
        bench.authority.setEvidenceKeys(["keys": []])
        let caps = Caps(maxTokens: 5, toolAllowlist: ["a"], toolDenylist: ["b"], cooldown: .seconds(1))
        bench.authority.setBudget(
            scope: "tenant:acme/agent:bot",
            allocated: .tokens(100),
            overdraftLimit: 30,
            caps: caps,
            status: .frozen
        )
        bench.authority.setBudget(scope: "tenant:acme/agent:other", allocated: .tokens(10))
        let subject: JSONValue = ["tenant": "acme", "agent": "other"]
        _ = try bench.commit(bench.hold("over", 10, subject: subject), "over", 20)
        let metadata: [String: JSONValue] = ["metadata": ["é": [1.50, "\u{1}", nil]]]
        _ = try bench.hold("live", 10, extra: metadata)
        _ = try bench.extend(bench.hold("extended", 20), "e", 5_000)
        _ = try bench.release(bench.hold("released", 30), "x")
        _ = try bench.hold("expired", 40, extra: ["ttl_ms": 1_000, "grace_period_ms": 0])
        bench.clock.advance(by: .seconds(2))
        let decided = try bench.decide("d", 1)
        let evidence = try #require(decided.json["cycles_evidence"]?["evidence_id"]?.string)
        _ = try bench.get("/v1/evidence/\(evidence)")
        _ = try bench.event("v", 3)
        return bench
    }

    private func restored(_ bench: Bench) throws -> Bench {
        let options = LocalAuthority.Options(emitsEvidence: true, evidenceMisses: 3)
        let copy = try Bench(restoring: bench.authority.snapshot(), options: options, clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        return copy
    }

    @Test func aSnapshotIsEverything() throws {
        let bench = try lived()
        let copy = try restored(bench)
        #expect(copy.authority.balances() == bench.authority.balances())
        #expect(copy.authority.activeReservations == bench.authority.activeReservations)
        let query = "/v1/reservations?include=metadata,committed_metadata,evidence"
        #expect(try copy.get(query).bytes == bench.get(query).bytes)
        #expect(try copy.get("/v1/.well-known/cycles-jwks.json").json == ["keys": []])
        // Answers under old keys are replayed.
        let subject: JSONValue = ["tenant": "acme", "agent": "other"]
        #expect(
            try copy.reserve("over", 10, subject: subject).bytes == bench.reserve("over", 10, subject: subject).bytes
        )
        #expect(try copy.event("v", 3).bytes == bench.event("v", 3).bytes)
        #expect(try copy.event("v", 4).error == "IDEMPOTENCY_MISMATCH")
        let id = try #require(copy.authority.activeReservations.last?.rawValue)
        #expect(try copy.extend(id, "e", 5_000).bytes == bench.extend(id, "e", 5_000).bytes)
        // One envelope was asked for once; two more times in vain.
        let evidence = try #require(try copy.decide("d", 1).json["cycles_evidence"]?["evidence_id"]?.string)
        #expect(try (0..<3).map { _ in try copy.get("/v1/evidence/\(evidence)").status } == [404, 404, 200])
        // The restored budgets keep their statuses.
        #expect(try copy.reserve("f", 1, subject: ["tenant": "acme", "agent": "bot"]).error == "BUDGET_FROZEN")
        #expect(try copy.reserve("g", 1, subject: subject).error == "OVERDRAFT_LIMIT_EXCEEDED")
        #expect(try copy.commit(id, "c", 20).status == 200)
        copy.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(100), overdraftLimit: 30)
        copy.authority.addAPIKey("other", tenant: "other")
        #expect(try copy.with(key: "other").event("e", 1, subject: ["tenant": "other"]).error == "UNAUTHORIZED")
    }

    @Test func keysThatWereNotPublishedAreNotAfterwards() throws {
        let bench = Bench()
        let copy = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
        for bench in [bench, copy] {
            #expect(try bench.get("/v1/.well-known/cycles-jwks.json").status == 404)
            // Whatever can be got can be asked for without its body.
            #expect(
                try bench.send("HEAD", "/v1/.well-known/cycles-jwks.json").json["message"] == "No keys are published"
            )
        }
    }

    @Test func equalStatesHaveEqualBytes() throws {
        let (left, right) = (try lived(), try lived())
        #expect(left.authority.snapshot() == right.authority.snapshot())
        #expect(left.authority.snapshot() == left.authority.snapshot())
        #expect(try restored(left).authority.snapshot() == restored(right).authority.snapshot())
    }

    @Test func nothingStoredContainsAKey() throws {
        let bench = try lived()
        let text = String(decoding: bench.authority.snapshot(), as: UTF8.self)
        var described = ""
        dump(bench.authority, to: &described)
        described += "\(bench.authority)"
        for key in ["acme-key", "a-very-secret-key", "an-admin-secret"] {
            #expect(!text.contains(key))
            #expect(!described.contains(key))
        }
        let copy = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
        #expect(try copy.get("/v1/reservations").status == 401)
    }

    @Test func idsGoOnWithoutRepeating() throws {
        let bench = try lived()
        let bytes = bench.authority.snapshot()
        let copy = try Bench(restoring: bytes, clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        let original = try bench.hold("n", 1)
        let after = try copy.hold("n", 1)
        #expect(original != after)
        let all = try bench.get("/v1/reservations").ids + copy.get("/v1/reservations").ids
        #expect(Set(all).count == 7)
        let requests = [try bench.get("/v1/reservations"), try copy.get("/v1/reservations")].map {
            $0.headers["X-Request-Id"]
        }
        #expect(requests[0] != requests[1])
    }

    @Test func whatRanOutInBetweenHasExpired() throws {
        let bench = try lived()
        let bytes = bench.authority.snapshot()
        bench.clock.advance(by: .seconds(10_000))
        let copy = try Bench(restoring: bytes, clock: bench.clock)
        #expect(copy.authority.activeReservations.isEmpty)
        #expect(copy.authority.balances().allSatisfy { $0.reserved?.amount == 0 })
    }

    @Test func bytesThatAreNoSnapshotAreRefused() throws {
        let bench = try lived()
        let valid = bench.authority.snapshot()
        for bytes: [UInt8] in [[], Array("{}".utf8), Array("[]".utf8), Array("5".utf8), [0xff], valid.dropLast()] {
            #expect(throws: LocalAuthority.RestoreError.self) { try LocalAuthority(restoring: bytes) }
        }
        // No member can be missing or be something else without being noticed.
        let document = try JSONValue(parsing: valid)
        for name in (document.object ?? [:]).keys {
            for replacement: JSONValue in [nil, true, "x", [], ["x": 1], ["x"], [1]] {
                // A list of no records, and no tenants, are possible.
                if name == "idempotency_records" && replacement == [] { continue }
                let damaged = document.adding(name, replacement).encoded
                #expect(throws: LocalAuthority.RestoreError.self, "\(name) \(replacement)") {
                    try LocalAuthority(restoring: damaged)
                }
            }
        }
    }

    @Test func defaultsOfTenantsAreRestored() throws {
        let bench = Bench()
        bench.authority.setTenant(
            "acme",
            defaultTimeToLive: .seconds(5),
            defaultOveragePolicy: .reject,
            maxExtensions: 1
        )
        let id = try bench.hold("r", 10)
        bench.authority.setTenant("acme", maxExtensions: 0)
        let copy = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        #expect(try copy.reserve("s", 10).json["remaining_ttl_ms"] == 5_000)
        #expect(try copy.event("e", 5_000).error == "BUDGET_EXCEEDED")
        #expect(try copy.extend(id, "e", 1_000).status == 200)
        #expect(try copy.extend(id, "f", 1_000).error == "MAX_EXTENSIONS_EXCEEDED")
        #expect(try copy.extend(copy.hold("t", 10), "e", 1_000).error == "MAX_EXTENSIONS_EXCEEDED")
    }

    /// Earlier versions knew neither defaults of tenants nor a number of extensions for each reservation.
    @Test func anEarlierSnapshotIsRead() throws {
        let bench = Bench()
        let id = try bench.hold("r", 10)
        bench.authority.setTenant("acme", status: .suspended)
        let text = String(decoding: bench.authority.snapshot(), as: UTF8.self)
        let earlier = text.split(separator: #"{"status":"suspended"}"#).joined(separator: #""suspended""#)
            .split(separator: #""max_extensions":10,"#).joined()
        try #require(earlier.utf8.count < text.utf8.count - 20)
        let copy = try Bench(restoring: Array(earlier.utf8), options: .init(maxExtensions: 1), clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        #expect(try copy.extend(id, "e", 1_000).status == 401)
        copy.authority.setTenant("acme", status: .active)
        #expect(try copy.extend(id, "e", 1_000).status == 200)
        #expect(try copy.extend(id, "f", 1_000).error == "MAX_EXTENSIONS_EXCEEDED")
    }

    @Test func aSnapshotOfTheOtherBehaviorIsFolded() throws {
        let bench = Bench(.specification)
        bench.authority.setBudget(scope: "tenant:acme/agent:Bot", allocated: .tokens(100))
        let subject: JSONValue = ["tenant": "acme", "agent": "Bot"]
        let id = try bench.hold("r", 10, subject: subject)
        let copy = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        #expect(try copy.commit(id, "c", 10).scopes == ["tenant:acme", "tenant:acme/agent:bot"])
        #expect(try copy.reserve("s", 10, subject: subject).scopes == ["tenant:acme", "tenant:acme/agent:bot"])

        bench.authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(100))
        let snapshot = bench.authority.snapshot()
        let error = #expect(throws: LocalAuthority.RestoreError.self) { try LocalAuthority(restoring: snapshot) }
        #expect(error?.description.contains("letter case") == true)
        let options = LocalAuthority.Options(behavior: .specification)
        let same = try Bench(restoring: snapshot, options: options, clock: bench.clock)
        #expect(same.authority.balances() == bench.authority.balances())
    }

    @Test func booksThatDoNotBalanceAreRefused() throws {
        let bench = Bench()
        _ = try bench.hold("r", 10)
        let text = String(decoding: bench.authority.snapshot(), as: UTF8.self)
        for (old, new) in [
            (#""reserved":10"#, #""reserved":11"#), (#""amount":10,"#, #""amount":9,"#),
            (#""spent":0"#, #""spent":-1"#), (#""spent":0"#, #""spent":9223372036854775807"#),
            (#""allocated":1000"#, #""allocated":-1"#), (#""scope":"tenant:acme""#, #""scope":"acme""#),
        ] {
            let damaged = text.split(separator: old, omittingEmptySubsequences: false).joined(separator: new)
            try #require(damaged != text, "\(old)")
            #expect(throws: LocalAuthority.RestoreError.self, "\(new)") {
                try LocalAuthority(restoring: Array(damaged.utf8))
            }
        }
    }
}
