import Cycles

/// Selects and sorts the reservations of a list (specification: listReservations).
struct ReservationFilter: Sendable {
    private let tenant: String
    private let rules: ServerRules
    private let now: Int64
    private let levels: [(level: ScopeLevel, value: String)]
    private let status: Reservation.Status?
    private let idempotencyKey: IdempotencyKey?
    private let created: Window
    private let expires: Window
    private let finalized: Window
    private let sortKey: ReservationSortKey?
    private let isAscending: Bool
    private let included: Set<String>

    /// A time window with inclusive bounds; nil leaves a side open.
    private struct Window: Sendable {
        let from: Int64?
        let to: Int64?

        init(_ query: RequestQuery, _ fromName: String, _ toName: String) throws(Refusal) {
            from = try query.instant(fromName)
            to = try query.instant(toName)
            if let from, let to, from > to { throw .invalid("\(fromName) is later than \(toName)") }
        }

        var isOpen: Bool { from == nil && to == nil }

        func contains(_ instant: Int64?) -> Bool {
            guard let instant else { return isOpen }
            return instant >= from ?? .min && instant <= to ?? .max
        }

        var json: JSONValue { [from.map(JSONValue.whole) ?? nil, to.map(JSONValue.whole) ?? nil] }
    }

    /// Reads the parameters. `tenant` is the owner of the reservations.
    init(_ query: RequestQuery, tenant: String, rules: ServerRules, at now: Int64) throws(Refusal) {
        self.tenant = tenant
        self.rules = rules
        self.now = now
        levels = query.levels(Array(ScopeLevel.allCases.dropFirst()), rules)
        status = try query["status"].map { text throws(Refusal) in
            guard let status = Reservation.Status(rawValue: text) else { throw .invalid("status is not known") }
            return status
        }
        idempotencyKey = try query["idempotency_key"].map { text throws(Refusal) in
            guard (1...256).contains(text.unicodeScalars.count) else {
                throw .invalid("idempotency_key must have 1 to 256 characters")
            }
            return IdempotencyKey(text)
        }
        created = try Window(query, "from", "to")
        expires = try Window(query, "expires_from", "expires_to")
        finalized = try Window(query, "finalized_from", "finalized_to")
        let direction = try query["sort_dir"].map { text throws(Refusal) in
            guard let direction = SortDirection(rawValue: text) else { throw .invalid("sort_dir must be asc or desc") }
            return direction
        }
        let sortKey = try query["sort_by"].map { text throws(Refusal) in
            guard let key = ReservationSortKey(rawValue: text) else { throw .invalid("sort_by is not known") }
            return key
        }
        // A direction without a key sorts by the creation time.
        self.sortKey = sortKey ?? direction.map { _ in .createdAt }
        isAscending = direction == .ascending
        let tokens = query.filled("include")?.split(separator: ",") ?? []
        included = Set(tokens.map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") })
    }

    /// The identity to which cursors are bound. Without `sort_by`, filters are not part of it (specification:
    /// TIME-RANGE FILTERS, legacy cursors); included fields never are (specification: FIELD PROJECTION).
    private var identity: JSONValue {
        guard let sortKey else { return ["list": "reservations"] }
        return [
            "list": "reservations", "tenant": .string(tenant),
            "levels": .array(levels.map { .texts([$0.level.rawValue, $0.value]) }),
            "status": status.map { .string($0.rawValue) } ?? nil,
            "idempotency_key": idempotencyKey.map { .string($0.rawValue) } ?? nil, "created": created.json,
            "expires": expires.json, "finalized": finalized.json, "sort_by": .string(sortKey.rawValue),
            "ascending": .bool(isAscending),
        ]
    }

    private func matches(_ reservation: Reservation) -> Bool {
        reservation.tenant == tenant && (status == nil || status == reservation.status)
            && (idempotencyKey == nil || idempotencyKey == reservation.idempotencyKey)
            && matchesLevels(reservation)
            && created.contains(reservation.createdAtMilliseconds)
            && expires.contains(reservation.expiresAtMilliseconds)
            && finalized.contains(reservation.finalizedAtMilliseconds)
            && !rules.hasForgotten(reservation, at: now)
    }

    private func matchesLevels(_ reservation: Reservation) -> Bool {
        if levels.isEmpty { return true }
        guard let scope = reservation.scopes.last.flatMap(ScopePath.init(parsing:)) else { return false }
        return levels.allSatisfy { scope.value(of: $0.level) == $0.value }
    }

    /// The sort keys of a row. Rows with equal keys are in the order of their creation.
    private func keys(_ row: (position: Int, reservation: Reservation)) -> [SortKey] {
        let position = SortKey.number(Int64(row.position))
        let reservation = row.reservation
        switch sortKey {
        case nil: return [position]
        case .reservationID: return [.text(reservation.id), position]
        case .tenant: return [.text(reservation.subject["tenant"]?.string ?? ""), position]
        case .scopePath: return [.text(reservation.scopes.last ?? ""), position]
        case .status: return [.text(reservation.status.rawValue), position]
        case .reserved: return [.number(reservation.estimate.amount), position]
        case .createdAt: return [.number(reservation.createdAtMilliseconds), position]
        case .expiresAt: return [.number(reservation.expiresAtMilliseconds), position]
        }
    }

    /// Returns one page of the matching reservations.
    func page(of reservations: [Reservation], query: RequestQuery) throws(Refusal) -> JSONValue {
        let cursor = try PageCursor(query, of: identity)
        let isOrdered = { (left: [SortKey], right: [SortKey]) in
            isAscending ? left.lexicographicallyPrecedes(right) : right.lexicographicallyPrecedes(left)
        }
        let rows = reservations.indices.map { (position: $0, reservation: reservations[$0]) }
            .filter { matches($0.reservation) }
            .map { (row: $0, keys: keys($0)) }
            .sorted { isOrdered($0.keys, $1.keys) }
        let page = Page(
            rows,
            list: identity,
            limit: try query.limit(),
            after: cursor,
            keys: { $0.keys },
            isOrdered: isOrdered
        )
        return page.json("reservations") { $0.row.reservation.json(including: included.contains) }
    }
}
