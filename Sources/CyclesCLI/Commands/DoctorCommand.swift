import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `cycles doctor`: checks the configuration and the server, and gives advice.
enum DoctorCommand {
    static let command = Command(
        name: "doctor",
        summary: "Checks configuration, server, TLS, key, clock, journal and the needs of run.",
        discussion: """
            Each line says ok, warn, FAIL or skip, and gives advice. A check is skipped if it needs one that failed. The
            command reads one page of reservations, and changes nothing at the server. For a moment it creates a file
            for usage reports, as run does. The status is 1 if a check fails.
            """,
        sections: [("Options", [ConnectionOptions.journal, json]), ConnectionOptions.section]
    ) { arguments in
        var findings: [Finding] = []
        var journal: SettlementJournal?
        do {
            journal = SettlementJournal(try ConnectionOptions.journalPlace(arguments))
            let configuration = try ConnectionOptions.configuration(arguments, usesJournal: true)
            // Creating a client checks the configuration.
            _ = try CyclesClient(configuration: configuration.forDoctor)
            findings.append(Finding(.ok, "configuration", describe(configuration)))
            findings += keyFile(arguments)
            findings += await server(configuration)
            journal = SettlementJournal(configuration)
        } catch let failure as ToolFailure {
            findings.append(Finding(.fail, "configuration", failure.message))
        } catch CyclesError.configuration(let issue) {
            findings.append(Finding(.fail, "configuration", "\(ErrorReport.name(issue.name)) \(issue.message)"))
        }
        findings += skipped(after: findings)
        if let journal { findings += check(journal) }
        findings.append(reports(in: UsageFile.places))
        findings.append(process(getpid()))
        if arguments[json] {
            Console.json(JSONValue.array(findings.map(\.document)).encoded)
        } else {
            Console.lines(findings.map(\.line))
        }
        return findings.contains { $0.result == .fail } ? .failure : .success
    }

    private static let json = Flag("json", "Print an array of findings, for programs.")

    struct Finding: Hashable, Sendable {
        enum Result: String, Hashable, Sendable {
            case ok = "ok"
            case warn = "warn"
            case fail = "FAIL"
            case skip = "skip"
        }

        var result: Result
        var subject: String
        var text: String

        init(_ result: Result, _ subject: String, _ text: String) {
            self.result = result
            self.subject = subject
            self.text = text
        }

        var document: JSONValue {
            ["result": .string(result.rawValue.lowercased()), "subject": .string(subject), "text": .string(text)]
        }

        var line: String {
            func padded(_ text: String, _ width: Int) -> String {
                text + String(repeating: " ", count: max(1, width - text.count))
            }
            return padded(result.rawValue, 6) + padded(subject, 15) + text
        }
    }

    private static func describe(_ configuration: CyclesConfiguration) -> String {
        let tenant = configuration.tenant.map { "tenant \($0)" } ?? "no tenant: subjects have to name one"
        return "\(configuration.baseURL), \(tenant)"
    }

    // MARK: Key

    private static func keyFile(_ arguments: Arguments) -> [Finding] {
        guard let path = ConnectionOptions.usedKeyFile(arguments), path != "-", Files.isReadableByOthers(path) else {
            return []
        }
        return [Finding(.warn, "key file", "\(path) can be read by others; chmod 600 \(path)")]
    }

    // MARK: Server

    /// The checks of the server that a failure has made impossible.
    private static func skipped(after findings: [Finding]) -> [Finding] {
        guard let failure = findings.first(where: { $0.result == .fail }) else { return [] }
        let checked = findings.map(\.subject)
        return ["server", "TLS", "API key", "clock"].filter { !checked.contains($0) }.map {
            Finding(.skip, $0, "not checked, because the check of \(failure.subject) failed")
        }
    }

    private static func server(_ configuration: CyclesConfiguration) async -> [Finding] {
        var findings: [Finding] = []
        let start = ContinuousClock.now
        do throws(CyclesError) {
            let client = try CyclesClient(configuration: configuration.forDoctor)
            let answer = try await client.listReservations(ReservationQuery(limit: 1))
            await client.shutdown()
            let span = ContinuousClock.now - start
            findings.append(Finding(.ok, "server", "answered in \(Instants.milliseconds(span)) ms"))
            findings.append(transport(configuration))
            findings.append(key(configuration, tenant: answer.http.tenant))
            findings.append(
                clock(answer.http.headers["Date"], tolerance: max(5_000, Instants.milliseconds(span) + 1_000))
            )
        } catch {
            findings += explain(error, configuration)
        }
        return findings
    }

    private static func explain(_ error: CyclesError, _ configuration: CyclesConfiguration) -> [Finding] {
        if case .transport(let failure) = error {
            guard failure.kind == .tls else {
                return [Finding(.fail, "server", failure.message)]
            }
            return [Finding(.ok, "server", "is reachable"), Finding(.fail, "TLS", failure.message)]
        }
        guard let status = error.status else { return [Finding(.fail, "server", "\(error)")] }
        let reached = [Finding(.ok, "server", "answered \(status)"), transport(configuration)]
        switch status {
        case 401, 403: return reached + [Finding(.fail, "API key", "\(error)")]
        case 404 where configuration.baseURL.hasSuffix("/v1") || configuration.baseURL.hasSuffix("/v1/"):
            return reached + [Finding(.fail, "protocol", "\(error); leave /v1 out of the base URL: it is added")]
        default: return reached + [Finding(.fail, "protocol", "\(error)")]
        }
    }

    private static func transport(_ configuration: CyclesConfiguration) -> Finding {
        let url = configuration.baseURL.lowercased()
        if url.hasPrefix("https:") { return Finding(.ok, "TLS", "the certificate is valid") }
        if configuration.unixSocketPath != nil {
            return Finding(.ok, "TLS", "none, and none is needed on a Unix socket")
        }
        if isThisMachine(url) { return Finding(.ok, "TLS", "none, and none is needed on this machine") }
        return Finding(
            .warn,
            "TLS",
            "none: the API key can be read on the network; use https, unless the network is private"
        )
    }

    /// - Parameter url: The URL in lower case.
    static func isThisMachine(_ url: String) -> Bool {
        let rest = url.dropFirst("http://".count)
        if rest.hasPrefix("[::1]") { return true }
        let host = rest.prefix { $0 != ":" && $0 != "/" }
        return host == "localhost" || (host.hasPrefix("127.") && host.allSatisfy { $0 == "." || $0.isNumber })
    }

    private static func key(_ configuration: CyclesConfiguration, tenant: String?) -> Finding {
        guard let tenant else { return Finding(.ok, "API key", "accepted") }
        guard let configured = configuration.tenant, configured != tenant else {
            return Finding(.ok, "API key", "accepted, of tenant \(tenant)")
        }
        return Finding(
            .fail,
            "API key",
            "it is of tenant \(tenant), not \(configured); use another key, or --tenant \(tenant)"
        )
    }

    private static func clock(_ date: String?, tolerance: Int64) -> Finding {
        guard let date, let server = Instants.milliseconds(httpDate: date) else {
            return Finding(.ok, "clock", "the server sends no Date")
        }
        let difference = abs(server - Instants.now)
        guard difference > tolerance else { return Finding(.ok, "clock", "agrees with the server's") }
        return Finding(
            .warn,
            "clock",
            "differs from the server's by \(Instants.span(difference)): leases do not depend on it, records and logs do; "
                + "synchronise the clock"
        )
    }

    // MARK: The needs of run

    /// Creates a file for usage reports as `run` does, and removes it.
    static func reports(in places: [String]) -> Finding {
        do throws(SystemFailure) {
            let file = try UsageFile(in: places)
            defer { file.remove() }
            guard file.isInMemory else { return Finding(.ok, "reports", "run keeps them in \(places.first ?? "")") }
            return Finding(
                .warn,
                "reports",
                "run keeps them in memory, since neither of \(places.joined(separator: ", ")) can be written; commands "
                    + "need /proc to report by path"
            )
        } catch {
            return Finding(.fail, "reports", "\(error); set TMPDIR to a directory that can be written")
        }
    }

    static func process(_ id: Int32) -> Finding {
        let role =
            id == 1
            ? "the first process of a container: run passes signals on and reaps orphans"
            : "not the first process of a container"
        return Finding(.ok, "process", "\(id), \(role)")
    }

    // MARK: Journal

    private static func check(_ journal: SettlementJournal) -> [Finding] {
        if let problem = journal.problem {
            let result = journal.directory == nil ? Finding.Result.warn : .fail
            return [
                Finding(
                    result,
                    "journal",
                    "\(problem.message): a settlement that does not succeed at once is lost with its process"
                )
            ]
        }
        do throws(JournalProblem) {
            let identities = try journal.identities()
            let entries = identities.flatMap(\.entries)
            func count(_ state: SettlementJournal.State, isOwn: Bool) -> Int {
                identities.filter { $0.isOwn == isOwn }.flatMap(\.entries).count { $0.state == state }
            }
            var findings = [
                Finding(.ok, "journal", "\(journal.directory ?? ""), \(count(.pending, isOwn: true)) pending")
            ]
            let logged = entries.count { $0.isLogged }
            if logged > 0 {
                findings.append(
                    Finding(
                        .warn,
                        "journal",
                        "\(logged) in the logs of processes that have ended; cycles journal flush takes them over"
                    )
                )
            }
            let logs = try journal.logsInUse().count
            if logs > 0 {
                let plural = logs == 1 ? "log of a running process" : "logs of running processes"
                findings.append(Finding(.ok, "journal", "\(logs) \(plural), whose settlements are not counted"))
            }
            let others = count(.pending, isOwn: false)
            if others > 0 {
                findings.append(
                    Finding(
                        .warn,
                        "journal",
                        "\(others) pending of another base URL, tenant or key; cycles journal list shows them"
                    )
                )
            }
            let aside = entries.count { $0.state != .pending }
            if aside > 0 {
                findings.append(
                    Finding(
                        .warn,
                        "journal",
                        "\(aside) rejected or corrupt; settle them by hand, see cycles journal list"
                    )
                )
            }
            return findings
        } catch {
            return [Finding(.fail, "journal", "\(error)")]
        }
    }
}

extension CyclesConfiguration {
    /// The configuration without journal and admin key, so that requests use the API key.
    fileprivate var forDoctor: CyclesConfiguration {
        var copy = self
        copy.journal = .disabled
        copy.adminAPIKey = nil
        return copy
    }
}
