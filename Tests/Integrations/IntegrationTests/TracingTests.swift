#if Tracing
    import Cycles
    import CyclesTesting
    import InMemoryTracing
    import Synchronization
    import Testing
    import Tracing

    /// An in-memory tracer that propagates spans by W3C Trace Context.
    private struct W3CTracer: Tracer {
        let spans = InMemoryTracer(
            idGenerator: .init(nextTraceID: { Self.hexadecimal(32) }, nextSpanID: { Self.hexadecimal(16) })
        )

        private static func hexadecimal(_ length: Int) -> String {
            String((0..<length).map { _ in "123456789abcdef".randomElement()! })
        }

        func startSpan<Instant: TracerInstant>(
            _ operationName: String,
            context: @autoclosure () -> ServiceContext,
            ofKind kind: SpanKind,
            at instant: @autoclosure () -> Instant,
            function: String,
            file fileID: String,
            line: UInt
        ) -> InMemorySpan {
            spans.startSpan(
                operationName,
                context: context(),
                ofKind: kind,
                at: instant(),
                function: function,
                file: fileID,
                line: line
            )
        }

        func forceFlush() {}

        func extract<Carrier, Extract: Extractor>(
            _ carrier: Carrier,
            into context: inout ServiceContext,
            using extractor: Extract
        ) where Extract.Carrier == Carrier {}

        func inject<Carrier, Inject: Injector>(
            _ context: ServiceContext,
            into carrier: inout Carrier,
            using injector: Inject
        ) where Inject.Carrier == Carrier {
            guard let span = context.inMemorySpanContext else { return }
            injector.inject("00-\(span.traceID)-\(span.spanID)-01", forKey: "Traceparent", into: &carrier)
        }
    }

    /// An authority that records the requests.
    private final class RecordedAuthority: HTTPTransport {
        private let authority = makeAuthority()
        private let recorded = Mutex<[HTTPRequest]>([])

        var requests: [HTTPRequest] { recorded.withLock { $0 } }

        func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
            recorded.withLock { $0.append(request) }
            return try authority.send(request)
        }

        func shutdown() async {}
    }

    private func makeTracedClient() throws -> (CyclesClient, RecordedAuthority) {
        let transport = RecordedAuthority()
        var configuration = CyclesConfiguration(baseURL: "http://authority", apiKey: key)
        configuration.tenant = "acme"
        configuration.journal = .disabled
        return (try CyclesClient(configuration: configuration, transport: transport), transport)
    }

    @Suite struct TracingTests {
        private let tracer = W3CTracer()

        @Test func eachOperationHasAClientSpanThatItsRequestCarries() async throws {
            let (client, transport) = try makeTracedClient()
            try await withTracer(tracer) {
                try await withSpan("work") { _ in
                    _ = try await client.reserve(request(10)).commit(.tokens(7))
                }
            }
            await client.shutdown()
            let work = try #require(tracer.spans.finishedSpans.first { $0.operationName == "work" })
            let calls = tracer.spans.finishedSpans.filter { $0.kind == .client }
            #expect(calls.map(\.operationName) == ["createReservation", "commitReservation"])
            #expect(calls.allSatisfy { $0.parentSpanID == work.spanID && $0.traceID == work.traceID })
            #expect(
                transport.requests.map { $0.headers["traceparent"] }
                    == calls.map { "00-\(work.traceID)-\($0.spanID)-01" }
            )
            #expect(calls.allSatisfy { $0.attributes.get("http.response.status_code") == .int64(200) })
            #expect(calls.allSatisfy { $0.status == nil && $0.errors.isEmpty })
        }

        @Test func aReleaseInTheBackgroundBelongsToTheSpanThatReserved() async throws {
            let (client, _) = try makeTracedClient()
            try await withTracer(tracer) {
                try await withSpan("work") { _ in _ = try await client.reserve(request(10)).context }
                await client.shutdown()
            }
            let work = try #require(tracer.spans.finishedSpans.first { $0.operationName == "work" })
            let release = try #require(tracer.spans.finishedSpans.first { $0.operationName == "releaseReservation" })
            #expect(release.traceID == work.traceID)
        }

        @Test func aGivenTraceContextIsSentInstead() async throws {
            let (client, transport) = try makeTracedClient()
            let given = TraceContext(parsing: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
            try await withTracer(tracer) {
                try await TraceContext.$current.withValue(given) {
                    _ = try await client.reserve(request(10)).commit(.tokens(7))
                }
            }
            await client.shutdown()
            #expect(transport.requests.map { $0.headers["traceparent"] } == [given?.description, given?.description])
            #expect(tracer.spans.finishedSpans.count == 2)
        }

        @Test func aDenialIsAnAnswerAndAFailureIsAnError() async throws {
            let (client, _) = try makeTracedClient()
            await withTracer(tracer) {
                await #expect(throws: CyclesError.self) { _ = try await client.reserve(request(5_000)).context }
                await #expect(throws: CyclesError.self) { try await client.releaseReservation("rsv_none") }
            }
            await client.shutdown()
            let spans = tracer.spans.finishedSpans
            let denied = try #require(spans.first { $0.operationName == "createReservation" })
            #expect(denied.attributes.get("cycles.denial") == .string("BUDGET_EXCEEDED"))
            #expect(denied.status == nil && denied.errors.isEmpty)
            let failed = try #require(spans.first { $0.operationName == "releaseReservation" })
            #expect(failed.attributes.get("error.type") == .string("NOT_FOUND"))
            #expect(failed.status?.code == .error && failed.errors.count == 1)
        }

        @Test func withoutATracerNoHeaderIsSent() async throws {
            let (client, transport) = try makeTracedClient()
            try await client.reserve(request(10)).commit(.tokens(7))
            await client.shutdown()
            #expect(transport.requests.map { $0.headers["traceparent"] } == [nil, nil])
        }
    }
#endif
