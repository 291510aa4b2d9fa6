import Cycles

/// The executable `cycles`.
@main
struct CyclesTool {
    static func main() async {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            try await run(arguments)
        } catch let failure as ToolFailure {
            Console.error(failure.message)
            Console.exit(failure.status)
        } catch {
            Console.error("\(error)")
            Console.exit(ToolFailure.failed)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        switch arguments {
        case [], ["help"], ["--help"], ["-h"], ["demo", "--help"], ["demo", "-h"]: Console.line(help)
        case ["--version"]: Console.line("cycles \(CyclesVersion.current)")
        case ["demo"]: try await Demo.run()
        default:
            throw ToolFailure(
                "cycles: not understood: \(arguments.joined(separator: " ")); see cycles --help",
                status: ToolFailure.misused
            )
        }
    }

    private static let help = """
        usage: cycles demo

        Shows a budget at work: reserves, acts and commits what the action cost; is refused what is not there; keeps to
        limits that come with permission; gives back what it does not need.

        Without further ado it talks to an authority in its own process, over a socket of 127.0.0.1. With
        CYCLES_BASE_URL and CYCLES_API_KEY in the environment it uses that server, and spends some of its budget.

        cycles --version prints the version, cycles --help this text. The exit status is 0 for success, 1 for a
        failure and 2 for a command line that was not understood.
        """
}

/// Why the tool ends without having done what it was asked.
struct ToolFailure: Error {
    static let failed: Int32 = 1
    static let misused: Int32 = 2

    var message: String
    var status: Int32

    init(_ message: String, status: Int32 = ToolFailure.failed) {
        self.message = message
        self.status = status
    }
}
