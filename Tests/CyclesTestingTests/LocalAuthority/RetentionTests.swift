import Cycles
import CyclesTesting
import Testing

/// The records that deployed servers forget after a time.
@Suite struct RetentionTests {
    private static func days(_ count: Int64) -> Duration { .milliseconds(count * 86_400_000) }

    @Test(arguments: Behavior.allCases)
    func theKeyOfAnEventIsKeptForSevenDays(_ behavior: Behavior) throws {
        let bench = Bench(behavior)
        let first = try bench.event("e", 5)
        bench.clock.advance(by: RetentionTests.days(7) - .milliseconds(1))
        #expect(try bench.event("e", 5).bytes == first.bytes)
        #expect(try bench.event("e", 6).error == "IDEMPOTENCY_MISMATCH")
        bench.clock.advance(by: .milliseconds(1))
        let again = try bench.event("e", 5)
        #expect((again.json["event_id"] == first.json["event_id"]) == (behavior == .specification))
        #expect(try bench.figures()[2] == (behavior == .specification ? 5 : 10))
        // The key is taken anew, for as long.
        #expect(try bench.event("e", 5).bytes == again.bytes)
    }

    @Test(arguments: Behavior.allCases, ["commit", "release", "expiry"])
    func aFinishedReservationIsKeptForThirtyDays(_ behavior: Behavior, _ end: String) throws {
        let bench = Bench(behavior)
        let id = try bench.hold("r", 10, extra: ["ttl_ms": 1_000, "grace_period_ms": 0])
        let live = try bench.hold("s", 10, extra: ["ttl_ms": 3_600_000])
        switch end {
        case "commit": _ = try bench.commit(id, "c", 10)
        case "release": _ = try bench.release(id, "c")
        default: bench.clock.advance(by: .milliseconds(1_000))
        }
        func replay() throws -> Reply { end == "release" ? try bench.release(id, "c") : try bench.commit(id, "c", 10) }
        bench.clock.advance(by: RetentionTests.days(30) - .milliseconds(1))
        let status = end == "expiry" ? 410 : 200
        #expect(try replay().status == status)
        #expect(try bench.get("/v1/reservations/" + id).status == status)
        #expect(try bench.get("/v1/reservations").ids == [live, id])
        bench.clock.advance(by: .milliseconds(1))
        let isKept = behavior == .specification
        #expect(try replay().status == (isKept ? status : 404))
        #expect(try bench.get("/v1/reservations/" + id).status == (isKept ? status : 404))
        #expect(try bench.get("/v1/reservations").ids == (isKept ? [live, id] : [live]))
        #expect(try bench.extend(id, "e", 1_000).status == (isKept ? (end == "expiry" ? 410 : 409) : 404))
    }

    @Test func aSnapshotKnowsWhatIsForgottenWhen() throws {
        let bench = Bench()
        let id = try bench.hold("r", 10)
        _ = try bench.commit(id, "c", 10)
        _ = try bench.event("e", 5)
        bench.clock.advance(by: RetentionTests.days(7))
        let copy = try Bench(restoring: bench.authority.snapshot(), clock: bench.clock)
        copy.authority.addAPIKey("acme-key", tenant: "acme")
        #expect(try copy.event("e", 6).status == 201)
        #expect(try copy.commit(id, "c", 10).status == 200)
        copy.clock.advance(by: RetentionTests.days(23))
        #expect(try copy.commit(id, "c", 10).status == 404)
    }
}
