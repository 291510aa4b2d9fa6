/// What one call does differently.
public struct CallOptions: Hashable, Sendable {
    /// How long the call may take, connecting included, more than zero; nil leaves it to the configuration.
    public var timeout: Duration?
    /// Further header fields. Those that the client sets itself cannot be given.
    public var headers: HTTPHeaders

    /// Options; whatever is left out is as configured.
    public init(timeout: Duration? = nil, headers: HTTPHeaders = [:]) {
        self.timeout = timeout
        self.headers = headers
    }
}
