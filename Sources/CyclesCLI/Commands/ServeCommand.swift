import Cycles
import CyclesTesting

/// `cycles serve`: an authority in memory, over HTTP.
enum ServeCommand {
    struct Budget: Sendable {
        var scope: String
        var allocated: Amount
        var overdraftLimit: Int64 = 0
        var caps: Caps?
        var status = LocalAuthority.BudgetStatus.active
    }

    struct Key: Sendable {
        /// Nil means the tenant of the first budget.
        var tenant: String?
        var key: String
    }

    struct Failure: Sendable {
        var code: ErrorCode
        var retryAfter: Duration?
    }

    // MARK: What it takes

    private static let host = Option(
        "host",
        "ADDRESS",
        "The address to listen on, in numbers: 127.0.0.1 unless set, which nobody else can reach.",
        parse: Values.text
    )
    private static let port = Option(
        "port",
        "PORT",
        "The port, 7878 unless set; 0 for a free one.",
        parse: Values.whole(to: 65_535)
    )
    private static let budget = Option(
        "budget",
        "SCOPE=AMOUNT:UNIT",
        """
        A budget, such as tenant:acme/agent:bot=1000:TOKENS; may be repeated. ,overdraft=AMOUNT and ,max-tokens=COUNT \
        and ,status=frozen or closed may follow.
        """,
        isRepeatable: true,
        parse: parseBudget
    )
    private static let apiKey = Option(
        "api-key",
        "[TENANT=]KEY",
        "A key to accept; may be repeated. Tenants without one get one, which is printed.",
        isRepeatable: true,
        isSecret: true,
        parse: parseKey
    )
    private static let adminKey = Option(
        "admin-key",
        "KEY",
        "An administrator's key to accept.",
        isRepeatable: true,
        parse: Values.text
    )
    private static let suspended = Option(
        "suspend",
        "TENANT",
        "A tenant whose keys are answered 403.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let reopened = Option(
        "reopen",
        "TENANT",
        "A tenant that was suspended or closed before, by what --state has kept.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let closed = Option(
        "close",
        "TENANT",
        "A tenant of which nothing changes any more.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let state = Option(
        "state",
        "FILE",
        "Keep everything but keys in this file across restarts: read at start, written at most half a second after a change.",
        completion: .file,
        parse: Values.text
    )
    private static let failure = Option(
        "fail",
        "CODE[:TIME]",
        "Answer one request with this error, and with Retry-After if there is a time; several line up.",
        isRepeatable: true,
        parse: parseFailure
    )
    private static let maxExtensions = Option(
        "max-extensions",
        "COUNT",
        "How often a reservation may be extended: 10 unless set.",
        parse: Values.whole()
    )
    private static let maxTimeToLive = Option(
        "max-ttl",
        "TIME",
        "The longest lease that one request is granted: 1h unless set.",
        parse: Values.positiveDuration
    )
    private static let maxLead = Option(
        "max-lead",
        "TIME",
        "How far ahead a lease may end; not limited unless set.",
        parse: Values.positiveDuration
    )
    private static let evidence = Flag("evidence", "Refer to evidence in answers. Its signatures do not verify.")
    private static let log = Flag("log", "Write a line for each request to standard error.")

    static let command = Command(
        name: "serve",
        summary: "Runs a budget authority for development and tests.",
        discussion: """
            It keeps the protocol's ledger in memory and answers all eleven operations, so that programs can be tried
            and tested without a Cycles server. It is no production server: it does not scale, has no operators'
            interface, and its evidence is not signed. For production, run a Cycles server.

            It listens on this machine only unless --host says otherwise. It speaks plain HTTP: whoever can reach it
            can read what is sent, keys included. SIGTERM and SIGINT end it.

            Without --budget there is one: tenant:acme with 1000000 TOKENS.
            """,
        sections: [
            ("Options", [host, port, budget, apiKey, adminKey, state, log]),
            ("Behaviour", [suspended, closed, reopened, failure, maxExtensions, maxTimeToLive, maxLead, evidence]),
        ],
        examples: [
            "cycles serve --budget tenant:acme=1000000:TOKENS --state /tmp/cycles.json",
            "cycles serve --api-key acme=dev-key --fail INTERNAL_ERROR --fail LIMIT_EXCEEDED:2s",
        ],
        signals: .endingButNoPipe,
        run: run
    )

    static func parseBudget(_ text: String) throws(InvalidValue) -> Budget {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false)[...]
        guard let pair = parts.popFirst()?.split(separator: "=", omittingEmptySubsequences: false), pair.count == 2
        else {
            throw InvalidValue(expectation: "a scope and an amount, such as tenant:acme=1000000:TOKENS")
        }
        let scope = String(pair[0])
        guard LocalAuthority.isValidScope(scope) else {
            throw InvalidValue(
                expectation:
                    "for a scope of levels in the order tenant, workspace, app, workflow, agent, toolset, such as tenant:acme/agent:bot"
            )
        }
        var budget = Budget(scope: scope, allocated: try part("amount", String(pair[1]), Values.amount))
        for text in parts {
            let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let (name, value) = (pair[0], pair.count == 2 ? pair[1] : "")
            switch name {
            case "overdraft": budget.overdraftLimit = Int64(try part(name, value, Values.whole()))
            case "max-tokens": budget.caps = Caps(maxTokens: Int64(try part(name, value, Values.whole())))
            case "status": budget.status = try part(name, value, status)
            default: throw InvalidValue(expectation: "followed by overdraft=, max-tokens= or status= only")
            }
        }
        return budget
    }

    private static let status = Values.word([
        "frozen": LocalAuthority.BudgetStatus.frozen, "closed": .closed, "active": .active,
    ])

    /// One part of a text; what is wrong with it is said of that part.
    private static func part<Value>(
        _ name: String,
        _ text: String,
        _ parse: (String) throws(InvalidValue) -> Value
    ) throws(InvalidValue) -> Value {
        do throws(InvalidValue) {
            return try parse(text)
        } catch {
            throw InvalidValue(expectation: error.expectation, part: name)
        }
    }

    private static func parseTenant(_ text: String) throws(InvalidValue) -> String {
        guard LocalAuthority.isValidScope("tenant:" + text) else {
            throw InvalidValue(expectation: "a tenant of letters, digits, _, . and -")
        }
        return text
    }

    /// What stands before `=` is a tenant if it may be one, and a key follows: keys may contain `=` themselves, at their
    /// ends most of all.
    static func parseKey(_ text: String) throws(InvalidValue) -> Key {
        guard !text.isEmpty else {
            throw InvalidValue(expectation: "a key, or a tenant and a key, such as acme=dev-key")
        }
        let pair = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard pair.count == 2, pair[1].contains(where: { $0 != "=" }), LocalAuthority.isValidScope("tenant:" + pair[0])
        else { return Key(tenant: nil, key: text) }
        return Key(tenant: pair[0], key: pair[1])
    }

    static func parseFailure(_ text: String) throws(InvalidValue) -> Failure {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let code = ErrorCode(rawValue: parts[0].uppercased())
        if case .unrecognized = code {
            throw InvalidValue(
                expectation: "an error code of the protocol, such as INTERNAL_ERROR or LIMIT_EXCEEDED:2s"
            )
        }
        return Failure(code: code, retryAfter: parts.count == 2 ? try Values.duration(parts[1]) : nil)
    }

    // MARK: Running

    private static func run(_ arguments: Arguments) async throws -> ExitStatus {
        let (signals, received) = AsyncStream.makeStream(of: Int32.self)
        Signals.take { signal, _ in received.yield(signal) }

        let file = try arguments[state].map { try StateFile($0) }
        let authority = try authority(arguments, restoring: file)
        try addBudgets(arguments, to: authority)
        let keys = try keys(arguments, authority)
        for key in arguments.all(adminKey) { authority.addAdminAPIKey(key) }
        try setTenants(arguments, among: keys.map(\.tenant), of: authority)
        for failure in arguments.all(failure) { authority.failNext(failure.code, retryAfter: failure.retryAfter) }

        let front = ServedAuthority(authority, writesLog: arguments[log])
        let server = LoopbackServer(
            front,
            host: arguments[host] ?? "127.0.0.1",
            port: UInt16(arguments[port] ?? 7_878)
        )
        do throws(LoopbackServerError) {
            try server.start()
        } catch {
            throw ToolFailure("cycles serve: \(error); choose another with --port or --host")
        }
        // Only now: a server that does not start leaves the state as it was.
        front.markChanged()
        guard save(front, authority, in: file) else {
            server.stop()
            return .failure
        }
        announce(server, authority, keys, file)
        let saving = Task {
            while (try? await Task.sleep(for: .milliseconds(500))) != nil { save(front, authority, in: file) }
        }
        for await _ in signals { break }
        server.stop()
        saving.cancel()
        await saving.value
        guard save(front, authority, in: file) else { return .failure }
        Console.error("cycles serve: ended\(file.map { ", everything is in \($0.path)" } ?? "")")
        return .success
    }

    private static func authority(_ arguments: Arguments, restoring file: StateFile?) throws -> LocalAuthority {
        var options = LocalAuthority.Options()
        if let count = arguments[maxExtensions] { options.maxExtensions = count }
        if let span = arguments[maxTimeToLive] { options.maxTimeToLive = span }
        options.maxLead = arguments[maxLead]
        options.emitsEvidence = arguments[evidence]
        guard let file, let contents = try file.contents() else { return LocalAuthority(options: options) }
        do throws(LocalAuthority.RestoreError) {
            return try LocalAuthority(restoring: contents, options: options)
        } catch {
            throw ToolFailure("cycles serve: \(file.path) cannot be used: \(error); name another file, or remove it")
        }
    }

    private static func addBudgets(_ arguments: Arguments, to authority: LocalAuthority) throws {
        var budgets = arguments.all(budget)
        if budgets.isEmpty && authority.balances().isEmpty {
            budgets = [Budget(scope: "tenant:acme", allocated: .tokens(1_000_000))]
        }
        var names: Set<String> = []
        for budget in budgets {
            guard names.insert("\(budget.scope) \(budget.allocated.unit)").inserted else {
                throw ToolFailure(
                    "cycles serve: \(budget.scope) has two budgets in \(budget.allocated.unit); give one",
                    status: .misuse
                )
            }
            authority.add(budget)
        }
    }

    private static func setTenants(
        _ arguments: Arguments,
        among tenants: [String],
        of authority: LocalAuthority
    ) throws {
        let statuses: [(option: Option<String>, status: LocalAuthority.TenantStatus)] = [
            (reopened, .active), (suspended, .suspended), (closed, .closed),
        ]
        for (option, status) in statuses {
            for tenant in arguments.all(option) {
                guard tenants.contains(tenant) else {
                    throw ToolFailure(
                        "cycles serve: \(option.declaration.label) \(tenant): there is no such tenant; they are "
                            + tenants.joined(separator: ", "),
                        status: .misuse
                    )
                }
                authority.setTenant(tenant, status: status)
            }
        }
    }

    /// All tenants, with the keys that were made up for those that have none.
    private static func keys(_ arguments: Arguments, _ authority: LocalAuthority) throws -> [(
        tenant: String, key: String?
    )] {
        var tenants: [String] = []
        for scope in arguments.all(budget).map(\.scope) + authority.balances().map(\.scope) {
            guard scope.hasPrefix("tenant:") else { continue }
            let tenant = String(scope.dropFirst("tenant:".count).prefix { $0 != "/" })
            if !tenants.contains(tenant) { tenants.append(tenant) }
        }
        var given: Set<String> = []
        for key in arguments.all(apiKey) {
            guard let tenant = key.tenant ?? tenants.first else {
                throw ToolFailure("cycles serve: whose is the key? Give --api-key TENANT=KEY", status: .misuse)
            }
            // As a variable that is not set leaves it. Keys that do end in = are not those of a tenant and nothing else.
            if key.tenant == nil, key.key.hasSuffix("="), tenants.contains(String(key.key.dropLast())) {
                throw ToolFailure("cycles serve: the key of tenant \(key.key.dropLast()) is empty", status: .misuse)
            }
            authority.addAPIKey(key.key, tenant: tenant)
            given.insert(tenant)
            if !tenants.contains(tenant) { tenants.append(tenant) }
        }
        guard !tenants.isEmpty else {
            throw ToolFailure(
                "cycles serve: no budget is a tenant's, and there is no key; begin a scope with tenant:, or give --api-key TENANT=KEY",
                status: .misuse
            )
        }
        return tenants.map { tenant in
            if given.contains(tenant) { return (tenant, nil) }
            let digits = Array("0123456789abcdefghijklmnopqrstuvwxyz")
            let key = "cyc_dev_" + String((0..<28).map { _ in digits[Int.random(in: 0..<digits.count)] })
            authority.addAPIKey(key, tenant: tenant)
            return (tenant, key)
        }
    }

    private static func announce(
        _ server: LoopbackServer,
        _ authority: LocalAuthority,
        _ keys: [(tenant: String, key: String?)],
        _ file: StateFile?
    ) {
        Console.line("A budget authority for development and tests; for production, run a Cycles server.")
        Console.line()
        Console.lines(TextTable(authority.balances()).lines)
        Console.line()
        Console.line("export CYCLES_BASE_URL=\(server.baseURL)")
        for (tenant, key) in keys {
            let rest = key.map { " CYCLES_API_KEY=\($0)" } ?? "  # and the key that was given"
            Console.line("export CYCLES_TENANT=\(tenant)\(rest)")
        }
        Console.line()
        if !DoctorCommand.isThisMachine(server.baseURL) {
            Console.error("cycles serve: whoever can reach this address can read what is sent, keys included")
        }
        Console.line("Serving at \(server.baseURL)\(file.map { ", state in \($0.path)" } ?? ""); Ctrl-C ends it.")
    }

    @discardableResult
    private static func save(_ front: ServedAuthority, _ authority: LocalAuthority, in file: StateFile?) -> Bool {
        guard let file, front.takeChange() else { return true }
        do {
            try file.save(authority)
            return true
        } catch {
            // It is tried again, since what changed is still to be kept.
            front.markChanged()
            Console.error("cycles serve: the state is not kept: \(error)")
            return false
        }
    }
}

extension LocalAuthority {
    fileprivate func add(_ budget: ServeCommand.Budget) {
        setBudget(
            scope: budget.scope,
            allocated: budget.allocated,
            overdraftLimit: budget.overdraftLimit,
            caps: budget.caps,
            status: budget.status
        )
    }
}
