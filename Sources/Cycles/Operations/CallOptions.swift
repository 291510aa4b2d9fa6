/// Settings of a single call.
public struct CallOptions: Hashable, Sendable {
    /// The time limit of the call, including connecting, more than zero; nil for the configured limits.
    public var timeout: Duration?
    /// Additional header fields. Fields that the client sets itself are refused.
    public var headers: HTTPHeaders

    /// Creates options. Omitted parameters are as configured.
    public init(timeout: Duration? = nil, headers: HTTPHeaders = [:]) {
        self.timeout = timeout
        self.headers = headers
    }
}
