public import Cycles

/// Answers requests from a script instead of a network.
///
/// ```swift
/// let transport = MockTransport()
/// transport.enqueue(HTTPResponse(json: #"{"decision":"ALLOW","affected_scopes":[]}"#))
/// transport.enqueue(failure: HTTPTransportError(kind: .timedOut, message: "too slow", wasRequestSent: true))
/// transport.on(.post, "/v1/reservations/*") { request in HTTPResponse(status: 410) }
/// ```
///
/// The handler for its method and path answers a request; without a handler, the next answer in the queue. If the queue
/// is empty, the request fails. Any number of tasks and threads can use a transport at the same time. Each answer in
/// the queue is used once.
public final class MockTransport: HTTPTransport, BlockingHTTPTransport {
    /// Answers a request.
    ///
    /// Errors other than `HTTPTransportError` become an `HTTPTransportError` of kind `other`. The type has untyped
    /// throws, so that closures without a signature compile.
    public typealias Handler = @Sendable (HTTPRequest) throws -> HTTPResponse

    private struct Route: Sendable {
        var method: HTTPMethod
        var path: String
        var handler: Handler

        func matches(_ method: HTTPMethod, _ candidate: String) -> Bool {
            guard method == self.method else { return false }
            guard path.utf8.last == UInt8(ascii: "*") else { return path.utf8.elementsEqual(candidate.utf8) }
            return candidate.utf8.starts(with: path.utf8.dropLast())
        }
    }

    private struct Script {
        var routes: [Route] = []
        var answers: [Result<HTTPResponse, HTTPTransportError>] = []
        var used = 0
        var requests: [HTTPRequest] = []
        var isShutDown = false
    }

    private let script = Lock(Script())

    /// Creates a transport with an empty script.
    public init() {}

    /// Adds an answer to the end of the queue.
    public func enqueue(_ response: HTTPResponse) { script.withLock { $0.answers.append(.success(response)) } }

    /// Adds a failure to the end of the queue.
    public func enqueue(failure: HTTPTransportError) { script.withLock { $0.answers.append(.failure(failure)) } }

    /// Adds a handler for all requests with a method and path. Handlers take precedence over the queue.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The URL's path as sent, without the query. A `*` at the end matches any text, the empty one included.
    ///     Of several matching handlers, the one added last is called.
    ///   - handler: Answers the requests; may be called on several threads at once.
    public func on(_ method: HTTPMethod, _ path: String, _ handler: @escaping Handler) {
        script.withLock { $0.routes.append(Route(method: method, path: path, handler: handler)) }
    }

    /// The received requests, in order. Includes requests without an answer, but not requests refused after a shutdown
    /// or a cancellation.
    public var requests: [HTTPRequest] { script.withLock { $0.requests } }

    /// The number of unused answers in the queue.
    public var remainingAnswers: Int { script.withLock { $0.answers.count - $0.used } }

    /// Answers from the script.
    /// - Throws: `HTTPTransportError`: a failure in the script; `cancelled` if the task is cancelled; `other` if the
    ///   script has no answer or the transport was shut down.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        guard !Task.isCancelled else {
            throw HTTPTransportError(
                kind: .cancelled,
                message: "MockTransport: the task was cancelled before \(request.method) \(request.url)",
                wasRequestSent: false
            )
        }
        return try answer(request)
    }

    /// Answers from the script, ignoring cancellation.
    /// - Throws: `HTTPTransportError`: a failure in the script; `other` if the script has no answer or the transport
    ///   was shut down.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse { try answer(request) }

    /// Refuses all further requests.
    public func shutdown() async { script.withLock { $0.isShutDown = true } }

    private enum Choice: Sendable {
        case handler(Route)
        case answer(Result<HTTPResponse, HTTPTransportError>)
    }

    private func answer(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        switch choose(request) {
        // The handler runs without the lock, so that it may use the transport.
        case .handler(let route):
            do {
                return try route.handler(request)
            } catch let error as HTTPTransportError {
                throw error
            } catch {
                throw HTTPTransportError(
                    kind: .other,
                    message: "MockTransport: the handler of \(request.method) \(route.path) failed: \(error)"
                )
            }
        case .answer(let answer): return try answer.get()
        }
    }

    private func choose(_ request: HTTPRequest) -> Choice {
        let path = MockTransport.path(of: request.url)
        return script.withLock { script in
            guard !script.isShutDown else { return .answer(.failure(refusal(request, "it was shut down"))) }
            script.requests.append(request)
            if let route = script.routes.last(where: { $0.matches(request.method, path) }) { return .handler(route) }
            let count = script.answers.count
            guard script.used < count else {
                let reason =
                    "no handler matches and its script ran out (answers enqueued: \(count), used: \(script.used))"
                return .answer(.failure(refusal(request, reason)))
            }
            defer { script.used += 1 }
            return .answer(script.answers[script.used])
        }
    }

    private func refusal(_ request: HTTPRequest, _ reason: String) -> HTTPTransportError {
        HTTPTransportError(
            kind: .other,
            message: "MockTransport has no answer to \(request.method) \(request.url): \(reason)",
            wasRequestSent: false
        )
    }

    /// The path of an absolute URL, `/` if it has none.
    private static func path(of url: String) -> String {
        // The query is removed first, because it may also contain `://`.
        let bytes = url.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        var rest = bytes
        if let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) {
            rest = bytes[colon...].dropFirst(3)
        }
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return "/" }
        return String(Substring(rest[slash...]))
    }
}
