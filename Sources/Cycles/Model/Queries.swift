/// The sort key for a list of reservations (specification: `sort_by` of `listReservations`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationSortKey: String, Hashable, Sendable, CaseIterable {
    /// Sort by reservation id.
    case reservationID = "reservation_id"
    /// Sort by the subject's tenant.
    case tenant
    /// Sort by the canonical scope path.
    case scopePath = "scope_path"
    /// Sort by status.
    case status
    /// Sort by the reserved amount.
    case reserved
    /// Sort by the time of creation.
    case createdAt = "created_at_ms"
    /// Sort by the time of expiry.
    case expiresAt = "expires_at_ms"
}

/// The direction in which a list is sorted (specification: `SortDirection`).
public enum SortDirection: String, Hashable, Sendable, CaseIterable {
    /// Smallest first.
    case ascending = "asc"
    /// Largest first: the server's default.
    case descending = "desc"
}

/// A member of a reservation that a list contains only on request (specification: `include` of `listReservations`).
/// Switches over it need `@unknown default`.
#if hasAttribute(nonexhaustive)
    @nonexhaustive
#endif
public enum ReservationProjection: String, Hashable, Sendable, CaseIterable {
    /// The metadata of the reservation.
    case metadata
    /// The metadata of the commit.
    case committedMetadata = "committed_metadata"
    /// The evidence references of the reservation.
    case evidence
}

/// The filters and the order of a list of reservations (specification: `listReservations`).
///
/// A filter that is nil has no effect. All windows are inclusive, in milliseconds since 1970, from year 0 to the end of
/// year 9999.
public struct ReservationQuery: Hashable, Sendable {
    /// The idempotency key of the reservation. Finds a hold whose id was lost.
    public var idempotencyKey: IdempotencyKey?
    /// The status of the reservations.
    public var status: ReservationStatus?
    /// The subject's tenant. Without any subject filter, the configured tenant is used.
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
    /// The earliest time of creation.
    public var fromMilliseconds: Int64?
    /// The latest time of creation.
    public var toMilliseconds: Int64?
    /// The earliest time of expiry.
    public var expiresFromMilliseconds: Int64?
    /// The latest time of expiry.
    public var expiresToMilliseconds: Int64?
    /// The earliest time of the commit or release.
    public var finalizedFromMilliseconds: Int64?
    /// The latest time of the commit or release.
    public var finalizedToMilliseconds: Int64?
    /// The sort key; nil for the server's default.
    public var sortBy: ReservationSortKey?
    /// The direction of the order; nil for the server's default, descending.
    public var sortDirection: SortDirection?
    /// The members to include in addition.
    public var include: Set<ReservationProjection>
    /// The number of rows in a page, 1 to 200; nil for the server's default (50).
    public var limit: Int?
    /// The cursor of the page, from the page before; nil for the first page.
    public var cursor: String?

    /// Creates a query. Omitted filters have no effect.
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

/// The filters of a list of balances (specification: `getBalances`).
///
/// At least one of the six subject filters is required; without any, the configured tenant is used.
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
    /// Whether to include the scopes below the matching ones; nil for the server's default (false). A server may ignore
    /// this property.
    public var includeChildren: Bool?
    /// The number of balances in a page, 1 to 200; nil for the server's default (50).
    public var limit: Int?
    /// The cursor of the page, from the page before; nil for the first page.
    public var cursor: String?

    /// Creates a query. Omitted filters have no effect.
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
