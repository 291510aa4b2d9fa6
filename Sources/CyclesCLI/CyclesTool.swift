import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The executable `cycles`.
@main
struct CyclesTool {
    /// Synchronous, because an asynchronous `main` leaves the first thread before signals can be blocked there. Signals
    /// would then be delivered to that thread.
    static func main() {
        Descriptors.occupyStandard()
        let words = Array(CommandLine.arguments.dropFirst())
        do throws(Misuse) {
            let invocation = try command.invocation(of: words)
            Descriptors.rememberInherited()
            Signals.block(invocation.signals)
            FirstThread.run { ProcessEnd.leave(await status(of: invocation)) }
        } catch {
            let failure = ToolFailure("\(error)", status: .misuse)
            Console.error(command.asksForJSON(words) ? ErrorReport.json(failure) : failure.message)
            ProcessEnd.leave(failure.status)
        }
    }

    static let command: Command = Command(
        name: "cycles",
        summary: "Reserves budget at a Cycles budget authority before money is spent, and commits the actual spend.",
        discussion: """
            The tool and programs that use the Cycles library read these environment variables. Options take precedence.

            \(ConnectionOptions.variables)

            Exit statuses:

            \(ExitStatus.table)
            """,
        version: CyclesVersion.current,
        subcommands: [RunCommand.command] + OperationCommands.all + [
            EvidenceCommand.command, WebhookCommand.command, WatchCommand.command, JournalCommand.command,
            DoctorCommand.command, ServeCommand.command, MCPCommand.command, Demo.command, CompletionCommand.command,
        ]
    )

    private static func status(of invocation: Invocation) async -> ExitStatus {
        do {
            let status = try await perform(invocation)
            try checkOutput(of: invocation, status)
            return status
        } catch let error as CyclesError {
            report(ErrorReport.lines(error), json: ErrorReport.json(error), of: invocation)
            return ErrorReport.status(of: error)
        } catch {
            let failure = error as? ToolFailure ?? ToolFailure("\(error)")
            report([failure.message] + failure.details, json: ErrorReport.json(failure), of: invocation)
            return failure.status
        }
    }

    /// Prints a failure as JSON for programs, or for people, beginning with the words that call the command.
    private static func report(_ lines: [String], json: String, of invocation: Invocation) {
        guard case .run(let path, _) = invocation, !invocation.isForPrograms else { return Console.error(json) }
        Console.error(["\(path.name): \(lines.first ?? "")"] + lines.dropFirst())
    }

    private static func perform(_ invocation: Invocation) async throws -> ExitStatus {
        switch invocation {
        case .help(let path): Console.page(path.helpText)
        case .version(let version): Console.line(version)
        case .run(let path, let arguments):
            guard let run = path.last?.run else { break }
            let trace = Environment.text("TRACEPARENT").flatMap { TraceContext(parsing: $0) }
            return try await TraceContext.$current.withValue(trace) { try await run(arguments) }
        }
        return .success
    }

    /// Turns a success into a failure if standard output could not be written.
    private static func checkOutput(of invocation: Invocation, _ status: ExitStatus) throws(ToolFailure) {
        guard let failure = Console.failure else { return }
        if failure.code == EPIPE {
            guard invocation.signals != .endingButNoPipe else { return }
            Signals.endWithPipe()
        }
        throw ToolFailure(failure, after: status)
    }
}
