/// One HTTP request, complete.
public struct HTTPRequest: Hashable, Sendable {
    /// The method.
    public var method: HTTPMethod
    /// The absolute URL, `http` or `https`, encoded as it is to be sent.
    public var url: String
    /// The fields.
    public var headers: HTTPHeaders
    /// The body; empty for none.
    public var body: [UInt8]
    /// The limit on connecting, more than zero.
    public var connectTimeout: Duration
    /// The limit on the whole exchange, connecting included, more than zero. The clock starts when the request
    /// is given a connection, not while it waits for its turn.
    public var timeout: Duration

    package var priority: RequestPriority = .normal

    /// A request.
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

/// One HTTP answer, complete.
public struct HTTPResponse: Hashable, Sendable {
    /// The status, such as 200.
    public var status: Int
    /// The fields.
    public var headers: HTTPHeaders
    /// The body; empty for none.
    public var body: [UInt8]

    /// An answer.
    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}
