import Cycles

/// The commands that send one request and print its answer.
enum OperationCommands {
    static let all = [
        reserve, commit, release, extend, decide, event, reservation, reservations, balances,
    ]

    // MARK: Options

    static let json = Flag("json", "Print the server's answer unchanged, for programs; errors are JSON too.")
    static let estimate = Option(
        "estimate",
        "AMOUNT",
        "The estimated maximum cost of the action, such as 1000:TOKENS or 0.05USD.",
        isRequired: true,
        parse: Values.amount
    )
    static let actual = Option(
        "actual",
        "AMOUNT",
        "The amount that was spent, such as 420:TOKENS or 0.02USD.",
        isRequired: true,
        parse: Values.amount
    )
    static let action = Option(
        "action",
        "KIND/NAME",
        "The action, such as llm.completion/gpt-4o.",
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
        "The subject whose budget is used: tenant, workspace, app, workflow, agent, toolset; other names are dimensions.",
        parse: Values.subject
    )
    /// The filter of lists, which does not support dimensions.
    static let ofSubject = Option(
        "subject",
        "NAME=VALUE,…",
        "Only rows of this subject: tenant, workspace, app, workflow, agent, toolset.",
        parse: Values.levels
    )
    static let timeToLive = Option(
        "ttl",
        "TIME",
        "The time to live of the hold unless it is extended; 60s by default.",
        parse: Values.positiveDuration
    )
    static let gracePeriod = Option(
        "grace",
        "TIME",
        "The time after expiry during which a commit is still accepted.",
        parse: Values.duration
    )
    static let overage = overage("a commit of more than is reserved")
    private static let eventOverage = overage("an event of more than remains")

    private static func overage(_ excess: String) -> Option<CommitOveragePolicy> {
        Option(
            "overage",
            "POLICY",
            "The policy for \(excess): \(Values.overagePolicies.joined(separator: ", ")); ALLOW_IF_AVAILABLE by default.",
            completion: .words(Values.overagePolicies),
            parse: Values.overagePolicy
        )
    }
    static let dryRun = Flag("dry-run", "Evaluate the request without holding budget.")
    static let metadata = Option(
        "metadata",
        "JSON",
        "A JSON object that the server keeps with the record.",
        parse: Values.jsonObject
    )
    static let key = Option(
        "idempotency-key",
        "KEY",
        "The idempotency key: requests with the same key take effect once; a new key by default.",
        parse: Values.text
    )
    static let tokensInput = Option("tokens-input", "COUNT", "Input tokens used.", parse: Values.whole())
    static let tokensOutput = Option("tokens-output", "COUNT", "Output tokens used.", parse: Values.whole())
    static let latency = Option("latency", "TIME", "The duration of the action.", parse: Values.duration)
    static let modelVersion = Option("model-version", "TEXT", "The version of the model or tool.", parse: Values.text)
    static let quiet = Flag("quiet", short: "q", "Print only the reservation's id.")
    static let id = Operand("RESERVATION", "The reservation's id.", parse: Values.text)

    private static let metrics: (title: String, parameters: [any Parameter]) = (
        "Metrics", [tokensInput, tokensOutput, latency, modelVersion]
    )

    // MARK: Holding

    private static let reserve = Command(
        name: "reserve",
        summary: "Reserves budget for an action.",
        discussion: """
            The reservation is not extended automatically: commit, release or extend it before it expires. `cycles run`
            does all of this. The status of a denial is 77. If standard output cannot be written, the reservation is
            released and the status is 74; with --idempotency-key it is kept, since a repetition returns the same
            reservation.
            """,
        sections: [
            (
                "Options",
                [estimate, action, tag, subject, timeToLive, gracePeriod, overage, dryRun, metadata, key, quiet, json]
            ),
            ConnectionOptions.section,
        ],
        examples: ["id=$(cycles reserve --estimate 1000:TOKENS --action llm.completion/gpt-4o -q)"],
        signals: .noPipe
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
                if let note = AnswerReport.note(answer, isDryRun: sent.dryRun) { Console.error(note) }
                return answer.reservationID.map { [$0.rawValue] } ?? []
            }
            return AnswerReport.lines(answer, isDryRun: sent.dryRun)
        } status: {
            $0.decision.isAllowed ? .success : .denied
        } unprinted: { client, answer in
            guard let id = answer.reservationID, answer.decision.isAllowed, !sent.dryRun else { return nil }
            return await release(id, client, answer, key: sent.idempotencyKey)
        }
    }

    /// Releases a hold whose id could not be printed, and returns a description. A hold with the caller's own key
    /// remains, because a repetition returns the same reservation.
    private static func release(
        _ id: ReservationID,
        _ client: CyclesClient,
        _ answer: APIResponse<ReservationCreateResponse>,
        key: IdempotencyKey?
    ) async -> String {
        if let key {
            return "\(id) is held: repeat the command with --idempotency-key \(key), or release \(id)"
        }
        do throws(CyclesError) {
            _ = try await client.releaseReservation(id, ReleaseRequest(reason: "The answer could not be written."))
            return "\(id) is released"
        } catch {
            let end = answer.expiresAtMilliseconds.map { " until \(Instants.text($0))" } ?? ""
            return "\(id) could not be released, and is held\(end): \(error)"
        }
    }

    private static let decide = Command(
        name: "decide",
        summary: "Asks whether an action would be allowed, without holding budget.",
        discussion: "The status is 0 for ALLOW and ALLOW_WITH_CAPS, and 77 for all other decisions.",
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
        summary: "Commits the amount that was spent under a reservation.",
        sections: [("Options", [id, actual, metadata, key, json]), metrics, ConnectionOptions.section],
        signals: .noPipe
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
        ) {
            AnswerReport.lines($0, actual: request.actual)
        } unprinted: { _, answer in
            "the commit is done, \(answer.charged) charged"
        }
    }

    private static let reason = Option("reason", "TEXT", "The reason, for the server's records.", parse: Values.text)

    private static let release = Command(
        name: "release",
        summary: "Releases the whole hold of a reservation.",
        sections: [("Options", [id, reason, key, json]), ConnectionOptions.section],
        signals: .noPipe
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
        ) {
            AnswerReport.lines($0)
        } unprinted: { _, _ in
            "the release is done"
        }
    }

    private static let by = Option(
        "by",
        "TIME",
        "The time to add to the present expiry.",
        isRequired: true,
        parse: Values.positiveDuration
    )

    private static let extend = Command(
        name: "extend",
        summary: "Extends a reservation.",
        sections: [("Options", [id, by, metadata, key, json]), ConnectionOptions.section],
        signals: .noPipe
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
        ) {
            AnswerReport.lines($0)
        } unprinted: { _, answer in
            "the reservation is extended until \(Instants.text(answer.expiresAtMilliseconds))"
        }
    }

    private static let event = Command(
        name: "event",
        summary: "Charges an action that had no reservation.",
        sections: [
            ("Options", [actual, action, tag, subject, eventOverage, metadata, key, json]), metrics,
            ConnectionOptions.section,
        ],
        signals: .noPipe
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
        } unprinted: { _, answer in
            "the event is charged as \(answer.eventID)"
        }
    }

    // MARK: Requests

    static func action(_ arguments: Arguments) -> Action {
        var result = arguments.required(action)
        result.tags = arguments.all(tag)
        return result
    }

    static func reservationID(_ arguments: Arguments) -> ReservationID { ReservationID(arguments.required(id)) }

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
