import Cycles

/// `cycles journal`: shows and settles the records of the journal.
enum JournalCommand {
    static let command = Command(
        name: "journal",
        summary: "Shows and settles spend that may not be in the ledger yet.",
        subcommands: [list, flush, discard]
    )

    // MARK: Listing

    private static let json = Flag("json", "Print a JSON document, for programs.")

    private static let list = Command(
        name: "list",
        summary: "Lists the files of the journal.",
        discussion: """
            A pending settlement is attempted while a client with its identity runs. An identity is a base URL and a
            tenant or, without a tenant, an API key. The server refused a rejected settlement permanently. A corrupt
            file is not a valid settlement. Rejected and corrupt files stay until they are discarded. Settlements in the logs of
            processes that have ended are listed, too. The next client, or cycles journal flush, moves them to files.

            Without a base URL and an API key, no identity is marked as own.
            """,
        sections: [("Options", [ConnectionOptions.journal, json]), ConnectionOptions.section]
    ) { arguments in
        let journal = try journal(arguments)
        let identities = try journal.identities()
        if arguments[json] {
            Console.json(document(journal, identities).encoded)
            return .success
        }
        guard let directory = journal.directory else {
            Console.line("No journal is kept: it is disabled, or there is no home directory.")
            return .success
        }
        guard Files.exists(directory) else {
            Console.line("There is no journal: \(directory) does not exist, and is created with the first record.")
            return .success
        }
        Console.line("The journal is in \(directory).")
        let logs = try journal.logsInUse()
        if !logs.isEmpty {
            Console.line("Running processes have logs of their own, which are not listed:")
            for log in logs { Console.line("  \(log)") }
        }
        guard !identities.isEmpty else {
            Console.line(logs.isEmpty ? "It contains no settlements." : "It contains no other settlements.")
            return .success
        }
        var table = TextTable(["IDENTITY", "STATE", "RESERVATION", "ACTUAL", "ACTION", "AGE", "SERVER"])
        for identity in identities {
            for entry in identity.entries {
                table.add([
                    identity.name + (identity.isOwn ? " (own)" : ""), state(entry),
                    entry.reservationID?.rawValue ?? fileName(entry), entry.actual?.withDollars ?? "-",
                    entry.action.map { "\($0.kind)/\($0.name)" } ?? "-",
                    entry.recordedAtMilliseconds.map { Instants.span(Instants.now - $0) } ?? "-", entry.baseURL ?? "-",
                ])
            }
        }
        Console.line()
        Console.lines(table.lines)
        Console.line()
        for identity in identities {
            if let problem = identity.problem { Console.line("\(identity.name) cannot be read: \(problem)") }
            for entry in identity.entries {
                guard let reason = entry.rejection ?? entry.problem else { continue }
                Console.line("\(entry.reservationID?.rawValue ?? fileName(entry)): \(reason)")
            }
        }
        Console.lines(advice(identities))
        return .success
    }

    private static func state(_ entry: SettlementJournal.Entry) -> String {
        let wait = entry.notBeforeMilliseconds.map { $0 - Instants.now } ?? 0
        guard entry.state == .pending, wait > 0 else { return entry.state.rawValue }
        return "pending, in \(Instants.span(wait))"
    }

    private static func advice(_ identities: [SettlementJournal.Identity]) -> [String] {
        let entries = identities.flatMap(\.entries)
        var sentences: [String] = []
        if identities.contains(where: { $0.isOwn && $0.entries.contains { $0.state == .pending } }) {
            sentences.append("cycles journal flush settles the pending records of this configuration.")
        }
        if identities.contains(where: { !$0.isOwn && $0.entries.contains { $0.state == .pending } }) {
            sentences.append(
                "A client with the same base URL, and the same tenant or key, settles the records of another identity."
            )
        }
        if entries.contains(where: { $0.state != .pending }) {
            sentences.append(
                "Settle rejected and corrupt records by hand, then remove them with cycles journal discard."
            )
        }
        return sentences
    }

    private static func document(_ journal: SettlementJournal, _ identities: [SettlementJournal.Identity]) -> JSONValue
    {
        .object([
            "directory": journal.directory.map(JSONValue.string) ?? nil,
            "identities": .array(
                identities.map { identity in
                    .object([
                        "name": .string(identity.name), "is_own": .bool(identity.isOwn),
                        "problem": identity.problem.map(JSONValue.string) ?? nil,
                        "entries": .array(identity.entries.map { document($0, in: journal) }),
                    ])
                }
            ),
        ])
    }

    private static func document(_ entry: SettlementJournal.Entry, in journal: SettlementJournal) -> JSONValue {
        func text(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
        func number(_ number: Int64?) -> JSONValue { number.map { .number(JSONNumber($0)) } ?? .null }
        let actual = entry.actual.map {
            JSONValue.object(["amount": number($0.amount), "unit": .string($0.unit.rawValue)])
        }
        // The whole file, including bodies, subject and action.
        let record = (try? journal.contents(of: entry)).flatMap { try? JSONValue(parsing: $0) }
        return .object([
            "path": .string(entry.path), "state": .string(entry.state.rawValue),
            "reservation_id": text(entry.reservationID?.rawValue), "base_url": text(entry.baseURL),
            "is_event": .bool(entry.isEvent), "is_logged": .bool(entry.isLogged), "actual": actual ?? .null,
            "idempotency_key": text(entry.idempotencyKey?.rawValue),
            "recorded_at_ms": number(entry.recordedAtMilliseconds),
            "not_before_ms": number(entry.notBeforeMilliseconds), "rejection": text(entry.rejection),
            "problem": text(entry.problem), "record": record ?? .null,
        ])
    }

    // MARK: Settling

    private static let timeout = Option(
        "timeout",
        "TIME",
        "The time to wait for the server; 30s by default.",
        parse: Values.duration
    )

    private static let flush = Command(
        name: "flush",
        summary: "Settles the pending records of this configuration.",
        discussion: """
            Attempts each record now, even if another process attempted it recently, but not before a time set by the
            server. Skips records that a running process is sending.

            The status is 65 if a file was set aside: a settlement that the server refused permanently, or a corrupt file.
            It is 75 if settlements are still pending.
            """,
        sections: [("Options", [timeout, ConnectionOptions.journal]), ConnectionOptions.section]
    ) { arguments in
        var configuration = try ConnectionOptions.configuration(arguments, usesJournal: true)
        guard configuration.journal != .disabled else {
            throw ToolFailure("the journal is disabled; name one with --journal", status: .misuse)
        }
        let findings = FlushFindings()
        configuration.observer = findings
        let client = try CyclesClient(configuration: configuration)
        let report = await client.flush(timeout: arguments[timeout] ?? .seconds(30))
        let pending = await client.pendingSettlements()
        await client.shutdown(timeout: .zero)
        for line in findings.lines { Console.error(line) }
        Console.line(
            "\(report.settled - findings.refused) settled, \(findings.refused) rejected, \(pending.count) still pending."
        )
        for settlement in pending {
            let reason =
                settlement.lastError.map { "\($0)" }
                ?? "it was not attempted: the server asked to wait, or others are attempted first"
            Console.line("  \(settlement.reservationID): \(reason)")
        }
        if report.stillPending > pending.count {
            Console.error(
                "cycles journal flush: the journal could not be read completely in time; set a longer --timeout"
            )
        }
        // Status 65 takes precedence: set-aside files are reported once, pending ones again by the next flush.
        if findings.setAside > 0 { return .setAside }
        if report.stillPending > 0 || !pending.isEmpty { return .temporary }
        return findings.refused == 0 ? .success : .failure
    }

    // MARK: Discarding

    private static let names = Operand(
        "NAME",
        "A reservation, or the name or path of a file.",
        isRepeatable: true,
        parse: Values.text
    )
    private static let pending = Flag("pending", "Allow pending settlements too: their spend never reaches the ledger.")

    private static let discard = Command(
        name: "discard",
        summary: "Prints files of the journal, and removes them permanently.",
        discussion: """
            Removes rejected and corrupt files. Settle their spend by hand first. Each file is printed on one line
            before it is removed: a JSON document unchanged, any other text as a JSON string.
            """,
        sections: [("Options", [names, pending, ConnectionOptions.journal]), ConnectionOptions.section]
    ) { arguments in
        let journal = try journal(arguments)
        let entries = try journal.identities().flatMap(\.entries)
        var chosen: [SettlementJournal.Entry] = []
        for name in arguments.all(names) {
            let matches = entries.filter {
                $0.path == name || fileName($0) == name || $0.reservationID?.rawValue == name
            }
            guard let match = matches.first else {
                throw ToolFailure("\(name) is not in the journal; see cycles journal list")
            }
            // Several servers may use the same id, and a reservation may have a file in each state.
            guard matches.count == 1 else {
                throw ToolFailure(
                    "\(name) matches several files; give the path of one:",
                    details: matches.map { "  \($0.path)" }
                )
            }
            if !chosen.contains(match) { chosen.append(match) }
        }
        // The check precedes all removals: all files are removed, or none.
        if let kept = chosen.first(where: { $0.state == .pending }), !arguments[pending] {
            throw ToolFailure(
                "\(kept.reservationID?.rawValue ?? kept.path) is pending: if it is discarded, its spend does not "
                    + "reach the ledger; settle it with cycles journal flush, or discard it with --pending"
            )
        }
        for entry in chosen {
            let contents: [UInt8]
            do throws(JournalProblem) {
                contents = try journal.contents(of: entry)
            } catch {
                throw ToolFailure("\(error.message); inspect it, and remove it with rm")
            }
            guard let document = document(contents) else {
                throw ToolFailure(
                    "\(entry.path) is not text; inspect it, and remove it with rm"
                )
            }
            // A file is removed only after its contents were printed.
            Console.json(document)
            if let failure = Console.failure {
                throw ToolFailure("\(failure); \(entry.path) stays", status: .unprinted)
            }
            try journal.discard(entry)
            Console.error("discarded \(entry.path)")
        }
        return .success
    }

    /// The contents of a file as JSON: unchanged if they are JSON, as a string if they are other text; nil if they are
    /// not text.
    private static func document(_ contents: [UInt8]) -> [UInt8]? {
        if (try? JSONValue(parsing: contents)) != nil { return contents }
        return String(validating: contents, as: UTF8.self).map { JSONValue.string($0).encoded }
    }

    // MARK: Selecting the journal

    /// The journal of the configuration. Without a server and a key, no identity is the own one.
    private static func journal(_ arguments: Arguments) throws -> SettlementJournal {
        do {
            return SettlementJournal(try ConnectionOptions.configuration(arguments, usesJournal: true))
        } catch let failure as ToolFailure where failure.status == .misuse {
            return SettlementJournal(try ConnectionOptions.journalPlace(arguments))
        }
    }

    private static func fileName(_ entry: SettlementJournal.Entry) -> String {
        entry.path.split(separator: "/").last.map(String.init) ?? entry.path
    }
}
