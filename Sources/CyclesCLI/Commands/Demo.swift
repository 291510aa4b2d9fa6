import Cycles
import CyclesTesting

/// `cycles demo`: demonstrates the protocol with an authority in this process, or with a configured server.
struct Demo {
    private let client: CyclesClient
    /// The subject of all reservations except the limited one.
    private let subject: Subject
    /// A subject whose permission has limits; nil if no such subject is known.
    private let limited: Subject?
    /// The tenant whose balances are shown.
    private let tenant: String
    private let unit: BudgetUnit
    /// The estimated cost of each action.
    private let estimate: Int64

    static let command = Command(
        name: "demo",
        summary: "Shows a budget at work.",
        discussion: """
            Reserves budget, acts, and commits the cost; is denied a reservation that exceeds the budget; obeys the
            limits of an ALLOW_WITH_CAPS decision; releases a reservation.

            By default the authority runs in the same process, on a socket of 127.0.0.1. With a base URL and an API key
            the demonstration uses that server, and spends part of its budget.
            """,
        sections: [ConnectionOptions.section],
        // A closed pipe must not end the command before its holds are released.
        signals: .noPipe
    ) { arguments in
        let variables = ["CYCLES_BASE_URL", "CYCLES_API_KEY", "CYCLES_API_KEY_FILE"]
        let isServerNamed =
            variables.contains { Environment.text($0) != nil }
            || arguments[ConnectionOptions.url] ?? arguments[ConnectionOptions.apiKeyFile] != nil
        // If only the URL or only the key is given, the configuration reports the missing setting.
        if isServerNamed {
            try await run(against: ConnectionOptions.configuration(arguments, usesJournal: true))
        } else {
            try await runLocally()
        }
        return .success
    }

    // MARK: Servers

    /// An authority with the budgets of the demonstration.
    static func authority() -> LocalAuthority {
        let authority = LocalAuthority()
        authority.addAPIKey("demo-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        authority.setBudget(
            scope: "tenant:acme/agent:writer",
            allocated: .tokens(20_000),
            caps: Caps(maxTokens: 256, toolDenylist: ["web.search"])
        )
        return authority
    }

    /// The configuration of a client of ``authority()``.
    static func configuration(baseURL: String) -> CyclesConfiguration {
        var configuration = CyclesConfiguration(baseURL: baseURL, apiKey: "demo-key")
        configuration.tenant = "acme"
        // The authority ends with this process, so that no settlement can follow.
        configuration.journal = .disabled
        return configuration
    }

    private static func runLocally() async throws {
        let server = LoopbackServer(authority())
        try server.start()
        defer { server.stop() }
        Console.line("The authority is in this process, at \(server.baseURL). Requests go there through libcurl.")
        let client = try CyclesClient(configuration: configuration(baseURL: server.baseURL))
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
            // Every answer names the tenant of the key.
            tenant = try await client.listReservations(ReservationQuery(limit: 1)).http.tenant
        }
        guard let tenant else {
            throw ToolFailure("The server does not say which tenant the key belongs to: set CYCLES_TENANT.")
        }
        let balances = try await client.getBalances(BalanceQuery(tenant: tenant)).balances
        guard let funded = balances.first(where: { $0.remaining.amount > 0 && !$0.isOverLimit }) else {
            throw ToolFailure("No budget of tenant \(tenant) has funds left: fund one, then run the command again.")
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

    // MARK: Scenes

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
        let reservation = try await reserve(subject)
        let actual = act(within: reservation.caps)
        report(try await reservation.commit(actual))
    }

    private func showDenial() async throws {
        heading("A denial")
        let remaining = try await balances().filter { $0.remaining.unit == unit }.map(\.remaining.amount).max() ?? 0
        let excess = max(0, remaining).addingReportingOverflow(1)
        let request = request(subject, Amount(excess.overflow ? .max : excess.partialValue, unit))
        step("reserve", "\(request.estimate.withDollars), which is more than remains")
        do throws(CyclesError) {
            try await client.reserve(request).release()
        } catch {
            guard error.isDenied else { throw error }
            step("", "\(error)")
            step("", "No budget is held, and the action is not started.")
            return
        }
        throw ToolFailure("The server granted more than its balances show.")
    }

    private func showLimits() async throws {
        heading("A permission with limits")
        guard let limited else {
            step("skipped", "an operator would have to add limits to a budget of this server")
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
        heading("A release")
        let reservation = try await reserve(subject)
        try await reservation.release(reason: "cancelled")
        step("release", "the whole hold is released")
    }

    // MARK: Steps

    private var action: Action { Action(kind: "llm.completion", name: "demo-model") }

    private func request(_ subject: Subject, _ estimate: Amount) -> ReservationCreateRequest {
        ReservationCreateRequest(subject: subject, action: action, estimate: estimate)
    }

    private func reserve(_ subject: Subject) async throws -> ReservationGuard {
        let request = request(subject, Amount(estimate, unit))
        let reservation = try await client.reserve(request)
        describe(reservation.context, request.estimate)
        return reservation
    }

    private func describe(_ context: CyclesContext, _ estimate: Amount) {
        step("reserve", "\(estimate.withDollars) for \(action.kind) by \(action.name): \(context.decision)")
        step("", "held on \(context.affectedScopes.joined(separator: ", "))")
        step("", "as reservation \(context.reservationID), extended until it is settled")
        if let most = context.caps?.maxTokens { step("", "limited to \(most) tokens") }
    }

    /// Simulates a call of a model, and returns its cost.
    private func act(within caps: Caps?) -> Amount {
        let wanted = max(1, estimate * 42 / 100)
        let most = unit == .tokens ? caps?.maxTokens : nil
        let used = Amount(min(wanted, most ?? wanted), unit)
        step("act", "the model (simulated here) is called, and reports a usage of \(used.withDollars)")
        return used
    }

    private func report(_ settlement: Settlement) {
        switch settlement.outcome {
        case .committed(let answer):
            let rest = answer.released.map { ", \($0.withDollars) released" } ?? ""
            step("commit", "\(answer.charged.withDollars) charged\(rest)")
        case .recorded: step("commit", "the reservation had expired: recorded as an event")
        case .alreadySettled, .released: step("commit", "the reservation was settled before")
        case .queued: step("commit", "still pending: settlement continues in the background")
        @unknown default: step("commit", "\(settlement)")
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

    /// Prints a step. An empty name continues the previous step.
    private func step(_ name: String, _ text: String) {
        Console.line("  " + name + String(repeating: " ", count: max(1, 9 - name.count)) + text)
    }
}
