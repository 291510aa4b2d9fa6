/// Adds the tenant of one client to its events, and passes them to the observer that clients share.
struct TenantObserver: CyclesObserver {
    private let shared: any CyclesObserver
    private let tenant: String

    /// Returns the observer of a client: the shared observer if the client has no tenant.
    static func make(_ shared: any CyclesObserver, _ tenant: String?) -> any CyclesObserver {
        guard let tenant, !tenant.isBlank else { return shared }
        return TenantObserver(shared: shared, tenant: tenant)
    }

    func observe(_ event: CyclesEvent) {
        var event = event
        event.tenant = tenant
        shared.observe(event)
    }
}

extension CyclesEvent {
    /// The tenant of the client that the event concerns. Nil if the client has none, and for events that concern all
    /// clients of a process.
    public internal(set) var tenant: String? {
        get {
            switch self {
            case .attemptStarted(let start): start.tenant
            case .attemptFinished(let end): end.attempt.tenant
            case .retryScheduled(let retry): retry.tenant
            case .leaseExtended(let lease): lease.tenant
            case .leaseAttemptFailed(let failure): failure.tenant
            case .leaseLost(let loss): loss.tenant
            case .journalProblem(let problem): problem.tenant
            case .recordSetAside(let record): record.tenant
            case .reserved(_, let tenant), .settlementStarted(_, let tenant): tenant
            case .leaseStopped(_, _, let tenant), .leaseAtRisk(_, _, let tenant), .settled(_, _, let tenant),
                .settlementFailed(_, _, let tenant), .guardDropped(_, _, let tenant), .valueIgnored(_, _, let tenant):
                tenant
            case .systemProblem: nil
            }
        }
        set {
            switch self {
            case .attemptStarted(var start):
                start.tenant = newValue
                self = .attemptStarted(start)
            case .attemptFinished(var end):
                end.attempt.tenant = newValue
                self = .attemptFinished(end)
            case .retryScheduled(var retry):
                retry.tenant = newValue
                self = .retryScheduled(retry)
            case .leaseExtended(var lease):
                lease.tenant = newValue
                self = .leaseExtended(lease)
            case .leaseAttemptFailed(var failure):
                failure.tenant = newValue
                self = .leaseAttemptFailed(failure)
            case .leaseLost(var loss):
                loss.tenant = newValue
                self = .leaseLost(loss)
            case .journalProblem(var problem):
                problem.tenant = newValue
                self = .journalProblem(problem)
            case .recordSetAside(var record):
                record.tenant = newValue
                self = .recordSetAside(record)
            case .reserved(let id, _): self = .reserved(id, tenant: newValue)
            case .settlementStarted(let id, _): self = .settlementStarted(id, tenant: newValue)
            case .leaseStopped(let id, let reason, _): self = .leaseStopped(id, reason, tenant: newValue)
            case .leaseAtRisk(let id, let risk, _): self = .leaseAtRisk(id, risk, tenant: newValue)
            case .settled(let id, let settlement, _): self = .settled(id, settlement, tenant: newValue)
            case .settlementFailed(let id, let error, _): self = .settlementFailed(id, error, tenant: newValue)
            case .guardDropped(let id, let spend, _): self = .guardDropped(id, recordedSpend: spend, tenant: newValue)
            case .valueIgnored(let id, let what, _): self = .valueIgnored(id, what: what, tenant: newValue)
            case .systemProblem: break
            }
        }
    }
}
