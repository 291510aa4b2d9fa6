import CCurl

/// What of a configuration concerns libcurl. The same for all transfers of a transport.
struct CurlSettings: Sendable {
    let tls: TLSOptions
    let proxy: Secret?
    let unixSocketPath: String?
    /// Connections for all requests.
    let maxConnections: Int
    /// Connections beyond those for leases alone, and as many for settlements alone.
    let reservedConnections: Int
    let maxResponseBytes: Int

    /// The most connections that are open at once.
    var totalConnections: Int { maxConnections + 2 * reservedConnections }

    /// By what transfers go instead of directly, to follow the host in messages. A proxy's URL may contain a password.
    var way: String {
        if let unixSocketPath { return " by the Unix socket \(unixSocketPath)" }
        return proxy == nil ? "" : " through the proxy"
    }

    init(_ configuration: CyclesConfiguration) {
        tls = configuration.tls
        proxy = configuration.proxy.map(Secret.init)
        unixSocketPath = configuration.unixSocketPath
        // A transport can be made from a configuration that no client has checked.
        maxConnections = max(1, configuration.maxConnections)
        reservedConnections = min(8, max(1, maxConnections / 8))
        maxResponseBytes = max(1, configuration.maxResponseBytes)
    }
}

/// The library as a whole.
enum CurlLibrary {
    /// Initialises libcurl once for the process. Older versions do not do that safely by themselves.
    static let initialise: Void = {
        curl_global_init(Int(CURL_GLOBAL_ALL))
    }()
}
