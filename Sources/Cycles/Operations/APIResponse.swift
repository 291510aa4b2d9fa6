/// A successful answer: the value, and what came with it.
///
/// The members of the value can be reached directly: `response.decision` is `response.value.decision`.
@dynamicMemberLookup
public struct APIResponse<Value: Sendable>: Sendable {
    /// What the body says.
    public let value: Value
    /// The status and the header fields.
    public let http: ResponseMetadata
    /// The body as received.
    public let body: [UInt8]
    /// The idempotency key that the request carried; nil for requests that only read.
    public let idempotencyKey: IdempotencyKey?

    package init(value: Value, http: ResponseMetadata, body: [UInt8], idempotencyKey: IdempotencyKey?) {
        self.value = value
        self.http = http
        self.body = body
        self.idempotencyKey = idempotencyKey
    }

    /// A member of the value.
    @inlinable
    public subscript<Member>(dynamicMember keyPath: KeyPath<Value, Member>) -> Member { value[keyPath: keyPath] }
}

extension APIResponse: Equatable where Value: Equatable {}
extension APIResponse: Hashable where Value: Hashable {}

/// The status and header fields of an answer (specification: `components.headers`).
///
/// A field that is missing or malformed is nil, never an error.
public struct ResponseMetadata: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    /// All fields.
    public let headers: HTTPHeaders

    package init(_ response: HTTPResponse) {
        status = response.status
        headers = response.headers
    }

    /// The server's name for the request (`X-Request-Id`).
    public var requestID: String? { headers["X-Request-Id"].flatMap { $0.isBlank ? nil : $0 } }

    /// The trace that the server filed the request under (`X-Cycles-Trace-Id`): 32 lower-case hexadecimal digits.
    public var traceID: String? {
        headers["X-Cycles-Trace-Id"].flatMap { TraceContext.isIdentifier($0, length: 32) ? $0 : nil }
    }

    /// The tenant that the key belongs to (`X-Cycles-Tenant`).
    public var tenant: String? { headers["X-Cycles-Tenant"].flatMap { $0.isBlank ? nil : $0 } }

    /// How many requests are left in the present window (`X-RateLimit-Remaining`).
    public var rateLimitRemaining: Int64? { digits("X-RateLimit-Remaining") }

    /// When the window ends, in seconds since 1970 (`X-RateLimit-Reset`).
    public var rateLimitReset: Int64? { digits("X-RateLimit-Reset") }

    /// How long the server asks to wait (`Retry-After`, in whole seconds only).
    public var retryAfter: Duration? { digits("Retry-After").map { .seconds($0) } }

    /// A field of digits, with white space around them at most.
    private func digits(_ name: String) -> Int64? {
        guard let text = headers[name]?.trimmed, !text.isEmpty, text.utf8.allSatisfy({ $0 &- 0x30 < 10 }) else {
            return nil
        }
        return Int64(text)
    }
}
