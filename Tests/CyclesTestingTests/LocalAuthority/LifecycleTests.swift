import Cycles
import CyclesTesting
import Testing

@Suite struct LifecycleTests {
    @Test func aReservationHoldsAndACommitCharges() throws {
        let bench = Bench()
        let reserved = try bench.reserve("r", 300)
        #expect(reserved.status == 200)
        #expect(reserved.json["decision"] == "ALLOW")
        #expect(reserved.json["caps"] == nil)
        #expect(reserved.json["reserved"]?.amount == 300)
        #expect(reserved.json["scope_path"] == "tenant:acme")
        #expect(reserved.json["affected_scopes"] == ["tenant:acme"])
        #expect(reserved.json["expires_at_ms"]?.int64 == bench.clock.nowMilliseconds + 60_000)
        #expect(reserved.json["remaining_ttl_ms"] == 60_000)
        #expect(try bench.figures() == [700, 300, 0, 0])

        let id = try #require(reserved.json["reservation_id"]?.string)
        #expect(bench.authority.activeReservations == [ReservationID(id)])
        let committed = try bench.commit(id, "c", 120)
        #expect(committed.status == 200)
        #expect(committed.json["status"] == "COMMITTED")
        #expect(committed.json["charged"]?.amount == 120)
        #expect(committed.json["released"]?.amount == 180)
        #expect(try bench.figures() == [880, 0, 120, 0])
        #expect(bench.authority.activeReservations.isEmpty)
    }

    @Test func aReleaseGivesEverythingBack() throws {
        let bench = Bench()
        let id = try bench.hold("r", 300)
        let released = try bench.release(id, "x")
        #expect(released.status == 200)
        #expect(released.json["status"] == "RELEASED")
        #expect(released.json["released"]?.amount == 300)
        #expect(try bench.figures() == [1_000, 0, 0, 0])
    }

    @Test(arguments: Behavior.allCases)
    func balancesAnswerWithTheBooks(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        _ = try bench.hold("r", 300)
        let reply = try bench.get("/v1/balances?tenant=acme")
        let balance = try #require(reply.json["balances"]?[0])
        #expect(balance["scope"] == "tenant:acme")
        #expect(balance["scope_path"] == "tenant:acme")
        #expect(balance["remaining"] == ["unit": "TOKENS", "amount": 700])
        #expect(balance["reserved"] == ["unit": "TOKENS", "amount": 300])
        #expect(balance["allocated"] == ["unit": "TOKENS", "amount": 1_000])
        #expect(balance["spent"]?.amount == 0)
        let isComplete = behavior == .specification
        #expect(balance["debt"]?.amount == (isComplete ? 0 : nil))
        #expect(balance["overdraft_limit"]?.amount == (isComplete ? 0 : nil))
        #expect(balance["is_over_limit"]?.bool == (isComplete ? false : nil))
    }

    @Test func identifiersAreUniqueAndPredictable() throws {
        let (left, right) = (Bench(), Bench())
        let ids = try (0..<3).map { try left.hold("r\($0)", 1) }
        #expect(Set(ids).count == 3)
        #expect(try ids == (0..<3).map { try right.hold("r\($0)", 1) })
        let requests = try (0..<3).map { _ in try left.get("/v1/balances?tenant=acme").headers["X-Request-Id"] }
        #expect(Set(requests).count == 3)
    }

    @Test func theSystemClockServesWhereNoOtherIsGiven() throws {
        let authority = LocalAuthority()
        authority.addAPIKey("k", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(10))
        let response = try authority.send(
            HTTPRequest(
                method: .post,
                url: "https://authority.test/cycles/v1/reservations",
                headers: ["X-Cycles-API-Key": "k"],
                body: Bench.reserveBody(key: "r", 1).encoded
            )
        )
        let expiry = try #require(JSONValue(parsing: response.body)["expires_at_ms"]?.int64)
        // Any day between 2020 and 2100: the clock is a real one.
        #expect((1_577_836_800_000...4_102_444_800_000).contains(expiry))
    }

    @Test func bothTransportsAnswer() async throws {
        let bench = Bench()
        let transport: any HTTPTransport = bench.authority
        let request = HTTPRequest(
            method: .get,
            url: "http://authority.test/v1/balances?tenant=acme",
            headers: ["X-Cycles-API-Key": "acme-key"]
        )
        #expect(try await transport.send(request).status == 200)
        await transport.shutdown()
        #expect(try await transport.send(request).status == 200)
    }
}
