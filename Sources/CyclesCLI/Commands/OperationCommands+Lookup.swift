import Cycles

// Operations that only read.
extension OperationCommands {
    static let reservation = Command(
        name: "reservation",
        summary: "Shows one reservation.",
        sections: [("Options", [id, json]), ConnectionOptions.section]
    ) { arguments in
        try await perform(
            arguments,
            { client throws(CyclesError) in
                try await client.getReservation(reservationID(arguments))
            }
        ) { AnswerReport.lines($0) }
    }

    private static let status = Option(
        "status",
        "STATUS",
        "Only reservations of this status: \(Values.statuses.joined(separator: ", ")).",
        completion: .words(Values.statuses),
        parse: Values.status
    )
    static let limit = Option(
        "limit",
        "COUNT",
        "Print one page of this many rows, 1 to 200; all pages by default.",
        parse: Values.whole(from: 1, to: 200)
    )
    static let cursor = Option(
        "cursor",
        "TEXT",
        "Print one page, starting at the cursor of an earlier page.",
        parse: Values.text
    )
    private static let keyFilter = Option(
        "idempotency-key",
        "KEY",
        "Only the reservation made under this key.",
        parse: Values.text
    )
    private static let sort = Option(
        "sort",
        "KEY",
        "The sort key: \(ReservationSortKey.allCases.map(\.rawValue).joined(separator: ", ")).",
        completion: .words(ReservationSortKey.allCases.map(\.rawValue))
    ) { text throws(InvalidValue) in
        guard let key = ReservationSortKey(rawValue: text) else {
            throw InvalidValue(
                expectation: "one of \(ReservationSortKey.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return key
    }
    private static let descending = Flag("descending", "Sort in descending order.")

    static let reservations = Command(
        name: "reservations",
        summary: "Lists reservations.",
        discussion: "With --json, each page is printed on one line.",
        sections: [
            ("Options", [ofSubject, status, keyFilter, sort, descending, limit, cursor, json]),
            ConnectionOptions.section,
        ]
    ) { arguments in
        let subject = arguments[ofSubject] ?? Subject()
        var query = ReservationQuery(
            idempotencyKey: arguments[keyFilter].map { IdempotencyKey($0) },
            status: arguments[status],
            tenant: subject.tenant,
            workspace: subject.workspace,
            app: subject.app,
            workflow: subject.workflow,
            agent: subject.agent,
            toolset: subject.toolset
        )
        query.sortBy = arguments[sort]
        if arguments[descending] { query.sortDirection = .descending }
        query.limit = arguments[limit]
        query.cursor = arguments[cursor]
        let first = query
        return try await list(arguments) { client, cursor throws(CyclesError) in
            var query = first
            if let cursor { query.cursor = cursor }
            let answer = try await client.listReservations(query)
            return Page(rows: answer.reservations, next: answer.hasMore ? answer.nextCursor : nil, body: answer.body)
        } table: {
            AnswerReport.table($0)
        }
    }

    static let children = Flag("children", "Include descendant scopes. Deployed servers always do.")

    static let balances = Command(
        name: "balances",
        summary: "Shows balances: allocated, spent, reserved and remaining amounts.",
        discussion: "With --json, each page is printed on one line.",
        sections: [("Options", [ofSubject, children, limit, cursor, json]), ConnectionOptions.section]
    ) { arguments in
        let known = Lock<BalanceQuery?>(nil)
        return try await list(arguments) { client, cursor throws(CyclesError) in
            var query: BalanceQuery
            if let first = known.withLock({ $0 }) {
                query = first
            } else {
                query = try await balanceQuery(arguments, client)
                query.limit = arguments[limit]
                query.cursor = arguments[OperationCommands.cursor]
                let first = query
                known.withLock { $0 = first }
            }
            if let cursor { query.cursor = cursor }
            let answer = try await client.getBalances(query)
            return Page(rows: answer.balances, next: answer.hasMore ? answer.nextCursor : nil, body: answer.body)
        } table: {
            $0.isEmpty ? ["There are no such balances."] : TextTable($0).lines
        }
    }

    /// The query for balances of `--subject`, of the configured tenant, or of the tenant of the key, in this order.
    static func balanceQuery(_ arguments: Arguments, _ client: CyclesClient) async throws(CyclesError) -> BalanceQuery {
        let subject = arguments[ofSubject] ?? Subject()
        let query = BalanceQuery(
            tenant: subject.tenant,
            workspace: subject.workspace,
            app: subject.app,
            workflow: subject.workflow,
            agent: subject.agent,
            toolset: subject.toolset,
            includeChildren: arguments[children] ? true : nil
        )
        return try await completed(query, by: client)
    }

    /// Limits a query without a filter to the configured tenant or, without one, to the tenant of the key.
    static func completed(
        _ query: BalanceQuery,
        by client: CyclesClient
    ) async throws(CyclesError) -> BalanceQuery {
        let filters = [query.tenant, query.workspace, query.app, query.workflow, query.agent, query.toolset]
        guard client.configuration.tenant == nil, filters.allSatisfy({ $0 == nil }) else { return query }
        var query = query
        // Every answer names the tenant of the key.
        query.tenant = try await client.listReservations(ReservationQuery(limit: 1)).http.tenant
        return query
    }
}
