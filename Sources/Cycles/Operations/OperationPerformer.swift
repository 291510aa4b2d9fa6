/// Performs operations over a transport: one request, one answer, and what it means.
package struct OperationPerformer: Sendable {
    private let assembly: RequestAssembly
    private let transport: any HTTPTransport
    private let redactor: Redactor

    package init(
        assembly: RequestAssembly,
        transport: any HTTPTransport,
        redactor: Redactor
    ) {
        self.assembly = assembly
        self.transport = transport
        self.redactor = redactor
    }

    package func perform<Output>(
        _ operation: Operation<Output>,
        options: CallOptions
    ) async throws(CyclesError) -> APIResponse<Output> {
        let request = try assembly.request(for: operation, options: options)
        let response: HTTPResponse
        do throws(HTTPTransportError) {
            response = try await transport.send(request)
        } catch {
            throw failure(error, operation.idempotencyKey)
        }
        return try operation.interpret(response, redactor)
    }

    private func failure(_ error: HTTPTransportError, _ key: IdempotencyKey?) -> CyclesError {
        if error.kind == .cancelled, Task.isCancelled { return .cancelled }
        var error = error
        error.message = redactor.redact(error.message)
        error.idempotencyKey = key
        return .transport(error)
    }
}
