/// Performs operations over a transport: one request, one answer, and what it means.
package struct OperationPerformer: Sendable {
    private let assembly: RequestAssembly
    package var redactor: Redactor { assembly.credentials.redactor }
    private let time: any TimeSource
    package let observer: any CyclesObserver
    /// Whether attempts are reported at all: warnings alone need none of that.
    private let reportsAttempts: Bool
    /// What to look at when there is no connection.
    private let connectionAdvice: String

    package init(_ configuration: CyclesConfiguration, assembly: RequestAssembly, time: any TimeSource) {
        self.assembly = assembly
        self.time = time
        reportsAttempts = configuration.observer != nil
        observer = configuration.observer ?? StandardErrorReporter()
        connectionAdvice =
            if configuration.unixSocketPath != nil {
                "check that the server runs and listens there"
            } else if configuration.proxy != nil {
                "check the proxy and the base URL, and that both run"
            } else {
                "check the base URL, and that the server runs"
            }
    }

    /// Uses another API key from now on.
    package func rotate(to apiKey: String) { assembly.credentials.rotate(to: apiKey) }

    /// Performs an operation within the caller's task, which aborts it when it is cancelled.
    package func perform<Output>(
        _ operation: Operation<Output>,
        options: CallOptions,
        over transport: any HTTPTransport
    ) async throws(CyclesError) -> APIResponse<Output> {
        let request = try assembly.request(for: operation, options: options)
        let report = begin(operation)
        let outcome: Result<HTTPResponse, HTTPTransportError>
        do throws(HTTPTransportError) {
            outcome = .success(try await transport.send(request))
        } catch {
            outcome = .failure(error)
        }
        return try finish(operation, outcome, report).get()
    }

    /// Performs an operation on the caller's thread.
    package func perform<Output>(
        _ operation: Operation<Output>,
        options: CallOptions,
        over transport: any BlockingHTTPTransport
    ) throws(CyclesError) -> APIResponse<Output> {
        let request = try assembly.request(for: operation, options: options)
        let report = begin(operation)
        let outcome = Result { () throws(HTTPTransportError) in try transport.send(request) }
        return try finish(operation, outcome, report).get()
    }

    /// Performs an operation on the caller's thread, and says when.
    package func attempt<Output>(
        _ operation: Operation<Output>,
        over transport: any BlockingHTTPTransport
    ) -> Attempt<Output> {
        let finished = WaitableLock<Attempt<Output>?>(nil)
        start(operation, trace: TraceContext.current, over: InlineCallbackTransport(transport)) {
            attempt in finished.withLock { $0 = attempt }
        }
        return finished.wait { $0 }
    }

    /// Performs an operation that no task waits for. `completion` is called once, from any thread, possibly before this
    /// returns.
    /// - Parameters:
    ///   - timeout: How long the exchange may take once it has its turn; nil means as configured.
    ///   - trace: The trace that the request belongs to.
    package func start<Output>(
        _ operation: Operation<Output>,
        timeout: Duration? = nil,
        trace: TraceContext?,
        over transport: any CallbackTransport,
        _ completion: @escaping @Sendable (Attempt<Output>) -> Void
    ) {
        var options = CallOptions()
        options.timeout = timeout
        let request: HTTPRequest
        do throws(CyclesError) {
            request = try assembly.request(for: operation, options: options, trace: trace)
        } catch {
            let now = time.monotonic
            completion(Attempt(result: .failure(error), sent: now, received: now, body: nil))
            return
        }
        let exchange = OperationExchange(operation, performer: self, report: begin(operation), completion)
        transport.start(request, exchange)
    }

    // MARK: Around an attempt

    fileprivate struct AttemptReport {
        let start: AttemptStart
        let began: Duration
    }

    private func begin<Output>(_ operation: Operation<Output>) -> AttemptReport? {
        guard reportsAttempts else { return nil }
        let start = AttemptStart(
            operation: "\(operation.name)",
            idempotencyKey: operation.idempotencyKey,
            reservationID: operation.reservationID
        )
        observer.observe(.attemptStarted(start))
        return AttemptReport(start: start, began: time.monotonic)
    }

    fileprivate func finish<Output>(
        _ operation: Operation<Output>,
        _ outcome: Result<HTTPResponse, HTTPTransportError>,
        _ report: AttemptReport?
    ) -> Result<APIResponse<Output>, CyclesError> {
        let result: Result<APIResponse<Output>, CyclesError>
        switch outcome {
        case .success(let response):
            result = Result { () throws(CyclesError) in try operation.interpret(response, redactor) }
        case .failure(let error): result = .failure(failure(error, operation))
        }
        if let report {
            let (success, error): (APIResponse<Output>?, CyclesError?) =
                switch result {
                case .success(let response): (response, nil)
                case .failure(let error): (nil, error)
                }
            let end = AttemptEnd(
                attempt: report.start,
                duration: time.monotonic - report.began,
                status: success?.http.status ?? error?.status,
                requestID: success?.http.requestID ?? error?.requestID,
                traceID: success?.http.traceID ?? error?.traceID,
                error: error
            )
            observer.observe(.attemptFinished(end))
        }
        return result
    }

    fileprivate var now: Duration { time.monotonic }

    private func failure<Output>(_ error: HTTPTransportError, _ operation: Operation<Output>) -> CyclesError {
        if error.kind == .cancelled, Task.isCancelled { return .cancelled }
        var error = error
        error.message = "\(operation.name): \(redactor.redact(error.message))"
        if error.kind == .connectionFailed, error.wasRequestSent == false, !error.hasAdvice {
            error.message += "; \(connectionAdvice)"
        }
        error.idempotencyKey = operation.idempotencyKey
        return .transport(error)
    }
}

/// What came of an operation that no task waits for, and when it was sent and answered.
package struct Attempt<Output: Sendable>: Sendable {
    package let result: Result<APIResponse<Output>, CyclesError>
    /// When the request had its turn.
    package let sent: Duration
    /// When its answer had been received.
    package let received: Duration
    /// The body of the answer, valid or not; nil if there was none.
    package let body: [UInt8]?
}

/// An operation on its way. Its two calls come one after the other, so that nothing is touched by two threads at once.
private final class OperationExchange<Output: Sendable>: Exchange, @unchecked Sendable {
    private let operation: Operation<Output>
    private let performer: OperationPerformer
    private let report: OperationPerformer.AttemptReport?
    private let completion: @Sendable (Attempt<Output>) -> Void
    private var sent: Duration?

    init(
        _ operation: Operation<Output>,
        performer: OperationPerformer,
        report: OperationPerformer.AttemptReport?,
        _ completion: @escaping @Sendable (Attempt<Output>) -> Void
    ) {
        self.operation = operation
        self.performer = performer
        self.report = report
        self.completion = completion
    }

    func didStart() { sent = performer.now }

    func didFinish(_ outcome: Result<HTTPResponse, HTTPTransportError>) {
        let received = performer.now
        let result = performer.finish(operation, outcome, report)
        let body = (try? outcome.get())?.body
        completion(Attempt(result: result, sent: sent ?? received, received: received, body: body))
    }
}
