import CCurl

/// The settings of libcurl that all transfers of a transport share.
struct CurlSettings: Sendable {
    let tls: TLSOptions
    let proxy: Secret?
    let unixSocketPath: String?
    /// The number of connections for requests of all priorities.
    let maxConnections: Int
    /// The number of additional connections reserved for leases, and the number reserved for settlements.
    let reservedConnections: Int
    let maxResponseBytes: Int
    /// Shared by all copies of the settings.
    let server = CurlServerKnowledge()

    /// The maximum number of open connections.
    var totalConnections: Int { maxConnections + 2 * reservedConnections }

    /// The route of connections to the server.
    let route: CurlRoute

    init(_ configuration: CyclesConfiguration) {
        tls = configuration.tls
        proxy = configuration.proxy.map(Secret.init)
        unixSocketPath = configuration.unixSocketPath
        route =
            if let path = configuration.unixSocketPath {
                .unixSocket(path)
            } else {
                configuration.proxy.map { .proxy(host: CurlRoute.host(ofProxy: $0)) } ?? .direct
            }
        // A transport can be made from a configuration that no client has validated.
        maxConnections = max(1, configuration.maxConnections)
        reservedConnections = min(8, max(1, maxConnections / 8))
        maxResponseBytes = max(1, configuration.maxResponseBytes)
    }
}

/// The route of a connection to the server; used in error messages.
enum CurlRoute: Hashable, Sendable {
    case direct
    /// Through a proxy. Only its host and port are named, because its URL may contain a password.
    case proxy(host: String)
    case unixSocket(String)

    /// The text that follows the server's name in a message.
    var suffix: String {
        switch self {
        case .direct: ""
        case .proxy(let host): " through the proxy \(host)"
        case .unixSocket(let path): " over the Unix socket \(path)"
        }
    }

    /// The host and port in a proxy's URL.
    static func host(ofProxy url: String) -> String {
        var rest = url[...]
        if let at = rest.lastIndex(of: "@") {
            rest = rest[rest.index(after: at)...]
        } else if let slashes = rest.firstIndex(of: "/"), slashes > rest.startIndex {
            rest = rest[slashes...].drop { $0 == "/" }
        }
        return String(rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" })
    }
}

/// Process-wide state of libcurl.
enum CurlLibrary {
    /// Initialises libcurl once for the process. The implicit initialisation of older versions is not thread-safe.
    static let initialise: Void = {
        curl_global_init(Int(CURL_GLOBAL_ALL))
    }()
}
