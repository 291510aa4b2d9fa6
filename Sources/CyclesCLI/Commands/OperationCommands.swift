import Cycles
import Synchronization

/// One operation of the protocol for each command: sent once, the answer printed.
enum OperationCommands {
    static let all = [
        reserve, commit, release, extend, decide, event, reservation, reservations, balances, evidence,
    ]

    // MARK: What they take

    static let json = Flag("json", "Print the server's answer as it came, for programs; errors too are JSON.")
    static let estimate = Option(
        "estimate",
        "AMOUNT:UNIT",
        "What it will cost, such as 1000:TOKENS.",
        isRequired: true,
        parse: Values.amount
    )
    static let actual = Option(
        "actual",
        "AMOUNT:UNIT",
        "What it really cost, such as 420:TOKENS.",
        isRequired: true,
        parse: Values.amount
    )
    static let action = Option(
        "action",
        "KIND/NAME",
        "What happens, such as llm.completion/gpt-4o.",
        isRequired: true,
        parse: Values.action
    )
    static let tag = Option(
        "tag",
        "TAG",
        "A tag of the action; may be repeated.",
        isRepeatable: true,
        parse: Values.text
    )
    static let subject = Option(
        "subject",
        "NAME=VALUE,…",
        "On whose budget: tenant, workspace, app, workflow, agent, toolset; other names are dimensions.",
        parse: Values.subject
    )
    /// For lists, which know no dimensions.
    static let ofSubject = Option(
        "subject",
        "NAME=VALUE,…",
        "Only of this: tenant, workspace, app, workflow, agent, toolset.",
        parse: Values.levels
    )
    static let timeToLive = Option(
        "ttl",
        "TIME",
        "How long the hold lasts unless extended: 60s unless set.",
        parse: Values.positiveDuration
    )
    static let gracePeriod = Option(
        "grace",
        "TIME",
        "How long after that a commit is still accepted.",
        parse: Values.duration
    )
    static let overage = overage("when more is spent than reserved")
    private static let eventOverage = overage("when more was spent than there is")

    private static func overage(_ moment: String) -> Option<CommitOveragePolicy> {
        Option(
            "overage",
            "POLICY",
            "What happens \(moment): \(Values.overagePolicies.joined(separator: ", ")); ALLOW_IF_AVAILABLE unless set.",
            completion: .words(Values.overagePolicies),
            parse: Values.overagePolicy
        )
    }
    static let dryRun = Flag("dry-run", "Evaluate, and hold nothing.")
    static let metadata = Option("metadata", "JSON", "An object to keep with it.", parse: Values.jsonObject)
    static let key = Option(
        "idempotency-key",
        "KEY",
        "Under which it happens once; a fresh one unless set.",
        parse: Values.text
    )
    static let tokensInput = Option("tokens-input", "COUNT", "Input tokens used.", parse: Values.whole())
    static let tokensOutput = Option("tokens-output", "COUNT", "Output tokens used.", parse: Values.whole())
    static let latency = Option("latency", "TIME", "How long it took.", parse: Values.duration)
    static let modelVersion = Option("model-version", "TEXT", "The model or tool that was used.", parse: Values.text)
    static let quiet = Flag("quiet", short: "q", "Print the id only.")
    static let id = Operand("RESERVATION", "The reservation's id.", parse: Values.text)

    private static let metrics: (title: String, parameters: [any Parameter]) = (
        "Metrics", [tokensInput, tokensOutput, latency, modelVersion]
    )

    // MARK: Holding

    private static let reserve = Command(
        name: "reserve",
        summary: "Holds budget for something that is about to happen.",
        discussion: """
            The hold is not kept alive: commit or release it before it runs out, or extend it. `run` does all of that.
            A denial ends with status 77.
            """,
        sections: [
            (
                "Options",
                [estimate, action, tag, subject, timeToLive, gracePeriod, overage, dryRun, metadata, key, quiet, json]
            ),
            ConnectionOptions.section,
        ],
        examples: ["id=$(cycles reserve --estimate 1000:TOKENS --action llm.completion/gpt-4o -q)"]
    ) { arguments in
        var request = ReservationCreateRequest(
            subject: arguments[subject] ?? Subject(),
            action: action(arguments),
            estimate: arguments.required(estimate)
        )
        if let span = arguments[timeToLive] { request.timeToLive = span }
        request.gracePeriod = arguments[gracePeriod]
        request.overagePolicy = arguments[overage]
        request.dryRun = arguments[dryRun]
        request.metadata = arguments[metadata] ?? [:]
        request.idempotencyKey = arguments[key].map { IdempotencyKey($0) }
        let sent = request
        return try await perform(arguments, { client throws(CyclesError) in try await client.createReservation(sent) })
        { answer in
            guard !arguments[quiet] else {
                if !answer.decision.isAllowed {
                    Console.error("\(answer.decision): \(answer.reasonCode.map { "\($0)" } ?? "no reason is given")")
                }
                return answer.reservationID.map { [$0.rawValue] } ?? []
            }
            return AnswerReport.lines(answer)
        } status: {
            $0.decision.isAllowed ? .success : .denied
        }
    }

    private static let decide = Command(
        name: "decide",
        summary: "Asks whether something would be allowed, and holds nothing.",
        discussion: "The status is 0 for ALLOW and ALLOW_WITH_CAPS, and 77 for anything else.",
        sections: [("Options", [estimate, action, tag, subject, metadata, key, json]), ConnectionOptions.section]
    ) { arguments in
        let request = DecisionRequest(
            subject: arguments[subject] ?? Subject(),
            action: action(arguments),
            estimate: arguments.required(estimate),
            metadata: arguments[metadata] ?? [:],
            idempotencyKey: arguments[key].map { IdempotencyKey($0) }
        )
        return try await perform(arguments, { client throws(CyclesError) in try await client.decide(request) }) {
            AnswerReport.lines($0)
        } status: {
            $0.decision.isAllowed ? .success : .denied
        }
    }

    // MARK: Settling

    private static let commit = Command(
        name: "commit",
        summary: "Settles a reservation at what was really spent.",
        sections: [("Options", [id, actual, metadata, key, json]), metrics, ConnectionOptions.section]
    ) { arguments in
        let request = CommitRequest(
            actual: arguments.required(actual),
            metrics: metrics(arguments),
            metadata: arguments[metadata] ?? [:],
            idempotencyKey: arguments[key].map { IdempotencyKey($0) }
        )
        return try await perform(
            arguments,
            { client throws(CyclesError) in
                try await client.commitReservation(reservationID(arguments), request)
            }
        ) { AnswerReport.lines($0, actual: request.actual) }
    }

    private static let reason = Option("reason", "TEXT", "Why it is not needed.", parse: Values.text)

    private static let release = Command(
        name: "release",
        summary: "Gives a whole reservation back.",
        sections: [("Options", [id, reason, key, json]), ConnectionOptions.section]
    ) { arguments in
        let request = ReleaseRequest(
            reason: arguments[reason],
            idempotencyKey: arguments[key].map { IdempotencyKey($0) }
        )
        return try await perform(
            arguments,
            { client throws(CyclesError) in
                try await client.releaseReservation(reservationID(arguments), request)
            }
        ) { AnswerReport.lines($0) }
    }

    private static let by = Option(
        "by",
        "TIME",
        "By how much, from its present expiry.",
        isRequired: true,
        parse: Values.positiveDuration
    )

    private static let extend = Command(
        name: "extend",
        summary: "Keeps a reservation alive for longer.",
        sections: [("Options", [id, by, metadata, key, json]), ConnectionOptions.section]
    ) { arguments in
        let request = ExtendRequest(
            by: arguments.required(by),
            metadata: arguments[metadata] ?? [:],
            idempotencyKey: arguments[key].map { IdempotencyKey($0) }
        )
        return try await perform(
            arguments,
            { client throws(CyclesError) in
                try await client.extendReservation(reservationID(arguments), request)
            }
        ) { AnswerReport.lines($0) }
    }

    private static let event = Command(
        name: "event",
        summary: "Charges something that happened without a reservation.",
        sections: [
            ("Options", [actual, action, tag, subject, eventOverage, metadata, key, json]), metrics,
            ConnectionOptions.section,
        ]
    ) { arguments in
        let request = EventCreateRequest(
            subject: arguments[subject] ?? Subject(),
            action: action(arguments),
            actual: arguments.required(actual),
            overagePolicy: arguments[eventOverage],
            metrics: metrics(arguments),
            metadata: arguments[metadata] ?? [:],
            idempotencyKey: arguments[key].map { IdempotencyKey($0) }
        )
        return try await perform(arguments, { client throws(CyclesError) in try await client.createEvent(request) }) {
            AnswerReport.lines($0, actual: request.actual)
        }
    }

    // MARK: Looking up

    private static let reservation = Command(
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
        "Only those: \(Values.statuses.joined(separator: ", ")).",
        completion: .words(Values.statuses),
        parse: Values.status
    )
    private static let limit = Option(
        "limit",
        "COUNT",
        "One page of so many rows, 1 to 200; all pages unless set.",
        parse: Values.whole(from: 1, to: 200)
    )
    private static let cursor = Option(
        "cursor",
        "TEXT",
        "One page, from where an earlier one ended.",
        parse: Values.text
    )
    private static let keyFilter = Option(
        "idempotency-key",
        "KEY",
        "Only the one made under this key.",
        parse: Values.text
    )
    private static let sort = Option(
        "sort",
        "KEY",
        "By what: \(ReservationSortKey.allCases.map(\.rawValue).joined(separator: ", ")).",
        completion: .words(ReservationSortKey.allCases.map(\.rawValue))
    ) { text throws(InvalidValue) in
        guard let key = ReservationSortKey(rawValue: text) else {
            throw InvalidValue(
                expectation: "one of \(ReservationSortKey.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        return key
    }
    private static let descending = Flag("descending", "The largest or latest first.")

    private static let reservations = Command(
        name: "reservations",
        summary: "Lists reservations.",
        discussion: "With --json each page is a line of its own.",
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

    static let children = Flag("children", "The scopes below as well.")

    private static let balances = Command(
        name: "balances",
        summary: "Shows what is allocated, spent, reserved and left.",
        discussion: "With --json each page is a line of its own.",
        sections: [("Options", [ofSubject, children, limit, cursor, json]), ConnectionOptions.section]
    ) { arguments in
        let known = Mutex<BalanceQuery?>(nil)
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

    /// Whose balances are asked for: those of `--subject`, of the configured tenant, or else of the tenant of the key.
    static func balanceQuery(_ arguments: Arguments, _ client: CyclesClient) async throws(CyclesError) -> BalanceQuery {
        let subject = arguments[ofSubject] ?? Subject()
        var query = BalanceQuery(
            tenant: subject.tenant,
            workspace: subject.workspace,
            app: subject.app,
            workflow: subject.workflow,
            agent: subject.agent,
            toolset: subject.toolset,
            includeChildren: arguments[children] ? true : nil
        )
        if subject == Subject(), client.configuration.tenant == nil {
            // Every answer names the tenant that the key belongs to.
            query.tenant = try await client.listReservations(ReservationQuery(limit: 1)).http.tenant
        }
        return query
    }

    private static let evidenceID = Operand("EVIDENCE", "The evidence's id.", isRequired: false, parse: Values.text)
    private static let keys = Flag("keys", "The keys that the server signs with, instead of one envelope.")
    private static let wait = Option(
        "wait",
        "TIME",
        "How long to wait for an envelope to appear.",
        parse: Values.duration
    )

    private static let evidence = Command(
        name: "evidence",
        summary: "Shows a signed evidence envelope, or the keys that sign them.",
        sections: [("Options", [evidenceID, keys, wait, json]), ConnectionOptions.section]
    ) { arguments in
        if arguments[keys] {
            return try await perform(arguments, { client throws(CyclesError) in try await client.getEvidenceKeys() }) {
                AnswerReport.lines($0)
            }
        }
        guard let id = arguments[evidenceID] else {
            throw ToolFailure("cycles evidence: give the id of an envelope, or --keys", status: .misuse)
        }
        return try await perform(
            arguments,
            { client throws(CyclesError) in
                try await client.getEvidence(EvidenceID(id), waitingUpTo: arguments[wait] ?? .zero)
            }
        ) { AnswerReport.lines($0) }
    }

    // MARK: Performing

    /// Sends one request, and prints its answer as JSON or in words.
    private static func perform<Value>(
        _ arguments: Arguments,
        _ send: (CyclesClient) async throws(CyclesError) -> APIResponse<Value>,
        lines: (APIResponse<Value>) -> [String],
        status: (APIResponse<Value>) -> ExitStatus = { _ in .success }
    ) async throws -> ExitStatus {
        try await withClient(arguments) { client throws(CyclesError) in
            let answer = try await send(client)
            if arguments[json] { Console.line(answer.body) } else { Console.lines(lines(answer)) }
            return status(answer)
        }
    }

    /// Says in the form that was asked for what went wrong.
    private static func withClient(
        _ arguments: Arguments,
        _ body: (CyclesClient) async throws(CyclesError) -> ExitStatus
    ) async throws -> ExitStatus {
        do {
            let client = try CyclesClient(configuration: ConnectionOptions.configuration(arguments))
            do throws(CyclesError) {
                let status = try await body(client)
                await client.shutdown()
                return status
            } catch {
                await client.shutdown()
                throw error
            }
        } catch let error as CyclesError where arguments[json] {
            Console.error(String(decoding: ErrorReport.json(error), as: UTF8.self))
            return ErrorReport.status(of: error)
        } catch let failure as ToolFailure where arguments[json] {
            Console.error(String(decoding: ErrorReport.json(failure), as: UTF8.self))
            return failure.status
        }
    }

    private struct Page<Row: Sendable> {
        var rows: [Row]
        /// Where the next page begins; nil if there is none.
        var next: String?
        var body: [UInt8]
    }

    /// Prints all pages, or the one that was asked for.
    private static func list<Row>(
        _ arguments: Arguments,
        _ fetch: (CyclesClient, _ cursor: String?) async throws(CyclesError) -> Page<Row>,
        table: ([Row]) -> [String]
    ) async throws -> ExitStatus {
        try await withClient(arguments) { client throws(CyclesError) in
            let isOnePage = arguments[limit] != nil || arguments[cursor] != nil
            var rows: [Row] = []
            var next: String?
            repeat {
                let page = try await fetch(client, next)
                guard page.next == nil || page.next != next else {
                    throw .invalidResponse(
                        InvalidResponse(operation: "list", status: 200, message: "the next page is this page once more")
                    )
                }
                next = page.next
                if arguments[json] { Console.line(page.body) } else { rows += page.rows }
            } while next != nil && !isOnePage
            if !arguments[json] {
                Console.lines(table(rows))
                if let next { Console.error("There is more: --cursor \(next)") }
            }
            return .success
        }
    }

    // MARK: Requests

    static func action(_ arguments: Arguments) -> Action {
        var result = arguments.required(action)
        result.tags = arguments.all(tag)
        return result
    }

    private static func reservationID(_ arguments: Arguments) -> ReservationID { ReservationID(arguments.required(id)) }

    private static func metrics(_ arguments: Arguments) -> CyclesMetrics? {
        let metrics = CyclesMetrics(
            tokensInput: arguments[tokensInput].map(Int64.init),
            tokensOutput: arguments[tokensOutput].map(Int64.init),
            latency: arguments[latency],
            modelVersion: arguments[modelVersion]
        )
        return metrics == CyclesMetrics() ? nil : metrics
    }
}
