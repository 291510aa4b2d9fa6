import Cycles
import CyclesTesting
import Testing

@Suite struct TenancyTests {
    private func twoTenants() -> (acme: Bench, other: Bench) {
        let bench = Bench()
        bench.authority.addAPIKey("other-key", tenant: "other")
        bench.authority.setBudget(scope: "tenant:other", allocated: .tokens(1_000))
        return (bench, bench.with(key: "other-key"))
    }

    /// One request to each operation that needs a tenant's key, on a reservation.
    private func everything(_ bench: Bench, _ id: String) throws -> [Reply] {
        [
            try bench.decide("d", 1), try bench.reserve("r", 1), try bench.commit(id, "c", 1),
            try bench.release(id, "x"), try bench.extend(id, "e", 1), try bench.event("v", 1),
            try bench.get("/v1/reservations/\(id)"), try bench.get("/v1/reservations"),
            try bench.get("/v1/balances?tenant=acme"),
        ]
    }

    @Test func aKeyIsNeeded() throws {
        let bench = Bench()
        let id = try bench.hold("h", 1)
        bench.authority.removeAPIKey("acme-key")
        for reply in try everything(bench, id) + everything(bench.with(key: "never added"), id) {
            #expect(reply.status == 401)
            #expect(reply.error == "UNAUTHORIZED")
            #expect(reply.headers["X-Cycles-Tenant"] == nil)
        }
        let response = try bench.authority.send(HTTPRequest(method: .get, url: "http://authority.test/v1/reservations"))
        #expect(response.status == 401)
    }

    @Test func theKeyComesBeforeTheBody() throws {
        #expect(try Bench().with(key: "wrong").post("/v1/decide", 5).status == 401)
    }

    @Test func theSubjectHasToBeOfTheTenant() throws {
        let (_, other) = twoTenants()
        for reply in [
            try other.decide("d", 1), try other.reserve("r", 1), try other.event("e", 1),
            try other.reserve("y", 1, extra: ["dry_run": true]), try other.get("/v1/reservations?tenant=acme"),
            try other.get("/v1/balances?tenant=acme"),
        ] {
            #expect(reply.status == 403)
            #expect(reply.error == "FORBIDDEN")
            #expect(reply.headers["X-Cycles-Tenant"] == "other")
        }
    }

    @Test func reservationsBelongToTheirTenant() throws {
        let (acme, other) = twoTenants()
        let id = try acme.hold("h", 1)
        for reply in [
            try other.commit(id, "c", 1), try other.release(id, "x"), try other.extend(id, "e", 1),
            try other.get("/v1/reservations/\(id)"),
        ] {
            #expect(reply.status == 403)
            #expect(reply.error == "FORBIDDEN")
        }
        #expect(try other.get("/v1/reservations").ids == [])
        #expect(try acme.get("/v1/reservations").ids == [id])
        #expect(try other.get("/v1/balances?tenant=other").scopes == ["tenant:other"])
    }

    @Test(
        arguments: [
            (.deployed, .suspended, 401, "UNAUTHORIZED"), (.deployed, .closed, 401, "UNAUTHORIZED"),
            (.specification, .suspended, 403, "FORBIDDEN"),
        ] as [(Behavior, LocalAuthority.TenantStatus, Int, String)]
    )
    func theKeysOfATenantThatIsNotActiveAreRefused(
        _ behavior: Behavior,
        _ tenant: LocalAuthority.TenantStatus,
        _ status: Int,
        _ error: String
    ) throws {
        let bench = Bench(behavior)
        let id = try bench.hold("h", 1)
        bench.authority.setTenant("acme", status: tenant)
        for reply in try everything(bench, id) {
            #expect(reply.status == status)
            #expect(reply.error == error)
            #expect(reply.headers["X-Cycles-Tenant"] == nil)
        }
        bench.authority.setTenant("acme", status: .active)
        #expect(try bench.commit(id, "c", 1).status == 200)
    }

    @Test func aClosedTenantChangesNothing() throws {
        let bench = Bench(.specification)
        let active = try bench.hold("h", 1)
        let finished = try bench.hold("g", 1)
        let expired = try bench.hold("f", 1, extra: ["ttl_ms": 1_000, "grace_period_ms": 0])
        _ = try bench.release(finished, "x")
        bench.clock.advance(by: .seconds(2))
        bench.authority.setTenant("acme", status: .closed)
        // It comes before the state of the reservation.
        var replies = [try bench.reserve("r", 1), try bench.event("v", 1)]
        for id in [active, finished, expired] {
            replies += [try bench.commit(id, "c", 1), try bench.release(id, "y"), try bench.extend(id, "e", 1)]
        }
        for reply in replies {
            #expect(reply.status == 409)
            #expect(reply.error == "TENANT_CLOSED")
        }
        #expect(try bench.commit("rsv_none", "c", 1).status == 404)

        for reply in [try bench.decide("d", 1), try bench.reserve("z", 1, extra: ["dry_run": true])] {
            #expect(reply.status == 200)
            #expect(reply.json["decision"] == "DENY")
            #expect(reply.json["reason_code"] == "TENANT_CLOSED")
            #expect(reply.json["affected_scopes"] == ["tenant:acme"])
        }
        #expect(try bench.get("/v1/reservations").ids.count == 3)
        #expect(try bench.get("/v1/reservations/\(active)").status == 200)
        #expect(try bench.get("/v1/balances?tenant=acme").status == 200)
    }

    @Test func aSuccessBeforeTheCloseIsReplayed() throws {
        let bench = Bench(.specification)
        let decision = try bench.decide("d", 1)
        let event = try bench.event("v", 1)
        bench.authority.setTenant("acme", status: .closed)
        #expect(try bench.decide("d", 1).bytes == decision.bytes)
        #expect(try bench.event("v", 1).bytes == event.bytes)
    }

    @Test func anAdministratorListsReadsAndReleases() throws {
        let (acme, other) = twoTenants()
        acme.authority.addAdminAPIKey("admin")
        let headers: HTTPHeaders = ["X-Admin-API-Key": "admin"]
        let mine = try acme.hold("h", 1)
        let theirs = try other.hold("h", 1, subject: ["tenant": "other"])

        let unfiltered = try acme.get("/v1/reservations", headers: headers)
        #expect(unfiltered.status == 400)
        #expect(
            unfiltered.json["message"] == "tenant query parameter is required when using admin key authentication"
        )
        #expect(try acme.get("/v1/reservations?tenant=acme", headers: headers).ids == [mine])
        #expect(try acme.get("/v1/reservations?tenant=other", headers: headers).ids == [theirs])
        #expect(try acme.get("/v1/reservations/\(theirs)", headers: headers).status == 200)
        let released = try acme.release(theirs, "x", headers: headers)
        #expect(released.status == 200)
        #expect(released.headers["X-Cycles-Tenant"] == nil)
        // The replay belongs to the owner, even if an administrator released the reservation.
        #expect(try other.release(theirs, "x").bytes == released.bytes)

        for reply in [
            try acme.post("/v1/decide", Bench.reserveBody(key: "d", 1), headers: headers),
            try acme.post("/v1/reservations", Bench.reserveBody(key: "r", 1), headers: headers),
            try acme.post("/v1/reservations/\(mine)/commit", [:], headers: headers),
            try acme.post("/v1/reservations/\(mine)/extend", [:], headers: headers),
            try acme.post("/v1/events", [:], headers: headers),
            try acme.get("/v1/balances?tenant=acme", headers: headers),
            try acme.get("/v1/reservations?tenant=acme", headers: ["X-Admin-API-Key": "wrong"]),
        ] {
            #expect(reply.status == 401)
        }
    }

    @Test func aKeyCanChangeHands() throws {
        let (acme, _) = twoTenants()
        acme.authority.addAPIKey("acme-key", tenant: "other")
        #expect(try acme.get("/v1/balances?tenant=other").status == 200)
        #expect(try acme.get("/v1/balances?tenant=acme").status == 403)
    }
}
