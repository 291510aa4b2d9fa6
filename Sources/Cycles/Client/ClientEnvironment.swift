/// The parts of a client that a test can replace: transport, clock, randomness, files and threads.
package struct ClientEnvironment: Sendable {
    package var transport: ClientTransport
    /// The clock of leases and retries.
    package var time: any TimeSource
    /// Returns random numbers from 0 up to 1, for jitter.
    package var randomness: @Sendable () -> Double
    /// The file system of the journal.
    package var files: any FileSystem
    /// Whether the journal works on the calling thread rather than on a thread of its own.
    package var isJournalInline: Bool
    /// The source of the threads of the journal.
    package var threads: ThreadSource

    /// The defaults are the system's clock, files and threads.
    package init(
        transport: ClientTransport,
        time: any TimeSource = SystemTimeSource(),
        randomness: @escaping @Sendable () -> Double = { Double(SystemRandomness.words().0 >> 11) * 0x1p-53 },
        files: any FileSystem = SystemFileSystem(),
        isJournalInline: Bool = false,
        threads: ThreadSource = .system
    ) {
        self.transport = transport
        self.time = time
        self.randomness = randomness
        self.files = files
        self.isJournalInline = isJournalInline
        self.threads = threads
    }
}

extension ClientTransport {
    /// The transport of a client for tasks; libcurl if none is given.
    static func make(_ configuration: CyclesConfiguration, _ given: (any HTTPTransport)?) -> ClientTransport {
        switch given {
        case nil: CurlTransport(configuration: configuration).forTasks(isOwned: true)
        case let curl as CurlTransport: curl.forTasks(isOwned: false)
        case let other?: .tasks(TaskCallbackTransport(other))
        }
    }

    /// The transport of a client for threads; libcurl if none is given.
    static func make(_ configuration: CyclesConfiguration, _ given: (any BlockingHTTPTransport)?) -> ClientTransport {
        switch given {
        case nil: CurlTransport(configuration: configuration).forThreads(isOwned: true)
        case let curl as CurlTransport: curl.forThreads(isOwned: false)
        case let other?: .threads(other)
        }
    }
}
