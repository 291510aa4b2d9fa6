import Cycles
import CyclesTesting
import Foundation
import Synchronization
import Testing

/// The tool as people run it: a process of its own, one at a time, since each has a processor's worth of work to do.
@Suite(.serialized) struct ToolSuites {}

/// Runs the tool until it ends. Nothing is blocked meanwhile: other tests share the threads.
func cycles(_ arguments: [String], _ environment: [String: String] = [:]) async throws -> RunningTool.Outcome {
    await (try RunningTool(arguments, environment)).outcome()
}

/// An authority with one tenant, one key and one budget.
func testAuthority(_ allocated: Amount = .tokens(100_000)) -> LocalAuthority {
    let authority = LocalAuthority()
    authority.addAPIKey("key-of-the-test", tenant: "acme")
    authority.setBudget(scope: "tenant:acme", allocated: allocated)
    return authority
}

/// Serves an authority, or what stands before it; `environment` tells the tool where.
func withServer<Result>(
    _ transport: any BlockingHTTPTransport,
    _ body: (_ environment: [String: String]) async throws -> Result
) async throws -> Result {
    let server = LoopbackServer(transport)
    try server.start()
    defer { server.stop() }
    return try await body(environment(of: server))
}

private func environment(of server: LoopbackServer) -> [String: String] {
    ["CYCLES_BASE_URL": server.baseURL, "CYCLES_API_KEY": "key-of-the-test", "CYCLES_TENANT": "acme"]
}

/// Something that happens once, and that others look for.
final class Flag: Sendable {
    private let value = Atomic(false)
    var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }
    func set() { value.store(true, ordering: .sequentiallyConsistent) }
}

/// The running tool. Ends when the last reference is released.
final class RunningTool {
    struct Outcome {
        var status: Int32
        var isSignal: Bool
        var output: String
        var errors: String

        /// The signal that ended the tool; nil if it exited.
        var signal: Int32? { isSignal ? status : nil }
    }

    private let process = Process()
    private let folder: URL
    private let hasEnded = Flag()

    /// - Parameters:
    ///   - home: Where it finds what it kept the last time; nil means a folder of its own.
    ///   - terminal: Where its output goes and its input comes from, if it runs on a terminal.
    ///   - input: What it finds on standard input.
    ///   - redirections: Of a shell, for standard streams that are closed or full, such as `>&-`.
    ///   - output: Where its output goes instead, if given.
    ///   - ignoring: Signals that it finds ignored, by their names.
    init(
        _ arguments: [String],
        _ environment: [String: String] = [:],
        home: URL? = nil,
        terminal: Pseudoterminal? = nil,
        input: String = "",
        redirections: String = "",
        output: FileHandle? = nil,
        ignoring ignored: String = ""
    ) throws {
        folder = try Programs.temporaryFolder()
        // Whoever tests may have signals ignored, and what is ignored is inherited.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            ["--default-signal=INT,QUIT,TERM,HUP,PIPE"] + (ignored.isEmpty ? [] : ["--ignore-signal=\(ignored)"])
            + (redirections.isEmpty ? [] : ["/bin/sh", "-c", "exec \"$@\" \(redirections)", "sh"])
            + [Programs.executable("cycles").path] + arguments
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CYCLES_") }
        variables["HOME"] = (home ?? folder).path
        // The folder is removed with the files that a killed tool leaves.
        variables["TMPDIR"] = folder.path
        process.environment = variables.merging(environment) { $1 }
        for file in [outputFile, errorsFile] { try Data().write(to: file) }
        let inputFile = folder.appendingPathComponent("input")
        try input.write(to: inputFile, atomically: true, encoding: .utf8)
        // The process has its own descriptors once it runs; Process would keep these.
        let files = try (
            input: FileHandle(forReadingFrom: inputFile), output: FileHandle(forWritingTo: outputFile),
            errors: FileHandle(forWritingTo: errorsFile)
        )
        defer { for file in [files.input, files.output, files.errors] { try? file.close() } }
        process.standardInput = terminal?.program ?? files.input
        process.standardOutput = terminal?.program ?? output ?? files.output
        process.standardError = files.errors
        process.terminationHandler = { [hasEnded] _ in
            hasEnded.set()
        }
        try process.run()
    }

    deinit {
        if isRunning { kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: folder)
    }

    private var outputFile: URL { folder.appendingPathComponent("output") }
    private var errorsFile: URL { folder.appendingPathComponent("errors") }

    var identifier: Int32 { process.processIdentifier }
    var isRunning: Bool { !hasEnded.isSet }
    var output: String { (try? String(contentsOf: outputFile, encoding: .utf8)) ?? "" }
    var errors: String { (try? String(contentsOf: errorsFile, encoding: .utf8)) ?? "" }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits until its output has a text, or it has ended.
    func says(_ text: String) async {
        await until { output.contains(text) || !isRunning }
    }

    /// Waits until it has ended.
    func outcome() async -> Outcome {
        await until { !isRunning }
        return Outcome(
            status: isRunning ? -1 : process.terminationStatus,
            isSignal: !isRunning && process.terminationReason == .uncaughtSignal,
            output: output,
            errors: errors
        )
    }

    /// The variables that `cycles serve` prints, once it does.
    func servedEnvironment() async -> [String: String] {
        await says("Serving at")
        var result: [String: String] = [:]
        for line in output.split(separator: "\n") where line.hasPrefix("export ") {
            for word in line.dropFirst("export ".count).split(separator: " ") where word.contains("=") {
                let pair = word.split(separator: "=", maxSplits: 1).map(String.init)
                if pair.count == 2, result[pair[0]] == nil { result[pair[0]] = pair[1] }
            }
        }
        return result
    }
}
