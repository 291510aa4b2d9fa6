import Cycles

/// Everything that the authority knows, and how it changes with each request. No I/O, no clock, no locks.
struct AuthorityState: Sendable {
    let options: LocalAuthority.Options
    var ledger: Ledger
    var records: [IdempotencySlot: IdempotencyRecord] = [:]
    var tenants: [String: Tenant] = [:]
    var identifiers = IdentifierSource()
    var evidence = EvidenceStore()
    /// Whose key it is, by the key's bytes.
    var apiKeys: [[UInt8]: String] = [:]
    var adminKeys: Set<[UInt8]> = []
    /// Errors that were asked for, the next one first.
    var plannedFailures: [PlannedFailure] = []
    var isReachable = true

    struct PlannedFailure: Sendable {
        let code: ErrorCode
        let retryAfter: Duration?
    }

    /// The status of a tenant, and what its requests get that do not say.
    struct Tenant: Sendable {
        var status = LocalAuthority.TenantStatus.active
        var defaultTimeToLiveMilliseconds: Int64?
        var defaultOveragePolicy: CommitOveragePolicy?
        var maxExtensions: Int?
    }

    init(options: LocalAuthority.Options) {
        self.options = options
        ledger = Ledger(rules: ServerRules(options.behavior))
    }

    var rules: ServerRules { ledger.rules }

    func isClosed(_ tenant: String) -> Bool { tenants[tenant]?.status == .closed }
}

/// What a request brought about, before it becomes an HTTP answer.
struct Success: Sendable {
    var status = 200
    var body: JSONValue
    var cacheControl: String?
}

/// What is known of a request besides its operation.
struct Exchange: Sendable {
    let requestID: String
    let traceID: String
    let now: Int64
    /// Everything of the URL up to and including `/v1`.
    var base = ""
}
