public import Cycles

/// Passes requests to another transport and injects faults, at random but reproducibly.
///
/// ```swift
/// let transport = FaultyTransport(authority, seed: 42, faults: .init(lostResponse: 0.1, serverError: 0.05))
/// // … a client works over it, then:
/// transport.isEnabled = false      // a calm phase, in which everything has to come to rest
/// print(transport.injected)
/// ```
///
/// The fault of the nth request depends only on the seed, the shares and n: a run with sequential requests can be
/// repeated exactly. Each request has at most one fault. No fault waits: a delay advances a ``ManualClock`` or ends in
/// a timeout.
public final class FaultyTransport: HTTPTransport, BlockingHTTPTransport {
    /// The kinds of fault.
    public enum Fault: String, Hashable, Sendable, CaseIterable {
        /// The request never arrives: `connectionFailed`, with `wasRequestSent` false.
        case lostRequest
        /// The request is handled and its answer dropped: `connectionFailed`, with `wasRequestSent` true.
        case lostResponse
        /// The connection breaks before or after the request is handled: `connectionFailed`, with `wasRequestSent` nil.
        case reset
        /// A 500 or 503, either instead of handling the request or after it.
        case serverError
        /// A 429 with code LIMIT_EXCEEDED and a `Retry-After`; the request is not handled.
        case throttled
        /// The answer's body is cut off at a random place.
        case truncated
        /// The answer's body is not JSON, or contains a byte that JSON forbids.
        ///
        /// A client can always detect the damage; a changed digit would be undetectable.
        case malformed
        /// The answer is delayed. If the delay reaches the request's timeout: `timedOut`, with `wasRequestSent` true.
        case delayed
    }

    /// The share of requests that have each fault, 0 to 1.
    ///
    /// If the shares add up to more than 1, those declared last are reduced. Values outside 0 to 1 are clamped; NaN
    /// counts as 0.
    public struct Faults: Hashable, Sendable {
        /// The share of requests that never arrive.
        public var lostRequest: Double
        /// The share of requests whose answer is dropped.
        public var lostResponse: Double
        /// The share of requests whose connection breaks.
        public var reset: Double
        /// The share of requests answered with a 500 or 503.
        public var serverError: Double
        /// The share of requests answered with a 429.
        public var throttled: Double
        /// The share of requests whose answer is cut off. Answers with an empty body are passed on.
        public var truncated: Double
        /// The share of requests whose answer is damaged.
        public var malformed: Double
        /// The share of requests whose answer comes late.
        public var delayed: Double
        /// The `Retry-After` of a 429, rounded up to whole seconds.
        public var retryAfter: Duration
        /// The delay of an answer, by which the transport's clock is advanced. A delay that reaches the request's
        /// timeout ends in `timedOut`. Without a clock, every delay does.
        public var delay: Duration

        /// Creates shares; the defaults are zero.
        public init(
            lostRequest: Double = 0,
            lostResponse: Double = 0,
            reset: Double = 0,
            serverError: Double = 0,
            throttled: Double = 0,
            truncated: Double = 0,
            malformed: Double = 0,
            delayed: Double = 0,
            retryAfter: Duration = .seconds(1),
            delay: Duration = .seconds(1)
        ) {
            self.lostRequest = lostRequest
            self.lostResponse = lostResponse
            self.reset = reset
            self.serverError = serverError
            self.throttled = throttled
            self.truncated = truncated
            self.malformed = malformed
            self.delayed = delayed
            self.retryAfter = retryAfter
            self.delay = delay
        }

        /// The share of a fault, 0 to 1.
        fileprivate func share(of fault: Fault) -> Double {
            let share =
                switch fault {
                case .lostRequest: lostRequest
                case .lostResponse: lostResponse
                case .reset: reset
                case .serverError: serverError
                case .throttled: throttled
                case .truncated: truncated
                case .malformed: malformed
                case .delayed: delayed
                }
            return share.isNaN ? 0 : min(1, max(0, share))
        }

        /// The fault for a random number from 0 up to 1; nil for none.
        fileprivate func fault(at point: Double) -> Fault? {
            var end = 0.0
            for fault in Fault.allCases {
                end += share(of: fault)
                if point < end { return fault }
            }
            return nil
        }
    }

    /// The random choices for one request.
    private struct Plan {
        var ordinal: Int
        var fault: Fault?
        /// Selects between the forms of a fault.
        var choice: UInt64
        /// Selects a place in the body.
        var place: UInt64
    }

    private struct State {
        var isEnabled = true
        var generator: SplitMix64
        var ordinal = 0
        var injected: [Fault: Int] = [:]
    }

    private let inner: any HTTPTransport & BlockingHTTPTransport
    private let faults: Faults
    private let clock: ManualClock?
    private let state: Lock<State>

    /// Creates a transport in front of another one.
    ///
    /// - Parameters:
    ///   - inner: The transport that handles the requests.
    ///   - seed: The seed of the random choices.
    ///   - faults: The share of each fault.
    ///   - clock: The clock to advance by delays; nil makes each delay a timeout.
    public init(
        _ inner: any HTTPTransport & BlockingHTTPTransport,
        seed: UInt64,
        faults: Faults = Faults(),
        clock: ManualClock? = nil
    ) {
        self.inner = inner
        self.faults = faults
        self.clock = clock
        state = Lock(State(generator: SplitMix64(seed: seed)))
    }

    /// Whether faults are injected; initially true. While false, requests are passed on unchanged and use no random
    /// numbers.
    public var isEnabled: Bool {
        get { state.withLock { $0.isEnabled } }
        set { state.withLock { $0.isEnabled = newValue } }
    }

    /// The number of injected faults of each kind. Kinds without a fault are absent.
    public var injected: [Fault: Int] { state.withLock { $0.injected } }

    /// Passes a request to the inner transport, or injects a fault.
    /// - Throws: `HTTPTransportError` of the fault or of the inner transport; `cancelled` if the task is cancelled.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        guard !Task.isCancelled else {
            throw HTTPTransportError(
                kind: .cancelled,
                message: "FaultyTransport: the task was cancelled before \(request.method) \(request.url)",
                wasRequestSent: false
            )
        }
        let plan = nextPlan()
        if let outcome = before(request, plan) { return try outcome.get() }
        return try after(request, plan, try await inner.send(request)).get()
    }

    /// Passes a request to the inner transport, or injects a fault.
    /// - Throws: `HTTPTransportError` of the fault or of the inner transport.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        let plan = nextPlan()
        if let outcome = before(request, plan) { return try outcome.get() }
        return try after(request, plan, try inner.send(request)).get()
    }

    /// Shuts the inner transport down.
    public func shutdown() async { await inner.shutdown() }

    private func nextPlan() -> Plan {
        state.withLock { state in
            guard state.isEnabled else { return Plan(ordinal: state.ordinal, fault: nil, choice: 0, place: 0) }
            state.ordinal += 1
            // Every request draws the same number of values. A changed share therefore does not change the random
            // numbers of later requests.
            let point = Double(state.generator.next() >> 11) * 0x1p-53
            return Plan(
                ordinal: state.ordinal,
                fault: faults.fault(at: point),
                choice: state.generator.next(),
                place: state.generator.next()
            )
        }
    }

    private func note(_ fault: Fault) { state.withLock { $0.injected[fault, default: 0] += 1 } }

    // MARK: Injecting

    /// The outcome of a request that the inner transport never receives; nil if it receives it.
    private func before(_ request: HTTPRequest, _ plan: Plan) -> Result<HTTPResponse, HTTPTransportError>? {
        switch plan.fault {
        case .lostRequest:
            note(.lostRequest)
            return failure(.connectionFailed, "the request was lost", request, wasRequestSent: false)
        case .reset where !isAfter(plan):
            note(.reset)
            return failure(.connectionFailed, "the connection was reset", request, wasRequestSent: nil)
        case .serverError where !isAfter(plan):
            note(.serverError)
            return .success(serverError(plan))
        case .throttled:
            note(.throttled)
            var response = error("LIMIT_EXCEEDED", status: 429, plan)
            response.headers.append(name: "Retry-After", value: String(wholeSeconds(faults.retryAfter)))
            return .success(response)
        case .delayed where !isAfter(plan):
            clock?.advance(by: min(faults.delay, request.timeout))
            return nil
        default: return nil
        }
    }

    /// The outcome of a request that the inner transport has answered.
    private func after(
        _ request: HTTPRequest,
        _ plan: Plan,
        _ response: HTTPResponse
    ) -> Result<HTTPResponse, HTTPTransportError> {
        switch plan.fault {
        case .lostResponse:
            note(.lostResponse)
            return failure(.connectionFailed, "the answer was lost", request, wasRequestSent: true)
        case .reset:
            note(.reset)
            return failure(.connectionFailed, "the connection was reset", request, wasRequestSent: nil)
        case .serverError:
            note(.serverError)
            return .success(serverError(plan))
        case .truncated:
            guard !response.body.isEmpty else { return .success(response) }
            note(.truncated)
            let length = Int(plan.place % UInt64(response.body.count))
            return .success(replacing(response, Array(response.body[..<length])))
        case .malformed:
            note(.malformed)
            return .success(replacing(response, malformed(response.body, plan)))
        case .delayed:
            note(.delayed)
            if isAfter(plan) { clock?.advance(by: min(faults.delay, request.timeout)) }
            if clock != nil && faults.delay < request.timeout { return .success(response) }
            return failure(.timedOut, "the answer came too late", request, wasRequestSent: true)
        case .lostRequest, .throttled, nil:
            return .success(response)
        }
    }

    /// Whether a fault with two forms is injected after the request is handled.
    private func isAfter(_ plan: Plan) -> Bool { plan.choice & 1 == 1 }

    private func failure(
        _ kind: HTTPTransportError.Kind,
        _ reason: String,
        _ request: HTTPRequest,
        wasRequestSent: Bool?
    ) -> Result<HTTPResponse, HTTPTransportError> {
        let message = "FaultyTransport: \(reason), \(request.method) \(request.url)"
        return .failure(HTTPTransportError(kind: kind, message: message, wasRequestSent: wasRequestSent))
    }

    private func serverError(_ plan: Plan) -> HTTPResponse {
        error("INTERNAL_ERROR", status: plan.choice & 2 == 0 ? 500 : 503, plan)
    }

    /// An error answer of the protocol; its request id contains the request's ordinal.
    private func error(_ code: String, status: Int, _ plan: Plan) -> HTTPResponse {
        let requestID = "fault-\(plan.ordinal)"
        return HTTPResponse(
            status: status,
            headers: ["X-Request-Id": requestID],
            json: #"{"error":"\#(code)","message":"Injected by FaultyTransport.","request_id":"\#(requestID)"}"#
        )
    }

    private func replacing(_ response: HTTPResponse, _ body: [UInt8]) -> HTTPResponse {
        var response = response
        response.body = body
        // The field has the length of the original body.
        response.headers.remove(name: "Content-Length")
        return response
    }

    private func malformed(_ body: [UInt8], _ plan: Plan) -> [UInt8] {
        guard !body.isEmpty, plan.choice & 1 == 0 else { return Array("<html><body>Bad Gateway</body></html>".utf8) }
        var body = body
        // JSON forbids these control characters everywhere.
        body[Int(plan.place % UInt64(body.count))] = UInt8(plan.choice >> 8 & 7)
        return body
    }

    private func wholeSeconds(_ span: Duration) -> Int64 {
        let (seconds, attoseconds) = max(.zero, span).components
        return seconds + (attoseconds > 0 ? 1 : 0)
    }
}

/// A small random number generator with the same sequence on all platforms (Steele, Lea and Flood 2014).
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
