/// Performs the operations of one client over its transport: sends one request, and interprets its answer.
package final class OperationPerformer: Sendable {
    package let time: any TimeSource
    /// Adds the tenant of the client to its events.
    package let observer: any CyclesObserver
    private let sharedObserver: any CyclesObserver
    /// Returns a random number from 0 up to 1.
    package let randomness: @Sendable () -> Double
    let transport: ClientTransport
    private let assembly: RequestAssembly
    /// Refuses the calls of a client that was shut down. Leases and settlements are not refused.
    package let gate: ClientGate
    /// Whether events other than warnings have a receiver.
    private let hasObserver: Bool
    /// Advice for errors without a connection.
    private let connectionAdvice: String

    package init(
        _ configuration: CyclesConfiguration,
        transport: ClientTransport,
        time: any TimeSource,
        randomness: @escaping @Sendable () -> Double,
        observer: any CyclesObserver
    ) throws(CyclesError) {
        assembly = try RequestAssembly(configuration)
        gate = ClientGate()
        self.transport = transport
        self.time = time
        self.randomness = randomness
        hasObserver = configuration.observer != nil
        sharedObserver = observer
        self.observer = TenantObserver.make(observer, configuration.tenant)
        connectionAdvice =
            if configuration.unixSocketPath != nil {
                "check that the server runs and listens there"
            } else if configuration.proxy != nil {
                "check the proxy and the base URL, and that both run"
            } else {
                "check the base URL, and that the server runs"
            }
    }

    /// Creates the performer of a client that was scoped from another.
    /// - Parameters:
    ///   - configuration: The configuration of the client.
    ///   - hasOwnKey: Whether the client has an API key of its own, instead of that of the other client.
    package init(
        scoping other: OperationPerformer,
        below root: ClientGate,
        _ configuration: CyclesConfiguration,
        hasOwnKey: Bool
    ) {
        var assembly = other.assembly
        if hasOwnKey {
            assembly.credentials = Credentials(configuration, publicHeaders: assembly.credentials.publicHeaders)
        }
        self.assembly = assembly
        time = other.time
        randomness = other.randomness
        transport = other.transport
        gate = ClientGate(below: root)
        sharedObserver = other.sharedObserver
        observer = TenantObserver.make(sharedObserver, configuration.tenant)
        hasObserver = other.hasObserver
        connectionAdvice = other.connectionAdvice
    }

    package var credentials: Credentials { assembly.credentials }

    package var redactor: Redactor { credentials.redactor }

    /// Performs an operation within the caller's task. Cancelling the task aborts the operation.
    package func perform<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions
    ) async throws(CyclesError) -> APIResponse<Output> {
        try gate.check()
        let pending = try prepare(operation, options, trace: .current)
        let transferred = await transport.calls.transfer(pending.request)
        let attempt = finish(operation, pending, transferred, isCancelled: Task.isCancelled)
        return try attempt.result.get()
    }

    /// Performs an operation on the caller's thread.
    package func performBlocking<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions
    ) throws(CyclesError) -> APIResponse<Output> {
        try gate.check()
        let pending = try prepare(operation, options, trace: .current)
        let transferred = blocking { done in transport.calls.start(pending.request, done) }
        return try finish(operation, pending, transferred).result.get()
    }

    /// Performs an operation. Calls `completion` once, on any thread, possibly before this method returns.
    /// - Parameters:
    ///   - trace: The trace of the request.
    ///   - isAwaited: Whether a caller waits for the operation. A client for threads then sends the request on the
    ///     caller's thread.
    package func start<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions = CallOptions(),
        trace: TraceParent,
        isAwaited: Bool = false,
        _ completion: @escaping @Sendable (Attempt<Output>) -> Void
    ) {
        let pending: PendingRequest
        do throws(CyclesError) {
            pending = try prepare(operation, options, trace: trace)
        } catch {
            let now = time.monotonic
            completion(Attempt(result: .failure(error), sent: now, received: now, body: nil))
            return
        }
        (isAwaited ? transport.calls : transport.background).start(pending.request) { [self] transferred in
            completion(finish(operation, pending, transferred))
        }
    }

    /// Reports an event below warning level, if the user set an observer.
    package func report(_ event: @autoclosure () -> CyclesEvent) {
        if hasObserver { observer.observe(event()) }
    }

    // MARK: Around an attempt

    /// A request that is about to be sent.
    private struct PendingRequest {
        let request: HTTPRequest
        let time: Duration
        let span: OperationSpan
        /// The event that the observer received; nil without an observer.
        let report: AttemptStart?
    }

    private func prepare<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions,
        trace: TraceParent
    ) throws(CyclesError) -> PendingRequest {
        var request = try assembly.request(for: operation, options: options)
        let span = trace.startSpan(operation)
        if let context = span.context { request.headers.append(name: "traceparent", value: context.description) }
        let start = time.monotonic
        guard hasObserver else { return PendingRequest(request: request, time: start, span: span, report: nil) }
        let report = AttemptStart(
            operation: "\(operation.name)",
            idempotencyKey: operation.idempotencyKey,
            reservationID: operation.reservationID
        )
        observer.observe(.attemptStarted(report))
        return PendingRequest(request: request, time: start, span: span, report: report)
    }

    private func finish<Output>(
        _ operation: Operation<Output>,
        _ pending: PendingRequest,
        _ transferred: Transferred,
        isCancelled: Bool = false
    ) -> Attempt<Output> {
        let received = time.monotonic
        let result: Result<APIResponse<Output>, CyclesError>
        var body: [UInt8]?
        switch transferred.outcome {
        case .success(let response):
            body = response.body
            result = Result { () throws(CyclesError) in try operation.interpret(response, redactor) }
        case .failure(let error) where error.kind == .cancelled && isCancelled: result = .failure(.cancelled)
        case .failure(let error): result = .failure(.transport(explained(error, operation)))
        }
        pending.span.end(result)
        if let report = pending.report {
            let answer = try? result.get().http
            let error: CyclesError? = if case .failure(let error) = result { error } else { nil }
            let end = AttemptEnd(
                attempt: report,
                duration: received - pending.time,
                status: answer?.status ?? error?.status,
                requestID: answer?.requestID ?? error?.requestID,
                traceID: answer?.traceID ?? error?.traceID,
                error: error
            )
            observer.observe(.attemptFinished(end))
        }
        return Attempt(result: result, sent: pending.time + transferred.waited, received: received, body: body)
    }

    /// Adds the operation's name and key to an error, and advice if the transport gave none.
    private func explained<Output>(_ error: HTTPTransportError, _ operation: Operation<Output>) -> HTTPTransportError {
        var error = error
        error.message = "\(operation.name): \(redactor.redact(error.message))"
        if error.kind == .connectionFailed, error.wasRequestSent == false, !error.hasAdvice {
            error.message += "; \(connectionAdvice)"
        }
        error.idempotencyKey = operation.idempotencyKey
        return error
    }
}

/// The result of an operation, with the times of the request and the answer.
package struct Attempt<Output: Sendable>: Sendable {
    package let result: Result<APIResponse<Output>, CyclesError>
    /// The time at which the request was sent, after the wait for a connection.
    package let sent: Duration
    /// The time at which the answer was received.
    package let received: Duration
    /// The body of the answer, valid or not; nil without an answer.
    package let body: [UInt8]?
}
