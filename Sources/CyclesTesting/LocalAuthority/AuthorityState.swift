import Cycles

/// Everything that the authority knows, and how it changes with each request. No I/O, no clock, no locks.
struct AuthorityState: Sendable {
    let options: LocalAuthority.Options
    var ledger = Ledger()
    var records: [IdempotencySlot: IdempotencyRecord] = [:]
    var tenants: [String: LocalAuthority.TenantStatus] = [:]
    var identifiers = IdentifierSource()
    var evidence = EvidenceStore()
    /// Whose key it is, by the key's bytes.
    var apiKeys: [[UInt8]: String] = [:]
    var adminKeys: Set<[UInt8]> = []
    /// Errors that were asked for, the next one first.
    var plannedFailures: [PlannedFailure] = []

    struct PlannedFailure: Sendable {
        let code: ErrorCode
        let retryAfter: Duration?
    }

    init(options: LocalAuthority.Options) { self.options = options }

    func isClosed(_ tenant: String) -> Bool { tenants[tenant] == .closed }
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
