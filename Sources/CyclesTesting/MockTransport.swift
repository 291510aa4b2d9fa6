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
/// A request goes to the handler for its method and path if there is one, else it takes the next answer in the queue;
/// with none left it fails with an error that says so. One object may serve many tasks and threads at once: each answer
/// in the queue is used once.
public final class MockTransport: HTTPTransport, BlockingHTTPTransport {
    /// Answers a request.
    ///
    /// It fails with ``HTTPTransportError``; any other error becomes one of kind `other`. It is not declared to throw
    /// only that, since a closure without a signature that throws would then not compile.
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

    /// A transport with an empty script.
    public init() {}

    /// Adds an answer to the end of the queue.
    public func enqueue(_ response: HTTPResponse) { script.withLock { $0.answers.append(.success(response)) } }

    /// Adds a failure to the end of the queue.
    public func enqueue(failure: HTTPTransportError) { script.withLock { $0.answers.append(.failure(failure)) } }

    /// Lets a closure answer all requests with this method and path, before the queue is looked at.
    ///
    /// - Parameters:
    ///   - method: the method.
    ///   - path: the URL's path as it is sent, without the query; a `*` at the end stands for anything, nothing
    ///     included. If several match, the one added last answers.
    ///   - handler: may be called from several threads at once.
    public func on(_ method: HTTPMethod, _ path: String, _ handler: @escaping Handler) {
        script.withLock { $0.routes.append(Route(method: method, path: path, handler: handler)) }
    }

    /// The requests in the order in which they were received; those that failed for want of an answer are among them,
    /// those refused after a shutdown or because of cancellation are not.
    public var requests: [HTTPRequest] { script.withLock { $0.requests } }

    /// How many answers in the queue have not been used.
    public var remainingAnswers: Int { script.withLock { $0.answers.count - $0.used } }

    /// Answers from the script.
    /// - Throws: ``HTTPTransportError``: what the script says; `cancelled` if the task is cancelled; `other` if the
    ///   script has run out or the transport was shut down.
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

    /// Answers from the script, whether the task is cancelled or not.
    /// - Throws: ``HTTPTransportError``: what the script says; `other` if the script has run out or the transport was
    ///   shut down.
    public func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse { try answer(request) }

    /// Refuses all further requests.
    public func shutdown() async { script.withLock { $0.isShutDown = true } }

    private enum Choice: Sendable {
        case handler(Route)
        case answer(Result<HTTPResponse, HTTPTransportError>)
    }

    private func answer(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
        switch choose(request) {
        // Outside the lock, so that a handler may use the transport.
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
        // Only `://` before the path is that of the scheme: a query may hold one, too.
        let bytes = url.utf8.prefix { $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") }
        var rest = bytes
        if let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8) {
            rest = bytes[colon...].dropFirst(3)
        }
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return "/" }
        return String(Substring(rest[slash...]))
    }
}
