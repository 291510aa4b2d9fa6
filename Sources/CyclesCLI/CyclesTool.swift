import Cycles

/// The executable `cycles`.
@main
struct CyclesTool {
    /// Not asynchronous: an asynchronous `main` gives the process's first thread away before anything of it runs, and
    /// signals would be delivered to that thread, whatever is blocked elsewhere.
    static func main() {
        do throws(Misuse) {
            let invocation = try command.invocation(of: Array(CommandLine.arguments.dropFirst()))
            Descriptors.rememberInherited()
            if case .run(let command, _) = invocation { Signals.block(command.signals) }
            Task.detached { SystemCalls.exit(await status(of: invocation).code) }
            while true { SystemCalls.pause() }
        } catch {
            Console.error("\(error)")
            SystemCalls.exit(ExitStatus.misuse.code)
        }
    }

    static let command: Command = Command(
        name: "cycles",
        summary: "Asks a Cycles budget authority before money is spent, and tells it what was spent.",
        discussion: """
            Where the server is, and the key that it knows you by, come from the environment: CYCLES_BASE_URL, and \
            CYCLES_API_KEY or CYCLES_API_KEY_FILE. A TRACEPARENT there goes with every request.

            Exit statuses:

            \(ExitStatus.table)
            """,
        version: CyclesVersion.current,
        subcommands: [RunCommand.command] + OperationCommands.all + [
            WatchCommand.command, JournalCommand.command, DoctorCommand.command, ServeCommand.command, Demo.command,
            CompletionCommand.command,
        ]
    )

    private static func status(of invocation: Invocation) async -> ExitStatus {
        do {
            switch invocation {
            case .help(let path):
                Console.line(path.helpText)
                return .success
            case .version(let version):
                Console.line(version)
                return .success
            case .run(let command, let arguments):
                guard let run = command.run else { return .success }
                let trace = Environment.text("TRACEPARENT").flatMap { TraceContext(parsing: $0) }
                return try await TraceContext.$current.withValue(trace) { try await run(arguments) }
            }
        } catch let failure as ToolFailure {
            Console.error(failure.message)
            return failure.status
        } catch let error as CyclesError {
            Console.error(ErrorReport.text(error))
            return ErrorReport.status(of: error)
        } catch {
            Console.error("\(error)")
            return .failure
        }
    }
}
