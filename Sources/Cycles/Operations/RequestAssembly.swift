/// Builds requests from operations, with the parts that all requests of a client share.
package struct RequestAssembly: Sendable {
    package let base: BaseURL
    package var credentials: Credentials
    private let connectTimeout: Duration
    private let timeout: Duration

    package init(_ configuration: CyclesConfiguration) throws(CyclesError) {
        base = try configuration.checked()
        connectTimeout = configuration.connectTimeout
        timeout = configuration.connectTimeout + configuration.readTimeout
        var userAgent = "cycles-swift/\(CyclesVersion.current)"
        if let suffix = configuration.userAgentSuffix, !suffix.isBlank { userAgent += " " + suffix }
        credentials = Credentials(
            configuration,
            publicHeaders: ["Accept": "application/json", "User-Agent": userAgent]
        )
    }

    /// Builds the request of an operation.
    package func request<Output>(
        for operation: Operation<Output>,
        options: CallOptions
    ) throws(CyclesError) -> HTTPRequest {
        var headers: HTTPHeaders
        switch operation.authentication {
        case .none: headers = credentials.publicHeaders
        case .operatorOrAPIKey where credentials.adminAPIKey != nil:
            headers = credentials.publicHeaders
            if operation.method == .post { headers.append(name: "Content-Type", value: "application/json") }
            credentials.adminAPIKey.map { headers.append(name: "X-Admin-API-Key", value: $0.value) }
        case .apiKey, .operatorOrAPIKey: headers = try credentials.headers(for: operation.method)
        }
        if let key = operation.idempotencyKey, key.fitsHeader {
            headers.append(name: "X-Idempotency-Key", value: key.rawValue)
        }
        if !options.headers.isEmpty {
            try RequestAssembly.check(options.headers)
            headers.append(contentsOf: options.headers)
        }
        var limit = timeout
        if let requested = options.timeout {
            guard requested >= .milliseconds(1), requested <= .seconds(86_400) else {
                throw RequestValidation.invalid("options.timeout", "has to be from a millisecond to a day")
            }
            limit = requested
        }
        var request = HTTPRequest(
            method: operation.method,
            url: base.prefix + operation.path,
            headers: headers,
            body: operation.body,
            connectTimeout: min(connectTimeout, limit),
            timeout: limit
        )
        request.priority = operation.priority
        return request
    }

    private static let reservedNames: Set<String> = [
        "accept", "connection", "content-length", "content-type", "expect", "host", "te", "traceparent", "trailer",
        "transfer-encoding", "upgrade", "user-agent", "x-admin-api-key", "x-cycles-api-key", "x-idempotency-key",
    ]

    private static func check(_ headers: HTTPHeaders) throws(CyclesError) {
        if let defect = headers.firstDefect {
            throw RequestValidation.invalid("options.headers[\"\(defect.name)\"]", defect.message)
        }
        for field in headers.fields where reservedNames.contains(field.name.lowercased()) {
            throw RequestValidation.invalid("options.headers[\"\(field.name)\"]", "is set by the client itself")
        }
    }
}

extension IdempotencyKey {
    /// Whether the key can be sent as a header: visible ASCII without spaces. The body carries it in any case.
    fileprivate var fitsHeader: Bool {
        var text = rawValue
        return text.withUTF8 { bytes in
            // Without an early exit, the compiler checks several bytes at once.
            var defects: UInt8 = 0
            for byte in bytes { defects |= byte &- 0x21 < 0x5e ? 0 : 1 }
            return defects == 0
        }
    }
}

/// The version of this package.
public enum CyclesVersion {
    /// The version as in the `User-Agent` header, such as `1.2.3`.
    public static let current = "0.1.0"
}
