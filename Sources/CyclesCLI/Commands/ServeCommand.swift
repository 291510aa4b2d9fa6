import Cycles
import CyclesTesting

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `cycles serve`: serves an in-memory authority over HTTP.
enum ServeCommand {
    // MARK: Options

    private static let host = Option(
        "host",
        "ADDRESS",
        "The numeric address to listen on; 127.0.0.1 by default, which other machines cannot reach.",
        parse: Values.text
    )
    private static let port = Option(
        "port",
        "PORT",
        "The port; 7878 by default, 0 for a free one.",
        parse: Values.whole(to: 65_535)
    )
    private static let budget = Option(
        "budget",
        "SCOPE=AMOUNT",
        """
        A budget, such as tenant:acme/agent:bot=1000:TOKENS or tenant:acme=5USD; may be repeated. ,overdraft=AMOUNT and ,max-tokens=COUNT \
        and ,status=frozen or closed may follow.
        """,
        isRepeatable: true,
        parse: parseBudget
    )
    private static let apiKey = Option(
        "api-key",
        "[TENANT=]KEY",
        "An API key to accept; may be repeated. A tenant without a key is given one, which is printed.",
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
        "A tenant whose keys are refused.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let reopened = Option(
        "reopen",
        "TENANT",
        "A tenant to reopen that is suspended or closed in the --state file.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let closed = Option(
        "close",
        "TENANT",
        "A tenant that is closed: its budgets and reservations no longer change.",
        isRepeatable: true,
        parse: parseTenant
    )
    private static let behavior = Option(
        "behavior",
        "NAME",
        "The server to model: deployed (default), or specification, which follows the text where the two differ.",
        parse: Values.word(["deployed": LocalAuthority.Options.Behavior.deployed, "specification": .specification])
    )
    private static let state = Option(
        "state",
        "FILE",
        "Keep the state, except keys, in this file across restarts. It is written within 0.5 s after a change.",
        completion: .file,
        parse: Values.text
    )
    private static let failure = Option(
        "fail",
        "CODE[:TIME]",
        "Answer one request with this error, with Retry-After if a time is given. Repeat for further requests.",
        isRepeatable: true,
        parse: parseFailure
    )
    private static let maxExtensions = Option(
        "max-extensions",
        "COUNT",
        "The maximum number of extensions of a reservation; 10 by default.",
        parse: Values.whole()
    )
    private static let maxTimeToLive = Option(
        "max-ttl",
        "TIME",
        "The maximum lease that one request is granted; 1h by default.",
        parse: Values.positiveDuration
    )
    private static let maxLead = Option(
        "max-lead",
        "TIME",
        "The maximum time from now until the end of a lease; no limit by default.",
        parse: Values.positiveDuration
    )
    private static let evidence = Flag(
        "evidence",
        "Refer to signed evidence in answers. Everybody has the keys: it proves nothing."
    )
    private static let evidenceSigner = Option(
        "evidence-signer",
        "FORM",
        "The form in which evidence names its signer: key (default) or did.",
        completion: .words(["key", "did"]),
        parse: Values.word(["key": LocalAuthority.Options.EvidenceSigner.publicKey, "did": .identifier])
    )
    private static let rotatesEvidenceKey = Flag(
        "rotate-evidence-key",
        "Sign with a new key from now on. Evidence of the earlier keys in the state still verifies."
    )
    private static let log = Flag("log", "Write a line for each request to standard error.")

    static let command = Command(
        name: "serve",
        summary: "Runs a budget authority for development and tests.",
        discussion: """
            Keeps the protocol's ledger in memory and answers all eleven operations, for development and tests
            without a Cycles server. Not for production: the authority does not scale, has no operators' interface, and
            signs evidence with keys that are public.

            By default the server is reachable from this machine only; see --host. It uses plain HTTP: others on the
            network can read its traffic, including keys. SIGTERM and Ctrl-C end the server.

            Without --budget there is one budget: tenant:acme with 1000000 TOKENS.
            """,
        sections: [
            ("Options", [host, port, budget, apiKey, adminKey, state, log]),
            (
                "Behaviour",
                [
                    behavior, suspended, closed, reopened, failure, maxExtensions, maxTimeToLive, maxLead, evidence,
                    evidenceSigner, rotatesEvidenceKey,
                ]
            ),
        ],
        examples: [
            "cycles serve --budget tenant:acme=1000000:TOKENS --state /tmp/cycles.json",
            "cycles serve --api-key acme=dev-key --fail INTERNAL_ERROR --fail LIMIT_EXCEEDED:2s",
        ],
        signals: .endingButNoPipe,
        run: run
    )

    // MARK: Running

    private static func run(_ arguments: Arguments) async throws -> ExitStatus {
        let (signals, received) = AsyncStream.makeStream(of: Int32.self)
        Signals.take { received.yield($0.number) }

        let file = try arguments[state].map { try StateFile($0) }
        let authority = try authority(arguments, restoring: file)
        try addBudgets(arguments, to: authority)
        let keys = try keys(arguments, authority)
        for key in arguments.all(adminKey) { authority.addAdminAPIKey(key) }
        try setTenants(arguments, among: keys.map(\.tenant), of: authority)
        if arguments[rotatesEvidenceKey] { authority.rotateEvidenceKey() }
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
            guard !SystemCalls.isShortage(error.code) else {
                throw ToolFailure(
                    "\(error); raise the limits of the process (ulimit -u, ulimit -n)",
                    status: .temporary
                )
            }
            throw ToolFailure("\(error); choose another with --port or --host")
        }
        // The first save follows the start: a server that does not start leaves the file unchanged.
        front.markChanged()
        guard save(front, authority, in: file) else {
            server.stop()
            return .failure
        }
        announce(server, authority, keys, file)
        // A closed pipe is not a failure. Any other failure ends the server, because its keys were not printed.
        if let failure = Console.failure, failure.code != EPIPE {
            server.stop()
            throw ToolFailure("\(failure)", status: .unprinted)
        }
        let saving = Task(executorPreference: FirstThread.executor) {
            while !Task.isCancelled {
                await FirstThread.pause(.milliseconds(500))
                save(front, authority, in: file)
            }
        }
        var signal: Int32?
        for await number in signals {
            signal = number
            break
        }
        server.stop()
        saving.cancel()
        await saving.value
        guard save(front, authority, in: file) else { return .failure }
        Console.error("cycles serve: ended\(file.map { "; the state is in \($0.path)" } ?? "")")
        // Ctrl-C must also end a loop of the shell. To a supervisor, a requested end is a success.
        return signal == Signals.interrupt ? .signal(Signals.interrupt) : .success
    }

    private static func authority(_ arguments: Arguments, restoring file: StateFile?) throws -> LocalAuthority {
        var options = LocalAuthority.Options(behavior: arguments[behavior] ?? .deployed)
        if let count = arguments[maxExtensions] { options.maxExtensions = count }
        if let span = arguments[maxTimeToLive] { options.maxTimeToLive = span }
        options.maxLead = arguments[maxLead]
        options.emitsEvidence =
            arguments[evidence] || arguments[rotatesEvidenceKey] || arguments[evidenceSigner] != nil
        if let form = arguments[evidenceSigner] { options.evidenceSigner = form }
        guard let file, let contents = try file.contents() else { return LocalAuthority(options: options) }
        do throws(LocalAuthority.RestoreError) {
            return try LocalAuthority(restoring: contents, options: options)
        } catch {
            throw ToolFailure("\(file.path) cannot be used: \(error); name another file, or remove it")
        }
    }

    private static func addBudgets(_ arguments: Arguments, to authority: LocalAuthority) throws {
        var budgets = arguments.all(budget)
        if budgets.isEmpty && authority.balances().isEmpty {
            budgets = [Budget(scope: "tenant:acme", allocated: .tokens(1_000_000))]
        }
        var names: Set<String> = []
        for budget in budgets {
            let scope = foldsLetterCase(arguments) ? budget.scope.lowercased() : budget.scope
            guard names.insert("\(scope) \(budget.allocated.unit)").inserted else {
                throw ToolFailure(
                    "\(budget.scope) has two budgets in \(budget.allocated.unit); give one",
                    status: .misuse
                )
            }
            authority.add(budget)
        }
    }

    private static func foldsLetterCase(_ arguments: Arguments) -> Bool {
        arguments[behavior] ?? .deployed == .deployed
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
                        "\(option.declaration.label) \(tenant): there is no such tenant; they are "
                            + tenants.joined(separator: ", "),
                        status: .misuse
                    )
                }
                authority.setTenant(tenant, status: status)
            }
        }
    }

    /// All tenants. A tenant without a key gets a generated one.
    private static func keys(_ arguments: Arguments, _ authority: LocalAuthority) throws -> [(
        tenant: String, key: String?
    )] {
        var tenants: [String] = []
        for scope in arguments.all(budget).map(\.scope) + authority.balances().map(\.scopePath) {
            guard scope.hasPrefix("tenant:") else { continue }
            let tenant = String(scope.dropFirst("tenant:".count).prefix { $0 != "/" })
            // The letter case of the option is kept. The ledger may fold it.
            let isKnown = tenants.contains {
                $0 == tenant || foldsLetterCase(arguments) && $0.lowercased() == tenant.lowercased()
            }
            if !isKnown { tenants.append(tenant) }
        }
        var given: Set<String> = []
        for key in arguments.all(apiKey) {
            guard let tenant = key.tenant ?? tenants.first else {
                throw ToolFailure("--api-key names no tenant; give --api-key TENANT=KEY", status: .misuse)
            }
            // `TENANT=` with an empty key results from an unset variable.
            if key.tenant == nil, key.key.hasSuffix("="), tenants.contains(String(key.key.dropLast())) {
                throw ToolFailure("the key of tenant \(key.key.dropLast()) is empty", status: .misuse)
            }
            authority.addAPIKey(key.key, tenant: tenant)
            given.insert(tenant)
            if !tenants.contains(tenant) { tenants.append(tenant) }
        }
        guard !tenants.isEmpty else {
            throw ToolFailure(
                "no budget belongs to a tenant, and no key is given; begin a scope with tenant:, or give --api-key TENANT=KEY",
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
        for (tenant, key) in keys {
            // Each block is complete, because a later block replaces the tenant and the key of earlier ones.
            if keys.count > 1 {
                if tenant != keys.first?.tenant { Console.line() }
                Console.line("# as tenant \(tenant):")
            }
            Console.line("export CYCLES_BASE_URL=\(server.baseURL)")
            let rest = key.map { " CYCLES_API_KEY=\($0)" } ?? "  # with the key of --api-key"
            Console.line("export CYCLES_TENANT=\(tenant)\(rest)")
        }
        Console.line()
        if !DoctorCommand.isThisMachine(server.baseURL) {
            Console.error("cycles serve: others on the network can read the traffic, keys included")
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
            // The change is marked again, so that the next save retries it.
            front.markChanged()
            Console.error("cycles serve: the state cannot be saved: \(error)")
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
