#if Metrics
    import CoreMetrics
    import Cycles
    import CyclesTesting
    import MetricsTestKit
    import Testing

    @Suite struct MetricsTests {
        private let metrics = TestMetrics()

        private func makeObserver(prefix: String = "cycles") -> MetricsObserver {
            withMetricsFactory(metrics) { MetricsObserver(prefix: prefix) }
        }

        @Test func attemptsAndDurationsAreCountedByOperation() async throws {
            let client = try makeClient(observer: makeObserver())
            for _ in 0..<3 { try await client.reserve(request(10)).commit(.tokens(7)) }
            await client.shutdown()
            for operation in ["createReservation", "commitReservation"] {
                let dimensions = [("operation", operation)]
                #expect(metrics.counterTotal(label: "cycles.attempts", dimensions: dimensions) == 3)
                #expect(try metrics.expectTimer("cycles.duration", dimensions).values.count == 3)
            }
            #expect(metrics.counterTotal(label: "cycles.settlements", dimensions: [("outcome", "committed")]) == 3)
            #expect(metrics.counterTotal(label: "cycles.errors") == 0)
        }

        @Test func heldAndPendingWorkIsShownWhileItLasts() async throws {
            let authority = makeAuthority()
            let client = try makeClient(authority, observer: makeObserver())
            let first = try await client.reserve(request(10))
            let second = try await client.reserve(request(10))
            #expect(try metrics.expectMeter("cycles.held").lastValue == 2)
            try await first.commit(.tokens(7))
            try await second.release()
            #expect(try metrics.expectMeter("cycles.held").lastValue == 0)
            #expect(try metrics.expectMeter("cycles.pending").values.max() == 1)
            #expect(try metrics.expectMeter("cycles.pending").lastValue == 0)
            await client.shutdown()
        }

        @Test func anErrorHasItsCodeAsDimension() async throws {
            let client = try makeClient(observer: makeObserver())
            await #expect(throws: CyclesError.self) { _ = try await client.reserve(request(5_000)).context }
            let dimensions = [("operation", "createReservation"), ("error", "BUDGET_EXCEEDED")]
            #expect(metrics.counterTotal(label: "cycles.errors", dimensions: dimensions) == 1)
            await client.shutdown()
        }

        @Test func codesThatAServerMakesUpShareOneMetric() async throws {
            let transport = MockTransport()
            let codes = ["BUDGET_EXCEEDED"] + (0..<100).map { "CODE_\($0)" }
            for code in codes {
                let body = #"{"error": "\#(code)", "message": "no", "request_id": "req_1"}"#
                transport.enqueue(HTTPResponse(status: 400, body: Array(body.utf8)))
            }
            var configuration = CyclesConfiguration(baseURL: "http://server", apiKey: key)
            configuration.observer = makeObserver(prefix: "app.budget")
            let client = try CyclesClient(configuration: configuration, transport: transport)
            for _ in codes {
                await #expect(throws: CyclesError.self) { _ = try await client.getReservation("rsv_1") }
            }
            await client.shutdown()
            #expect(metrics.counters(label: "app.budget.errors").count == 2)
            #expect(metrics.counterTotal(label: "app.budget.errors") == Int64(codes.count))
        }
    }
#endif
