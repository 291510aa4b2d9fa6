import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `cycles mcp`: a server of the Model Context Protocol over standard input and output.
enum MCPCommand {
    private static let readOnly = Flag(
        "read-only",
        "Offer only the tools that change nothing: \(BudgetTool.allCases.filter(\.isReadOnly).map(\.rawValue).joined(separator: ", "))."
    )
    private static let allow = Option(
        "allow",
        "TOOL,…",
        "Offer only these tools.",
        completion: .words(BudgetTool.allCases.map(\.rawValue)),
        parse: parseTools
    )
    private static let largest = Option(
        "max-estimate",
        "AMOUNT",
        """
        Refuse reservations, decisions and events of more than this amount, such as 5000:TOKENS, or in other units. \
        Repeat for further units.
        """,
        isRepeatable: true,
        parse: Values.amount
    )
    private static let demo = Flag(
        "demo",
        "Use an authority in this process, with 100000 TOKENS for tenant acme, instead of a server."
    )
    private static let printConfiguration = Option(
        "print-config",
        "PROGRAM",
        "Print the entry for the configuration of claude, cursor or vscode, with the other options, and end.",
        completion: .words(MCPConfiguration.allCases.map(\.rawValue)),
        parse: Values.word(["claude": MCPConfiguration.claude, "cursor": .cursor, "vscode": .vscode])
    )

    static let command = Command(
        name: "mcp",
        summary: "Lets agents ask for budget: serves the Model Context Protocol over standard input and output.",
        discussion: """
            A program that runs agents, such as Claude, Cursor or Visual Studio Code, starts this command. Its agents can
            then reserve budget before they act, commit what they spent, and look up balances. --print-config prints the
            entry for the program's configuration.

            Reservations are extended until they are settled. Commits are kept in the journal until the server has them.
            The end of the input ends the session: holds are released, and the status is 0. SIGTERM does the same, and
            cancels calls in progress. Messages for people go to standard error.
            """,
        sections: [
            ("Options", [readOnly, allow, largest, demo, printConfiguration, ConnectionOptions.journal]),
            ConnectionOptions.section,
        ],
        examples: [
            "cycles mcp --demo",
            "cycles mcp --allow cycles_reserve,cycles_commit,cycles_release --max-estimate 5000:TOKENS",
            "cycles mcp --print-config claude",
        ],
        signals: .endingButNoPipe,
        run: run
    )

    private static func parseTools(_ text: String) throws(InvalidValue) -> [BudgetTool] {
        var tools: [BudgetTool] = []
        for name in text.split(separator: ",") {
            guard let tool = BudgetTool(rawValue: String(name)) else {
                let known = BudgetTool.allCases.map(\.rawValue)
                let similar = Spelling.nearest(to: String(name), among: known).map { ", perhaps \($0)" } ?? ""
                throw InvalidValue(expectation: "of \(known.joined(separator: ", ")) only: not \(name)\(similar)")
            }
            tools.append(tool)
        }
        guard !tools.isEmpty else { throw InvalidValue(expectation: "one tool or more, separated by commas") }
        return tools
    }

    // MARK: Running

    // Programs end a server that takes longer than two seconds to end. At the end, a commit in progress waits for its
    // answer, and then the session for what is not confirmed.
    /// The maximum wait of a commit for its answer.
    private static let inlineBudget = Duration.milliseconds(1_000)
    /// The maximum wait at the end for what is not confirmed.
    private static let patience = Duration.milliseconds(700)
    /// The maximum length of a message in bytes.
    private static let maximumLine = 1_024 * 1_024

    private static func run(_ arguments: Arguments) async throws -> ExitStatus {
        if let program = arguments[printConfiguration] {
            let words = Array(CommandLine.arguments.dropFirst())
            Console.page(program.entry(program: Files.program, words: words, environment: Environment.text))
            return .success
        }
        let client = try client(arguments)
        let writer = MessageWriter(write: Console.message)
        let server = MCPServer(try permissions(arguments), client, executor: FirstThread.executor, send: writer.enqueue)
        let signal = Lock<Int32?>(nil)
        Signals.take { received in
            signal.withLock { $0 = received.number }
            server.interrupt()
        }
        guard writer.start(failed: server.interrupt), Threads.start({ read(for: server, writer) }) else {
            throw ToolFailure(
                "the system gives the tool no thread; raise the limit on threads (ulimit -u, or pids.max of the cgroup)",
                status: .temporary
            )
        }
        if isatty(STDIN_FILENO) == 1 {
            Console.error("cycles mcp: waiting for messages of the Model Context Protocol; Ctrl-D ends the session")
        }
        await server.finish()
        await end(client)
        let deadline = ContinuousClock.now + patience
        while !writer.isIdle, signal.withLock({ $0 == nil }) || .now < deadline {
            await FirstThread.pause(.milliseconds(5))
        }
        // Ctrl-C must also end a loop of the shell. To the program that started the server, any other end is a success.
        return signal.withLock { $0 } == Signals.interrupt ? .signal(Signals.interrupt) : .success
    }

    private static func client(_ arguments: Arguments) throws -> CyclesClient {
        guard !arguments[demo] else {
            let configuration = Demo.configuration(baseURL: "http://demo.invalid")
            return try CyclesClient(configuration: configuration, transport: Demo.authority())
        }
        guard ConnectionOptions.usedKeyFile(arguments) != "-" else {
            throw ToolFailure(
                "the API key cannot come from standard input, which carries messages; name a file",
                status: .misuse
            )
        }
        var configuration = try ConnectionOptions.configuration(arguments, usesJournal: true)
        configuration.retry.inlineBudget = min(configuration.retry.inlineBudget, inlineBudget)
        return try CyclesClient(configuration: configuration)
    }

    private static func permissions(_ arguments: Arguments) throws -> Permissions {
        var permissions = Permissions(largest: arguments.all(largest))
        if let tools = arguments[allow] { permissions.tools.removeAll { !tools.contains($0) } }
        if arguments[readOnly] { permissions.tools.removeAll { !$0.isReadOnly } }
        guard Set(permissions.largest.map(\.unit)).count == permissions.largest.count else {
            throw ToolFailure(
                "--max-estimate names a unit twice; give one amount for each",
                status: .misuse
            )
        }
        guard !permissions.tools.isEmpty else {
            throw ToolFailure("--read-only and --allow leave no tool; allow another", status: .misuse)
        }
        return permissions
    }

    /// Reads messages until the input ends.
    private static func read(for server: MCPServer, _ writer: MessageWriter) {
        var splitter = LineSplitter(limit: maximumLine)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1_024, alignment: 1)
        defer { buffer.deallocate() }
        while true {
            let count = SystemCalls.readSome(STDIN_FILENO, buffer)
            guard count > 0 else { break }
            for line in splitter.add(UnsafeRawBufferPointer(rebasing: buffer[..<count])) {
                server.receive(line)
                writer.waitForRoom()
            }
        }
        for line in splitter.finish() { server.receive(line) }
        server.endInput()
    }

    /// Waits for the settlements and releases of the session, for a limited time.
    private static func end(_ client: CyclesClient) async {
        await client.flush(timeout: patience, includesReplays: false)
        await client.waitForJournal()
        await client.reportPending(of: "cycles mcp")
        await client.shutdown(timeout: .zero, includesReplays: false)
    }
}
