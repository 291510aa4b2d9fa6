/// Everything that a client is told.
///
/// Printing, dumping or reflecting a configuration shows neither the API keys nor the password of a proxy.
public struct CyclesConfiguration: Sendable {
    /// Where the server is: `http` or `https`, a host, and a port and path prefix if need be. No user, query or
    /// fragment.
    public var baseURL: String
    /// The key that authenticates the client (`X-Cycles-API-Key`).
    public var apiKey: String {
        get { storedAPIKey.value }
        set { storedAPIKey = Secret(newValue) }
    }
    /// The tenant of subjects that name none.
    public var tenant: String?
    /// The workspace of subjects that name none.
    public var workspace: String?
    /// The app of subjects that name none.
    public var app: String?
    /// The workflow of subjects that name none.
    public var workflow: String?
    /// The agent of subjects that name none.
    public var agent: String?
    /// The toolset of subjects that name none.
    public var toolset: String?
    /// An operator's key (`X-Admin-API-Key`), used instead of the API key by the low-level list, get and release only.
    public var adminAPIKey: String? {
        get { storedAdminAPIKey?.value }
        set { storedAdminAPIKey = newValue.map(Secret.init) }
    }
    /// How long connecting may take, name resolution and TLS included; 2 seconds unless set.
    public var connectTimeout: Duration = .seconds(2)
    /// How long the exchange may take after that; 5 seconds unless set. One attempt is bounded by the sum of both.
    public var readTimeout: Duration = .seconds(5)
    /// How settlement repeats what did not get through.
    public var retry = RetryPolicy()
    /// Where settlements are kept until they are certain.
    public var journal: JournalConfiguration = .automatic
    /// What happens when a lease cannot be kept alive.
    public var heartbeat: HeartbeatPolicy = .warn
    /// How the server's certificate is checked and the client's is shown.
    public var tls = TLSOptions()
    /// The proxy to go through, such as `http://user:password@proxy:3128`. Nil means none: the environment's proxy
    /// variables are not looked at.
    public var proxy: String? {
        get { storedProxy?.value }
        set { storedProxy = newValue.map(Secret.init) }
    }
    /// The path of a Unix socket to connect to instead of the host; the host still names the server.
    public var unixSocketPath: String?
    /// The most requests under way at once, and so the most connections; 64 unless set, 1 to 10 000. Further requests
    /// wait in a queue; their time limits start when they leave it.
    ///
    /// Beyond these, leases have an eighth as many connections of their own, and so have settlements: at least 1, at
    /// most 8 each. A lease is kept and a settlement is sent even while every other connection hangs. With
    /// `maxConnections = 1` a client therefore has up to 3 connections to a server that does not answer in time, and 1
    /// while requests follow one another. Asynchronous and blocking calls are counted apart. A transport of your own
    /// has limits of its own.
    public var maxConnections = 64
    /// The largest answer to accept, in bytes; 8 MiB unless set.
    public var maxResponseBytes = 8 * 1_024 * 1_024
    /// What to add to the `User-Agent`, such as `billing-agent/2.1`.
    public var userAgentSuffix: String?
    /// Who is told what the client does; nil means that warnings go to standard error.
    public var observer: (any CyclesObserver)?

    private var storedAPIKey: Secret
    private var storedAdminAPIKey: Secret?
    private var storedProxy: Secret?

    /// A configuration with the defaults. Nothing is checked until a client is made from it.
    public init(baseURL: String, apiKey: String) {
        self.baseURL = baseURL
        storedAPIKey = Secret(apiKey)
    }

    /// What must not be seen.
    package var secrets: [String?] { [apiKey, adminAPIKey, proxyPassword] }

    private var proxyPassword: String? {
        guard let proxy, let userInformation = CyclesConfiguration.splitProxy(proxy).userInformation else { return nil }
        return userInformation.split(separator: ":", maxSplits: 1).dropFirst().first.map(String.init)
    }

    /// The scheme with its slashes, the part before the `@`, and the rest.
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
    /// Where a text occurs first. The standard library has this for collections of elements only.
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
