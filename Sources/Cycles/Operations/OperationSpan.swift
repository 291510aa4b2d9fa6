#if Tracing
    internal import Tracing

    /// The parent of a call's spans. Captured when the call begins, since its background work runs outside the caller's
    /// task.
    package struct TraceParent: Sendable {
        private let given: TraceContext?
        private let service: ServiceContext?

        package static let none = TraceParent(given: nil, service: nil)

        /// The parent in the task-local values of the current task.
        package static var current: TraceParent { TraceParent(given: .current, service: .current) }

        /// Returns this parent, with missing values taken from another parent.
        func completed(with other: TraceParent) -> TraceParent {
            TraceParent(given: given ?? other.given, service: service ?? other.service)
        }

        /// Starts the span of a request.
        func startSpan<Output>(_ operation: Operation<Output>) -> OperationSpan {
            let context = service ?? .topLevel
            let span = InstrumentationSystem.tracer.startSpan("\(operation.name)", context: context, ofKind: .client)
            if span.isRecording {
                span.attributes["cycles.idempotency_key"] = operation.idempotencyKey?.rawValue
                span.attributes["cycles.reservation_id"] = operation.reservationID?.rawValue
            }
            return OperationSpan(span: span, given: given)
        }
    }

    /// The span of one request.
    struct OperationSpan {
        private struct Fields: Injector {
            func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
                carrier[key.lowercased()] = value
            }
        }

        fileprivate let span: any Span
        fileprivate let given: TraceContext?

        /// The context that the request carries: the user's, or else the context that the instrument injects for the
        /// span.
        var context: TraceContext? {
            if let given { return given }
            var fields: [String: String] = [:]
            InstrumentationSystem.instrument.inject(span.context, into: &fields, using: Fields())
            return fields["traceparent"].flatMap(TraceContext.init(parsing:))
        }

        /// Ends the span with the outcome of the request. A denial is an answer rather than an error.
        func end<Output>(_ result: Result<APIResponse<Output>, CyclesError>) {
            if span.isRecording {
                switch result {
                case .success(let response): note(response.http.status, response.http.requestID)
                case .failure(.denied(let denial)):
                    note(denial.status, denial.requestID)
                    span.attributes["cycles.denial"] = denial.reason.rawValue
                case .failure(let error):
                    note(error.status, error.requestID)
                    span.attributes["error.type"] = error.label
                    span.recordError(error)
                    span.setStatus(SpanStatus(code: .error, message: "\(error)"))
                }
            }
            span.end()
        }

        private func note(_ status: Int?, _ requestID: String?) {
            span.attributes["http.response.status_code"] = status
            span.attributes["cycles.request_id"] = requestID
        }
    }
#else
    /// The trace of a call. Captured when the call begins, since its background work runs outside the caller's task.
    package struct TraceParent: Sendable {
        private let given: TraceContext?

        package static let none = TraceParent(given: nil)

        /// The trace of the current task.
        package static var current: TraceParent { TraceParent(given: .current) }

        /// Returns this trace, or another trace if there is none.
        func completed(with other: TraceParent) -> TraceParent { given == nil ? other : self }

        func startSpan<Output>(_ operation: Operation<Output>) -> OperationSpan { OperationSpan(context: given) }
    }

    /// The trace of one request. Spans need the package trait `Tracing`.
    struct OperationSpan {
        let context: TraceContext?

        func end<Output>(_ result: Result<APIResponse<Output>, CyclesError>) {}
    }
#endif
