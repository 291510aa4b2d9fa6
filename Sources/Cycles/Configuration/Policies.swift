/// How settlement repeats what did not get through.
public struct RetryPolicy: Hashable, Sendable {
    /// Whether fast retries happen at all.
    public var isEnabled: Bool
    /// How many retries follow the first attempt, 0 or more.
    public var maxRetries: Int
    /// The wait before the first retry, more than zero.
    public var initialDelay: Duration
    /// By how much each wait is longer than the one before, 1 or more.
    public var multiplier: Double
    /// The longest wait.
    public var maxDelay: Duration
    /// By which part a wait may be shorter or longer, 0 to 1.
    public var jitter: Double
    /// How long a commit waits before it answers that settlement goes on in the background.
    public var inlineBudget: Duration
    /// How long `flush` and `shutdown` wait unless told otherwise.
    public var flushTimeout: Duration

    /// A policy; the defaults are those of the protocol's clients.
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

/// Where settlements are kept until they are certain.
public enum JournalConfiguration: Hashable, Sendable {
    /// Under `~/.runcycles/commit-journal`, which the other clients of the protocol share.
    case automatic
    /// Under this directory. Its path begins with `/`: a client refuses a relative one, and one that begins with `~`.
    case directory(String)
    /// Nowhere: what is not settled when the process ends is lost.
    case disabled
}

/// What happens when a lease cannot be kept alive while its work goes on.
public enum HeartbeatPolicy: Hashable, Sendable, CaseIterable {
    /// It is reported, and the work goes on.
    case warn
    /// It is reported, the work goes on, and if the lease was lost its end throws `leaseLost`; what was spent is settled
    /// all the same.
    case failOnFinalize
    /// When the lease is lost the body of `withCycles` is cancelled, and nothing else is. A metered stream throws
    /// `leaseLost` at its next element. On blocking clients, where nothing can be cancelled, as `failOnFinalize`.
    case cancel
    /// There is no heartbeat: the lease runs out after its time to live.
    case disabled
}

/// How the server's certificate is checked and the client's is shown.
public struct TLSOptions: Hashable, Sendable {
    /// A file of certificate authorities in PEM form to trust instead of the system's.
    public var caBundlePath: String?
    /// A file with the client's certificate in PEM form.
    public var clientCertificatePath: String?
    /// A file with the private key of the client's certificate in PEM form; without it the key is expected in the
    /// certificate's file.
    public var clientKeyPath: String?
    /// The only public key to accept: `sha256//` and the base64 hash of the key, several separated by `;`, or the
    /// path of a file with the key.
    public var pinnedPublicKey: String?

    /// Options; whatever is left out is as the system has it.
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
