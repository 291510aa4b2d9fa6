public import Cycles

/// Passes requests on to another transport and lets some of them go wrong, by chance but repeatably.
///
/// ```swift
/// let transport = FaultyTransport(authority, seed: 42, faults: .init(lostResponse: 0.1, serverError: 0.05))
/// // … a client works over it, then:
/// transport.isEnabled = false      // a calm phase, in which everything has to come to rest
/// print(transport.injected)
/// ```
///
/// What happens to the nth request depends on the seed, the shares and n alone: with requests one after the other a
/// run can be repeated exactly. At most one fault happens to a request. Nothing here waits: a delay moves a
/// ``ManualClock`` or ends in a timeout.
public final class FaultyTransport: HTTPTransport, BlockingHTTPTransport {
    /// What can go wrong with a request.
    public enum Fault: String, Hashable, Sendable, CaseIterable {
        /// The request never arrives: `connectionFailed`, known not to be sent.
        case lostRequest
        /// The request is handled and its answer dropped: `connectionFailed`, known to be sent.
        case lostResponse
        /// The connection breaks before the request is handled, or after it: `connectionFailed`, not known to be sent.
        case reset
        /// A 500 or 503, instead of the request being handled or after it was.
        case serverError
        /// A 429 with code LIMIT_EXCEEDED and a `Retry-After`; the request is not handled.
        case throttled
        /// The answer's body is cut off somewhere.
        case truncated
        /// The answer's body is no JSON, or has a byte in it that no JSON may hold.
        ///
        /// The damage can always be told: an answer with another digit in it would be one that no client can doubt.
        case malformed
        /// The answer comes late, or too late: `timedOut`, known to be sent.
        case delayed
    }

    /// How large the share of requests is that each fault happens to, 0 to 1.
    ///
    /// Shares that add up to more than 1 leave less for those further down. What lies outside 0 to 1 counts as its
    /// nearer end, and a share that is not a number as 0.
    public struct Faults: Hashable, Sendable {
        /// The share of requests that never arrive.
        public var lostRequest: Double
        /// The share of requests whose answer is dropped.
        public var lostResponse: Double
        /// The share of requests whose connection breaks.
        public var reset: Double
        /// The share of requests answered 500 or 503.
        public var serverError: Double
        /// The share of requests answered 429.
        public var throttled: Double
        /// The share of requests whose answer is cut off. An empty body cannot be, and passes.
        public var truncated: Double
        /// The share of requests whose answer is damaged.
        public var malformed: Double
        /// The share of requests whose answer comes late.
        public var delayed: Double
        /// What a 429 asks for in `Retry-After`, rounded up to whole seconds.
        public var retryAfter: Duration
        /// How late an answer comes. With a clock given to the transport, the clock moves on by it; an answer that is
        /// later than the request's timeout makes a `timedOut`. Without a clock every delay is too long.
        public var delay: Duration

        /// Faults; what is left out does not happen.
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

        /// The fault that a number from 0 up to 1 stands for; nil if none.
        fileprivate func fault(at point: Double) -> Fault? {
            var end = 0.0
            for fault in Fault.allCases {
                end += share(of: fault)
                if point < end { return fault }
            }
            return nil
        }
    }

    /// What is to happen to one request.
    private struct Plan {
        var ordinal: Int
        var fault: Fault?
        /// Chooses between the forms of a fault.
        var choice: UInt64
        /// Chooses a place in the body.
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

    /// A transport in front of another one.
    ///
    /// - Parameters:
    ///   - inner: what handles the requests that arrive.
    ///   - seed: decides, with the shares, what happens to which request.
    ///   - faults: how often what goes wrong.
    ///   - clock: moved on by delays; nil makes each delay a timeout.
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

    /// Whether faults happen; true at first. While it is false, everything is passed on as it is and no chance is
    /// used up.
    public var isEnabled: Bool {
        get { state.withLock { $0.isEnabled } }
        set { state.withLock { $0.isEnabled = newValue } }
    }

    /// How often each fault has happened so far; one that has not is not there.
    public var injected: [Fault: Int] { state.withLock { $0.injected } }

    /// Passes a request on, unless it goes wrong.
    /// - Throws: ``HTTPTransportError``: that of the fault, or of the inner transport; `cancelled` if the task is
    ///   cancelled.
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

    /// Passes a request on, unless it goes wrong.
    /// - Throws: ``HTTPTransportError``: that of the fault, or of the inner transport.
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
            // The same number of draws for every request, so that another share changes what happens to one request
            // and does not shift the chances of all that follow.
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

    // MARK: What happens

    /// What comes of a request that the inner transport never sees; nil if it is to see it.
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

    /// What comes of a request that the inner transport answered.
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

    /// Whether a fault that may strike on either side of the handling strikes after it.
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

    /// An error as the protocol has it, with a request id that tells the request's place.
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
        // It would tell the length of the body that was there.
        response.headers.remove(name: "Content-Length")
        return response
    }

    private func malformed(_ body: [UInt8], _ plan: Plan) -> [UInt8] {
        guard !body.isEmpty, plan.choice & 1 == 0 else { return Array("<html><body>Bad Gateway</body></html>".utf8) }
        var body = body
        // No control character but white space may stand in JSON, neither inside strings nor outside.
        body[Int(plan.place % UInt64(body.count))] = UInt8(plan.choice >> 8 & 7)
        return body
    }

    private func wholeSeconds(_ span: Duration) -> Int64 {
        let (seconds, attoseconds) = max(.zero, span).components
        return seconds + (attoseconds > 0 ? 1 : 0)
    }
}

/// A generator of random numbers that is fast, small and the same everywhere for a seed (Steele, Lea and Flood 2014).
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
