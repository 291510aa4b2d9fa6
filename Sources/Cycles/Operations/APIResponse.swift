/// A successful answer: the decoded value, the header fields and the body.
///
/// Members of the value are accessible directly: `response.decision` is `response.value.decision`.
@dynamicMemberLookup
public struct APIResponse<Value: Sendable>: Sendable {
    /// The decoded body.
    public let value: Value
    /// The status and the header fields.
    public let http: ResponseMetadata
    /// The body as received.
    public let body: [UInt8]
    /// The idempotency key of the request; nil for requests that only read.
    public let idempotencyKey: IdempotencyKey?

    package init(value: Value, http: ResponseMetadata, body: [UInt8], idempotencyKey: IdempotencyKey?) {
        self.value = value
        self.http = http
        self.body = body
        self.idempotencyKey = idempotencyKey
    }

    /// Returns a member of the value.
    @inlinable
    public subscript<Member>(dynamicMember keyPath: KeyPath<Value, Member>) -> Member { value[keyPath: keyPath] }
}

extension APIResponse: Equatable where Value: Equatable {}
extension APIResponse: Hashable where Value: Hashable {}

/// The status and header fields of an answer (specification: `components.headers`).
///
/// A field that is missing or malformed is nil.
public struct ResponseMetadata: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    /// All header fields.
    public let headers: HTTPHeaders

    package init(_ response: HTTPResponse) {
        status = response.status
        headers = response.headers
    }

    /// The server's identifier of the request (`X-Request-Id`).
    public var requestID: String? { headers["X-Request-Id"].flatMap { $0.isBlank ? nil : $0 } }

    /// The identifier of the trace under which the server recorded the request (`X-Cycles-Trace-Id`): 32 lower-case
    /// hexadecimal digits.
    public var traceID: String? {
        headers["X-Cycles-Trace-Id"].flatMap { TraceContext.isIdentifier($0, length: 32) ? $0 : nil }
    }

    /// The tenant of the API key (`X-Cycles-Tenant`).
    public var tenant: String? { headers["X-Cycles-Tenant"].flatMap { $0.isBlank ? nil : $0 } }

    /// The number of requests left in the present window (`X-RateLimit-Remaining`).
    public var rateLimitRemaining: Int64? { digits("X-RateLimit-Remaining") }

    /// The end of the window, in seconds since 1970 (`X-RateLimit-Reset`).
    public var rateLimitReset: Int64? { digits("X-RateLimit-Reset") }

    /// The time that the server asks to wait (`Retry-After`, in whole seconds only).
    public var retryAfter: Duration? { digits("Retry-After").map { .seconds($0) } }

    /// Returns the value of a field of digits, which white space may surround.
    private func digits(_ name: String) -> Int64? {
        guard let text = headers[name]?.trimmed, !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        return Int64(text)
    }
}
