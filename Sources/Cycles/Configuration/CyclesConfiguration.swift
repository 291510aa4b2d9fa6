/// The settings of a client.
///
/// Printing, dumping or reflecting a configuration shows neither the API keys nor the password of a proxy.
public struct CyclesConfiguration: Sendable {
    /// The server's URL: `http` or `https`, a host, and an optional port and path prefix. User information, a query and
    /// a fragment are refused.
    public var baseURL: String
    /// The key that authenticates the client (`X-Cycles-API-Key`).
    public var apiKey: String {
        get { storedAPIKey.value }
        set { storedAPIKey = Secret(newValue) }
    }
    /// Whether ``apiKey`` is required; by default true. Without a key, a client refuses calls that need one with
    /// ``CyclesError/configuration(_:)``. It can still create clients that have keys:
    /// ``CyclesClient/scoped(to:apiKey:)``.
    public var requiresAPIKey = true
    /// The default tenant of subjects.
    public var tenant: String?
    /// The default workspace of subjects.
    public var workspace: String?
    /// The default app of subjects.
    public var app: String?
    /// The default workflow of subjects.
    public var workflow: String?
    /// The default agent of subjects.
    public var agent: String?
    /// The default toolset of subjects.
    public var toolset: String?
    /// An operator's key (`X-Admin-API-Key`), used instead of the API key by
    /// ``CyclesClient/listReservations(_:options:)``, ``CyclesClient/getReservation(_:options:)`` and
    /// ``CyclesClient/releaseReservation(_:_:options:)`` only.
    public var adminAPIKey: String? {
        get { storedAdminAPIKey?.value }
        set { storedAdminAPIKey = newValue.map(Secret.init) }
    }
    /// The time limit for connecting, including name resolution and TLS: 1 millisecond to 1 day, by default 2 seconds.
    public var connectTimeout: Duration = .seconds(2)
    /// The time limit for the exchange after connecting: 1 millisecond to 1 day, by default 5 seconds. One attempt
    /// takes at most ``connectTimeout`` and `readTimeout` together.
    public var readTimeout: Duration = .seconds(5)
    /// The policy for failed attempts to settle or release.
    public var retry = RetryPolicy()
    /// The location of the settlement journal.
    public var journal: JournalConfiguration = .automatic
    /// The policy for leases that cannot be extended.
    public var heartbeat: HeartbeatPolicy = .warn
    /// The TLS settings; for `https` URLs only.
    public var tls = TLSOptions()
    /// The URL of a proxy, such as `http://user:password@proxy:3128`. Nil means no proxy; environment variables such as
    /// `https_proxy` are ignored.
    public var proxy: String? {
        get { storedProxy?.value }
        set { storedProxy = newValue.map(Secret.init) }
    }
    /// The path of a Unix socket to connect to instead of the host, at most 103 bytes. The `Host` header and TLS still
    /// use the host of ``baseURL``.
    public var unixSocketPath: String?
    /// The maximum number of concurrent requests, and so of connections: 1 to 10 000, by default 64. Further requests
    /// wait in a queue; their time limits start when they leave it.
    ///
    /// Leases and settlements have additional connections: an eighth of this number each, at least 1 and at most 8.
    /// Leases are extended and settlements are sent even while all other connections hang. With `maxConnections = 1`, a
    /// client has up to 3 connections to a server that does not answer in time, and 1 if requests follow one another.
    /// Asynchronous and blocking calls are counted separately. The limit does not apply to a custom transport.
    public var maxConnections = 64
    /// The maximum size of an answer in bytes, at least 1; by default 8 MiB.
    public var maxResponseBytes = 8 * 1_024 * 1_024
    /// Text to append to the `User-Agent` header, such as `billing-agent/2.1`.
    public var userAgentSuffix: String?
    /// The receiver of the client's events; nil writes warnings to standard error.
    public var observer: (any CyclesObserver)?

    private var storedAPIKey: Secret
    private var storedAdminAPIKey: Secret?
    private var storedProxy: Secret?

    /// Creates a configuration with the defaults. Settings are checked when a client is created.
    public init(baseURL: String, apiKey: String) {
        self.baseURL = baseURL
        storedAPIKey = Secret(apiKey)
    }

    /// The values that must not appear in any text.
    package var secrets: [String?] { [apiKey, adminAPIKey, proxyPassword] }

    private var proxyPassword: String? {
        guard let proxy, let userInformation = CyclesConfiguration.splitProxy(proxy).userInformation else { return nil }
        return userInformation.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init)
    }

    /// Splits a proxy's URL into the scheme with its slashes, the part before the `@`, and the rest.
    private static func splitProxy(_ proxy: String) -> (scheme: String, userInformation: String?, rest: String) {
        var scheme = ""
        var rest = proxy[...]
        if let slashes = proxy.firstRange(ofText: "://") {
            scheme = String(proxy[..<slashes.upperBound])
            rest = proxy[slashes.upperBound...]
        }
        guard let at = rest.lastIndex(of: "@") else { return (scheme, nil, String(rest)) }
        return (scheme, String(rest[..<at]), String(rest[rest.index(after: at)...]))
    }

    private var describedProxy: String? {
        guard let proxy else { return nil }
        let (scheme, userInformation, rest) = CyclesConfiguration.splitProxy(proxy)
        return userInformation == nil ? proxy : "\(scheme)\(Secret.placeholder)@\(rest)"
    }
}

extension String {
    /// Returns the range of the first occurrence of a text. `firstRange(of:)` would link the library of regular
    /// expressions.
    fileprivate func firstRange(ofText text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}

extension CyclesConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private var visibleProperties: KeyValuePairs<String, Any> {
        [
            "baseURL": baseURL, "apiKey": Secret.placeholder, "tenant": tenant as Any, "workspace": workspace as Any,
            "app": app as Any, "workflow": workflow as Any, "agent": agent as Any, "toolset": toolset as Any,
            "adminAPIKey": storedAdminAPIKey as Any, "connectTimeout": connectTimeout, "readTimeout": readTimeout,
            "retry": retry, "journal": journal, "heartbeat": heartbeat, "tls": tls, "proxy": describedProxy as Any,
            "unixSocketPath": unixSocketPath as Any, "maxConnections": maxConnections,
            "maxResponseBytes": maxResponseBytes, "userAgentSuffix": userAgentSuffix as Any,
            "observer": observer.map { "\(type(of: $0))" } as Any,
        ]
    }

    /// The settings, without keys and passwords.
    public var description: String {
        let settings = visibleProperties.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
        return "CyclesConfiguration(\(settings))"
    }

    /// The settings, without keys and passwords.
    public var debugDescription: String { description }

    /// The settings, without keys and passwords.
    public var customMirror: Mirror { Mirror(self, children: visibleProperties, displayStyle: .struct) }
}
