/// The sort key for a list of reservations (specification: `sort_by` of `listReservations`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationSortKey: String, Hashable, Sendable, CaseIterable {
    /// By id.
    case reservationID = "reservation_id"
    /// By the subject's tenant.
    case tenant
    /// By the canonical scope path.
    case scopePath = "scope_path"
    /// By status.
    case status
    /// By the amount reserved.
    case reserved
    /// By the time of creation.
    case createdAt = "created_at_ms"
    /// By the time of expiry.
    case expiresAt = "expires_at_ms"
}

/// The direction in which a list is sorted (specification: `SortDirection`).
public enum SortDirection: String, Hashable, Sendable, CaseIterable {
    /// Smallest first.
    case ascending = "asc"
    /// Largest first, which is what a server does unless told otherwise.
    case descending = "desc"
}

/// A member of a reservation that a list carries only when asked (specification: `include` of `listReservations`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationProjection: String, Hashable, Sendable, CaseIterable {
    /// The metadata of the reservation.
    case metadata
    /// The metadata of its commit.
    case committedMetadata = "committed_metadata"
    /// Its evidence references.
    case evidence
}

/// Which reservations to list, in which order (specification: `listReservations`).
///
/// Filters that are nil do not filter. All windows are inclusive, in milliseconds since 1970, from year 0 to the end
/// of year 9999.
public struct ReservationQuery: Hashable, Sendable {
    /// The key that the reservation was created with: finds a hold whose id was lost.
    public var idempotencyKey: IdempotencyKey?
    /// The status.
    public var status: ReservationStatus?
    /// The subject's tenant. With no subject filter at all, the configured tenant is used.
    public var tenant: String?
    /// The subject's workspace.
    public var workspace: String?
    /// The subject's app.
    public var app: String?
    /// The subject's workflow.
    public var workflow: String?
    /// The subject's agent.
    public var agent: String?
    /// The subject's toolset.
    public var toolset: String?
    /// Created at this time or later.
    public var fromMilliseconds: Int64?
    /// Created at this time or earlier.
    public var toMilliseconds: Int64?
    /// Expiring at this time or later.
    public var expiresFromMilliseconds: Int64?
    /// Expiring at this time or earlier.
    public var expiresToMilliseconds: Int64?
    /// Committed or released at this time or later.
    public var finalizedFromMilliseconds: Int64?
    /// Committed or released at this time or earlier.
    public var finalizedToMilliseconds: Int64?
    /// The order; nil leaves it to the server.
    public var sortBy: ReservationSortKey?
    /// The direction of the order; nil leaves it to the server, which sorts descending.
    public var sortDirection: SortDirection?
    /// Members that come only when asked for.
    public var include: Set<ReservationProjection>
    /// How many to a page, 1 to 200; nil leaves it to the server (50).
    public var limit: Int?
    /// Where to go on, from the page before.
    public var cursor: String?

    /// A query; whatever is left out does not filter.
    public init(
        idempotencyKey: IdempotencyKey? = nil,
        status: ReservationStatus? = nil,
        tenant: String? = nil,
        workspace: String? = nil,
        app: String? = nil,
        workflow: String? = nil,
        agent: String? = nil,
        toolset: String? = nil,
        fromMilliseconds: Int64? = nil,
        toMilliseconds: Int64? = nil,
        expiresFromMilliseconds: Int64? = nil,
        expiresToMilliseconds: Int64? = nil,
        finalizedFromMilliseconds: Int64? = nil,
        finalizedToMilliseconds: Int64? = nil,
        sortBy: ReservationSortKey? = nil,
        sortDirection: SortDirection? = nil,
        include: Set<ReservationProjection> = [],
        limit: Int? = nil,
        cursor: String? = nil
    ) {
        self.idempotencyKey = idempotencyKey
        self.status = status
        self.tenant = tenant
        self.workspace = workspace
        self.app = app
        self.workflow = workflow
        self.agent = agent
        self.toolset = toolset
        self.fromMilliseconds = fromMilliseconds
        self.toMilliseconds = toMilliseconds
        self.expiresFromMilliseconds = expiresFromMilliseconds
        self.expiresToMilliseconds = expiresToMilliseconds
        self.finalizedFromMilliseconds = finalizedFromMilliseconds
        self.finalizedToMilliseconds = finalizedToMilliseconds
        self.sortBy = sortBy
        self.sortDirection = sortDirection
        self.include = include
        self.limit = limit
        self.cursor = cursor
    }
}

/// Which balances to read (specification: `getBalances`).
///
/// At least one of the six subject filters is needed; with none of them set, the configured tenant is used.
public struct BalanceQuery: Hashable, Sendable {
    /// The subject's tenant.
    public var tenant: String?
    /// The subject's workspace.
    public var workspace: String?
    /// The subject's app.
    public var app: String?
    /// The subject's workflow.
    public var workflow: String?
    /// The subject's agent.
    public var agent: String?
    /// The subject's toolset.
    public var toolset: String?
    /// Whether scopes below the ones asked for are wanted too; nil leaves it to the server (no). A server may ignore
    /// it.
    public var includeChildren: Bool?
    /// How many to a page, 1 to 200; nil leaves it to the server (50).
    public var limit: Int?
    /// Where to go on, from the page before.
    public var cursor: String?

    /// A query; whatever is left out does not filter.
    public init(
        tenant: String? = nil,
        workspace: String? = nil,
        app: String? = nil,
        workflow: String? = nil,
        agent: String? = nil,
        toolset: String? = nil,
        includeChildren: Bool? = nil,
        limit: Int? = nil,
        cursor: String? = nil
    ) {
        self.tenant = tenant
        self.workspace = workspace
        self.app = app
        self.workflow = workflow
        self.agent = agent
        self.toolset = toolset
        self.includeChildren = includeChildren
        self.limit = limit
        self.cursor = cursor
    }
}
