import Cycles
import CyclesTesting

/// Shows what the protocol is for: against an authority in this process, or against a server from the environment.
struct Demo {
    private let client: CyclesClient
    /// Whose budget is used; the client's defaults fill the gaps.
    private let subject: Subject
    /// Someone whose permission comes with limits; nil if nobody can be given any.
    private let limited: Subject?
    /// Whose balances are shown.
    private let tenant: String
    private let unit: BudgetUnit
    /// What the actions are expected to cost.
    private let estimate: Int64

    static let command = Command(
        name: "demo",
        summary: "Shows a budget at work.",
        discussion: """
            Reserves budget, acts, and commits the cost; is denied a reservation that exceeds the budget; obeys the limits
            of an ALLOW_WITH_CAPS decision; releases a reservation.

            By default the authority runs in the same process, on a socket of 127.0.0.1. With a base URL and an API key
            the demonstration uses that server, and spends part of its budget.
            """,
        sections: [ConnectionOptions.section],
        // What is held is given back, whether somebody reads on or not.
        signals: .noPipe
    ) { arguments in
        let variables = ["CYCLES_BASE_URL", "CYCLES_API_KEY", "CYCLES_API_KEY_FILE"]
        let isServerNamed =
            variables.contains { Environment.text($0) != nil }
            || arguments[ConnectionOptions.url] ?? arguments[ConnectionOptions.apiKeyFile] != nil
        // With only one of the two, the configuration says which is missing.
        if isServerNamed {
            try await run(against: ConnectionOptions.configuration(arguments, usesJournal: true))
        } else {
            try await runLocally()
        }
        return .success
    }

    // MARK: Where it runs

    private static func runLocally() async throws {
        let authority = LocalAuthority()
        authority.addAPIKey("demo-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        authority.setBudget(
            scope: "tenant:acme/agent:writer",
            allocated: .tokens(20_000),
            caps: Caps(maxTokens: 256, toolDenylist: ["web.search"])
        )
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        Console.line("The authority is in this process, at \(server.baseURL). Requests go there through libcurl.")
        var configuration = CyclesConfiguration(baseURL: server.baseURL, apiKey: "demo-key")
        configuration.tenant = "acme"
        // The authority ends with this process: there is nothing to settle later.
        configuration.journal = .disabled
        let client = try CyclesClient(configuration: configuration)
        let demo = Demo(
            client: client,
            subject: Subject(),
            limited: Subject(agent: "writer"),
            tenant: "acme",
            unit: .tokens,
            estimate: 1_000
        )
        try await demo.perform()
    }

    private static func run(against configuration: CyclesConfiguration) async throws {
        let client = try CyclesClient(configuration: configuration)
        Console.line("The authority is the server at \(configuration.baseURL).")
        var tenant = configuration.tenant
        if tenant == nil {
            // Every answer names the tenant that the key belongs to.
            tenant = try await client.listReservations(ReservationQuery(limit: 1)).http.tenant
        }
        guard let tenant else {
            throw ToolFailure("The server does not say which tenant the key belongs to: set CYCLES_TENANT.")
        }
        let balances = try await client.getBalances(BalanceQuery(tenant: tenant)).balances
        guard let funded = balances.first(where: { $0.remaining.amount > 0 && !$0.isOverLimit }) else {
            throw ToolFailure("No budget of tenant \(tenant) has anything left: have one funded, then run this again.")
        }
        let demo = Demo(
            client: client,
            subject: Subject(tenant: tenant),
            limited: nil,
            tenant: tenant,
            unit: funded.remaining.unit,
            estimate: min(1_000, max(1, funded.remaining.amount / 10))
        )
        try await demo.perform()
    }

    // MARK: What happens

    private func perform() async throws {
        do {
            try await showBalances("Balances before")
            try await showCommit()
            try await showDenial()
            try await showLimits()
            try await showRelease()
            try await showBalances("Balances after")
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }

    private func showCommit() async throws {
        heading("Reserve, act, commit")
        let guarded = try await reserve(subject)
        let actual = act(within: guarded.caps)
        report(try await guarded.commit(actual))
    }

    private func showDenial() async throws {
        heading("More than there is")
        let remaining = try await balances().filter { $0.remaining.unit == unit }.map(\.remaining.amount).max() ?? 0
        let excess = max(0, remaining).addingReportingOverflow(1)
        let request = request(subject, Amount(excess.overflow ? .max : excess.partialValue, unit))
        step("reserve", "\(request.estimate), which is more than remains")
        do throws(CyclesError) {
            try await client.reserve(request).release()
        } catch {
            guard error.isDenied else { throw error }
            step("", "\(error)")
            step("", "Nothing is held, and the action is not started.")
            return
        }
        throw ToolFailure("The server grants more than its balances say there is.")
    }

    private func showLimits() async throws {
        heading("Limits that come with permission")
        guard let limited else {
            step("left out", "an operator would have to attach limits to a budget of this server")
            return
        }
        let options = CyclesOptions(estimate: Amount(estimate, unit), action: action, subject: limited)
        let (_, result) = try await client.withCyclesOutcome(options) { context in
            describe(context, options.estimate)
            if let caps = context.caps, !caps.allows(tool: "web.search") {
                step("", "The tool web.search is not allowed: the action does without it.")
            }
            return ((), act(within: context.caps))
        }
        report(try result.get())
    }

    private func showRelease() async throws {
        heading("Work that is called off")
        let guarded = try await reserve(subject)
        try await guarded.release(reason: "called off")
        step("release", "everything is given back")
    }

    // MARK: Steps

    private var action: Action { Action(kind: "llm.completion", name: "demo-model") }

    private func request(_ subject: Subject, _ estimate: Amount) -> ReservationCreateRequest {
        ReservationCreateRequest(subject: subject, action: action, estimate: estimate)
    }

    private func reserve(_ subject: Subject) async throws -> ReservationGuard {
        let request = request(subject, Amount(estimate, unit))
        let guarded = try await client.reserve(request)
        describe(guarded.context, request.estimate)
        return guarded
    }

    private func describe(_ context: CyclesContext, _ estimate: Amount) {
        step("reserve", "\(estimate) for \(action.kind) by \(action.name): \(context.decision)")
        step("", "held on \(context.affectedScopes.joined(separator: ", "))")
        step("", "as reservation \(context.reservationID), kept alive until it is settled")
        if let most = context.caps?.maxTokens { step("", "limited to \(most) tokens") }
    }

    /// Stands in for the call of a model: says what it cost.
    private func act(within caps: Caps?) -> Amount {
        let wanted = max(1, estimate * 42 / 100)
        let most = unit == .tokens ? caps?.maxTokens : nil
        let used = Amount(min(wanted, most ?? wanted), unit)
        step("act", "the model is called (here: a stand-in), and says that it used \(used)")
        return used
    }

    private func report(_ settlement: Settlement) {
        switch settlement {
        case .committed(let answer):
            let rest = answer.released.map { ", \($0) given back" } ?? ""
            step("commit", "\(answer.charged) charged\(rest)")
        case .recoveredViaEvent: step("commit", "too late for the reservation: recorded as an event")
        case .alreadySettled, .released: step("commit", "it was settled before")
        case .queued: step("commit", "not certain yet: it goes on in the background")
        }
    }

    private func balances() async throws -> [Balance] {
        var result: [Balance] = []
        for try await balance in client.balances(BalanceQuery(tenant: tenant, includeChildren: true)) {
            result.append(balance)
        }
        return result
    }

    private func showBalances(_ title: String) async throws {
        heading(title)
        for line in TextTable(try await balances()).lines { Console.line("  " + line) }
    }

    private func heading(_ text: String) {
        Console.line()
        Console.line(text)
    }

    /// One thing that happens; without a name, more about the one before.
    private func step(_ name: String, _ text: String) {
        Console.line("  " + name + String(repeating: " ", count: max(1, 9 - name.count)) + text)
    }
}
