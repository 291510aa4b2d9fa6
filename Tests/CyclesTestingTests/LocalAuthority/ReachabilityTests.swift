import Cycles
import CyclesTesting
import Testing

/// An authority that cannot be reached.
@Suite struct ReachabilityTests {
    private static func request(_ base: String) -> HTTPRequest {
        HTTPRequest(method: .get, url: base + "/v1/reservations", headers: ["X-Cycles-API-Key": "acme-key"])
    }

    @Test func nothingIsSentToAnAuthorityThatCannotBeReached() async throws {
        let bench = Bench()
        #expect(bench.authority.isReachable)
        bench.authority.isReachable = false
        #expect(!bench.authority.isReachable)
        let expected = { (error: HTTPTransportError?) in
            error?.kind == .connectionFailed && error?.wasRequestSent == false
        }
        let blocking: any BlockingHTTPTransport = bench.authority
        #expect(
            expected(
                #expect(throws: HTTPTransportError.self) {
                    try blocking.send(ReachabilityTests.request("http://a.test"))
                }
            )
        )
        let transport: any HTTPTransport = bench.authority
        let error = await #expect(throws: HTTPTransportError.self) {
            try await transport.send(ReachabilityTests.request("http://a.test"))
        }
        #expect(expected(error))
    }

    @Test func aPlannedFailureWaitsUntilTheAuthorityCanBeReached() throws {
        let bench = Bench()
        bench.authority.failNext(.internalError)
        bench.authority.isReachable = false
        #expect(throws: HTTPTransportError.self) { try bench.get("/v1/reservations") }
        bench.authority.isReachable = true
        #expect(try bench.get("/v1/reservations").status == 500)
        #expect(try bench.get("/v1/reservations").status == 200)
    }

    @Test func leasesRunOutMeanwhile() throws {
        let bench = Bench()
        _ = try bench.hold("r", 10)
        bench.authority.isReachable = false
        bench.clock.advance(by: .seconds(100))
        #expect(bench.authority.activeReservations.isEmpty)
    }

    @Test func aSnapshotDoesNotTellWhetherTheAuthorityCanBeReached() throws {
        let bench = Bench()
        let before = bench.authority.snapshot()
        bench.authority.isReachable = false
        #expect(bench.authority.snapshot() == before)
        #expect(try LocalAuthority(restoring: before).isReachable)
    }

    @Test func aServedAuthorityClosesTheConnection() async throws {
        let bench = Bench()
        let server = LoopbackServer(bench.authority)
        try server.start()
        defer { server.stop() }
        let transport = CurlTransport(configuration: CyclesConfiguration(baseURL: server.baseURL, apiKey: "acme-key"))
        bench.authority.isReachable = false
        await #expect(throws: HTTPTransportError.self) {
            try await transport.send(ReachabilityTests.request(server.baseURL))
        }
        bench.authority.isReachable = true
        #expect(try await transport.send(ReachabilityTests.request(server.baseURL)).status == 200)
        await transport.shutdown()
    }
}
