import CoreMetrics
import Cycles
import Hummingbird
import Logging

/// A service that streams a model's answers and charges each tenant for its tokens.
///
/// `CYCLES_BASE_URL` is the budget authority, `TENANTS` lists `tenant=key` pairs, separated by commas, and `PORT` is the
/// port on 127.0.0.1.
@main struct Server {
    static func main() async throws {
        let environment = Environment()
        let logger = Logger(label: "server")
        let totals = Totals()
        let metrics = TextMetrics()
        MetricsSystem.bootstrap(metrics)

        var configuration = try CyclesConfiguration.fromEnvironment(requiresAPIKey: false)
        configuration.observer = Observers([LoggingObserver(logger: logger), MetricsObserver(), totals])
        let client = try CyclesClient(configuration: configuration)

        // One client for each tenant, with the tenant's own key. They share the connections and threads of `client`.
        var tenants: [String: CyclesClient] = [:]
        for pair in (environment.get("TENANTS") ?? "").split(separator: ",") {
            let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { continue }
            tenants[parts[0]] = try client.scoped(to: Subject(tenant: parts[0], app: "answers"), apiKey: parts[1])
        }

        var application = Application(
            router: router(tenants, metrics),
            configuration: .init(address: .hostname("127.0.0.1", port: environment.get("PORT", as: Int.self) ?? 8080)),
            logger: logger
        )
        // The services end in reverse order: first the server, then the client, whose settlements finish before the
        // process ends.
        application.addServices(client)
        try await application.runService()
        print("settled \(totals.charged) tokens")
    }

    static func router(_ tenants: [String: CyclesClient], _ metrics: TextMetrics) -> Router<BasicRequestContext> {
        let router = Router()
        router.addMiddleware { TraceParent() }
        router.get("metrics") { _, _ in metrics.text }
        router.post("answers/:tenant") { request, context in
            guard let client = try tenants[context.parameters.require("tenant")] else { throw HTTPError(.notFound) }
            let prompt = try await String(buffer: request.body.collect(upTo: 65_536))
            return try await answer(prompt, for: client)
        }
        return router
    }

    /// Streams the answer to a prompt. The reservation precedes the head of the response, so that a denial gets its own
    /// status.
    static func answer(_ prompt: String, for client: CyclesClient) async throws -> Response {
        let model = Model()
        let work = ReservationCreateRequest(
            action: Action(kind: "llm.completion", name: "fake-model"),
            estimate: .tokens(model.tokens(in: prompt) + model.longestAnswer)
        )
        let reservation: ReservationGuard
        do {
            reservation = try await client.reserve(work)
        } catch CyclesError.denied(let denial) {
            let paymentRequired = HTTPResponse.Status(code: 402, reasonPhrase: "Payment Required")
            return refusal(paymentRequired, "\(denial)", retryAfter: denial.retryAfter)
        } catch {
            guard error.isRetryable else { throw error }
            let isLimited = error.errorCode == .limitExceeded
            let status: HTTPResponse.Status = isLimited ? .tooManyRequests : .serviceUnavailable
            return refusal(status, "\(error)", retryAfter: error.retryAfter)
        }
        // Charges the prompt and every token that the reader received, even if the reader leaves early.
        reservation.setSpend(.tokens(model.tokens(in: prompt)))
        let stream = reservation.metering(model.answer(to: prompt)) {
            $0.usage.map { .total(.tokens($0)) } ?? .added(.tokens(1))
        }
        return Response(status: .ok, body: ResponseBody(asyncSequence: stream.map { ByteBuffer(string: $0.text) }))
    }

    private static func refusal(_ status: HTTPResponse.Status, _ text: String, retryAfter: Duration?) -> Response {
        var headers = HTTPFields()
        if let retryAfter { headers[.retryAfter] = "\(max(1, retryAfter.components.seconds))" }
        return Response(
            status: status,
            headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n"))
        )
    }
}

/// Continues the caller's trace, so that the budget authority records its requests under the same trace.
struct TraceParent<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        let trace = request.headers[.init("traceparent")!].flatMap { TraceContext(parsing: $0) }
        return try await TraceContext.$current.withValue(trace) { try await next(request, context) }
    }
}
