/// Performs the operations of one client over its transport: one request, one answer, and what it means.
package final class OperationPerformer: Sendable {
    package let time: any TimeSource
    /// Adds the tenant of the client to its events.
    package let observer: any CyclesObserver
    private let sharedObserver: any CyclesObserver
    /// A number from 0 up to 1, another one each time.
    package let randomness: @Sendable () -> Double
    let transport: ClientTransport
    private let assembly: RequestAssembly
    /// Refuses the calls of a client that was shut down. Leases and settlements are not refused.
    package let gate: ClientGate
    /// Whether events other than warnings have a receiver.
    private let hasObserver: Bool
    /// What to look at when there is no connection.
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

    /// A performer for a client that was scoped from another.
    /// - Parameter configuration: The configuration of the client.
    /// - Parameter hasOwnKey: Whether its key is its own, instead of that of the other client.
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

    /// Performs an operation within the caller's task, which aborts it when it is cancelled.
    package func perform<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions
    ) async throws(CyclesError) -> APIResponse<Output> {
        try gate.check()
        let departure = try prepare(operation, options, trace: .current)
        let transferred = await transport.calls.transfer(departure.request)
        let attempt = finish(operation, departure, transferred, isCancelled: Task.isCancelled)
        return try attempt.result.get()
    }

    /// Performs an operation on the caller's thread.
    package func performBlocking<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions
    ) throws(CyclesError) -> APIResponse<Output> {
        try gate.check()
        let departure = try prepare(operation, options, trace: .current)
        let transferred = blocking { done in transport.calls.start(departure.request, done) }
        return try finish(operation, departure, transferred).result.get()
    }

    /// Performs an operation. `completion` is called once, from any thread, possibly before this returns.
    /// - Parameters:
    ///   - trace: The trace that the request belongs to.
    ///   - isAwaited: Whether a caller waits for it, on whose thread it is sent in a client for threads.
    package func start<Output>(
        _ operation: Operation<Output>,
        _ options: CallOptions = CallOptions(),
        trace: TraceParent,
        isAwaited: Bool = false,
        _ completion: @escaping @Sendable (Attempt<Output>) -> Void
    ) {
        let departure: Departure
        do throws(CyclesError) {
            departure = try prepare(operation, options, trace: trace)
        } catch {
            let now = time.monotonic
            completion(Attempt(result: .failure(error), sent: now, received: now, body: nil))
            return
        }
        (isAwaited ? transport.calls : transport.background).start(departure.request) { [self] transferred in
            completion(finish(operation, departure, transferred))
        }
    }

    /// Reports an event that is no warning, if the user set an observer.
    package func report(_ event: @autoclosure () -> CyclesEvent) {
        if hasObserver { observer.observe(event()) }
    }

    // MARK: Around an attempt

    /// A request that is about to be sent.
    private struct Departure {
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
    ) throws(CyclesError) -> Departure {
        var request = try assembly.request(for: operation, options: options)
        let span = trace.startSpan(operation)
        if let context = span.context { request.headers.append(name: "traceparent", value: context.description) }
        let start = time.monotonic
        guard hasObserver else { return Departure(request: request, time: start, span: span, report: nil) }
        let report = AttemptStart(
            operation: "\(operation.name)",
            idempotencyKey: operation.idempotencyKey,
            reservationID: operation.reservationID
        )
        observer.observe(.attemptStarted(report))
        return Departure(request: request, time: start, span: span, report: report)
    }

    private func finish<Output>(
        _ operation: Operation<Output>,
        _ departure: Departure,
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
        departure.span.end(result)
        if let report = departure.report {
            let answer = try? result.get().http
            let error: CyclesError? = if case .failure(let error) = result { error } else { nil }
            let end = AttemptEnd(
                attempt: report,
                duration: received - departure.time,
                status: answer?.status ?? error?.status,
                requestID: answer?.requestID ?? error?.requestID,
                traceID: answer?.traceID ?? error?.traceID,
                error: error
            )
            observer.observe(.attemptFinished(end))
        }
        return Attempt(result: result, sent: departure.time + transferred.waited, received: received, body: body)
    }

    /// An error with the operation's name and key, and with advice if the transport gave none.
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

/// The result of an operation, and when it was sent and answered.
package struct Attempt<Output: Sendable>: Sendable {
    package let result: Result<APIResponse<Output>, CyclesError>
    /// When the request had its turn.
    package let sent: Duration
    /// When its answer had been received.
    package let received: Duration
    /// The body of the answer, valid or not; nil if there was none.
    package let body: [UInt8]?
}
