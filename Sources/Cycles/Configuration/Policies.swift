/// The policy for failed attempts to settle or release.
public struct RetryPolicy: Hashable, Sendable {
    /// Whether failed attempts are followed by fast retries.
    public var isEnabled: Bool
    /// The number of fast retries after the first attempt, 0 or more; by default 5.
    public var maxRetries: Int
    /// The delay before the first retry, above zero; by default 500 milliseconds.
    public var initialDelay: Duration
    /// The factor between consecutive delays, 1 or more; by default 2.
    public var multiplier: Double
    /// The maximum delay, at least ``initialDelay``; by default 30 seconds.
    public var maxDelay: Duration
    /// The random variation of a delay in both directions, as a fraction: 0 to 1, by default 0.2.
    public var jitter: Double
    /// The time that a commit or release waits before settlement continues in the background, 0 or more; by default 2
    /// seconds.
    public var inlineBudget: Duration
    /// The default timeout of `flush` and `shutdown`, 0 or more; by default 10 seconds.
    public var flushTimeout: Duration

    /// Creates a policy. The defaults are those of the other clients of the protocol.
    public init(
        isEnabled: Bool = true,
        maxRetries: Int = 5,
        initialDelay: Duration = .milliseconds(500),
        multiplier: Double = 2,
        maxDelay: Duration = .seconds(30),
        jitter: Double = 0.2,
        inlineBudget: Duration = .seconds(2),
        flushTimeout: Duration = .seconds(10)
    ) {
        self.isEnabled = isEnabled
        self.maxRetries = maxRetries
        self.initialDelay = initialDelay
        self.multiplier = multiplier
        self.maxDelay = maxDelay
        self.jitter = jitter
        self.inlineBudget = inlineBudget
        self.flushTimeout = flushTimeout
    }
}

/// The location of the settlement journal.
public enum JournalConfiguration: Hashable, Sendable {
    /// The directory `~/.runcycles/commit-journal`, which the other clients of the protocol share.
    case automatic
    /// Another directory. The path has to begin with `/`; paths that are relative or begin with `~` are refused.
    case directory(String)
    /// No journal: spend that is unsettled when the process ends is lost.
    case disabled
}

/// The policy for a lease that cannot be extended while its work runs.
public enum HeartbeatPolicy: Hashable, Sendable, CaseIterable {
    /// The failure is reported, and the work continues.
    case warn
    /// The failure is reported, and the work continues. If the lease was lost, the spend is settled and `leaseLost` is
    /// thrown at the end.
    case failOnFinalize
    /// When the lease is lost, the body of `withCycles` is cancelled, and a metered stream throws `leaseLost` at its
    /// next element. Guards are not affected. Blocking clients, which cannot cancel work, behave as under
    /// `failOnFinalize`.
    case cancel
    /// Leases are not extended: they run out after their time to live.
    case disabled
}

/// The certificates and keys of TLS connections.
public struct TLSOptions: Hashable, Sendable {
    /// A PEM file with the certificate authorities to trust instead of the system's.
    public var caBundlePath: String?
    /// A PEM file with the client's certificate.
    public var clientCertificatePath: String?
    /// A PEM file with the private key of the client's certificate; nil if the certificate's file contains the key.
    public var clientKeyPath: String?
    /// The only public keys to accept: `sha256//` and the base64 hash of a key, several separated by `;`, or the path
    /// of a file with a key.
    public var pinnedPublicKey: String?

    /// Creates options. The defaults are the system's.
    public init(
        caBundlePath: String? = nil,
        clientCertificatePath: String? = nil,
        clientKeyPath: String? = nil,
        pinnedPublicKey: String? = nil
    ) {
        self.caBundlePath = caBundlePath
        self.clientCertificatePath = clientCertificatePath
        self.clientKeyPath = clientKeyPath
        self.pinnedPublicKey = pinnedPublicKey
    }
}
