import Cycles

/// The state of the authority. A value without I/O, clock or locks that each request changes.
struct AuthorityState: Sendable {
    let options: LocalAuthority.Options
    var ledger: Ledger
    var records: [IdempotencySlot: IdempotencyRecord] = [:]
    var tenants: [String: Tenant] = [:]
    var identifiers = IdentifierSource()
    var evidence = EvidenceStore()
    /// The tenants of the API keys, keyed by the bytes of the key.
    var apiKeys: [[UInt8]: String] = [:]
    var adminKeys: Set<[UInt8]> = []
    /// The errors requested with `failNext`, the next error first.
    var plannedFailures: [PlannedFailure] = []
    var isReachable = true

    struct PlannedFailure: Sendable {
        let code: ErrorCode
        let retryAfter: Duration?
    }

    /// The status and the defaults of a tenant.
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

/// The result of a successful request, before it becomes an HTTP answer.
struct Success: Sendable {
    var status = 200
    var body: JSONValue
    var cacheControl: String?
}

/// The context of a request.
struct Exchange: Sendable {
    let requestID: String
    let traceID: String
    let now: Int64
    /// The part of the URL up to and including `/v1`.
    var base = ""
    /// The operation; nil until the request is known to name one.
    var route: Route?
}
