/// A complete HTTP request.
public struct HTTPRequest: Hashable, Sendable {
    /// The request method.
    public var method: HTTPMethod
    /// The absolute URL, with the scheme `http` or `https`, percent-encoded as sent.
    public var url: String
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body; empty if there is none.
    public var body: [UInt8]
    /// The maximum duration of connecting, more than zero.
    public var connectTimeout: Duration
    /// The maximum duration of the exchange, including connecting; more than zero. The time in the transport's queue
    /// does not count.
    public var timeout: Duration

    package var priority: RequestPriority = .normal

    /// Creates a request.
    public init(
        method: HTTPMethod,
        url: String,
        headers: HTTPHeaders = [:],
        body: [UInt8] = [],
        connectTimeout: Duration = .seconds(2),
        timeout: Duration = .seconds(7)
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.connectTimeout = connectTimeout
        self.timeout = timeout
    }
}

/// A complete HTTP response.
public struct HTTPResponse: Hashable, Sendable {
    /// The status code, such as 200.
    public var status: Int
    /// The header fields.
    public var headers: HTTPHeaders
    /// The body; empty if there is none.
    public var body: [UInt8]

    /// Creates a response.
    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
