import CCurl

/// What of a configuration concerns libcurl. The same for all transfers of a transport.
struct CurlSettings: Sendable {
    let tls: TLSOptions
    let proxy: Secret?
    let unixSocketPath: String?
    let maxConnections: Int
    let maxResponseBytes: Int

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
