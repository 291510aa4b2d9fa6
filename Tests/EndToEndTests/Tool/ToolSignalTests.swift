import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles run` and signals: those that it passes on, those that end it, and those that call it off.
extension ToolSuites {
    @Suite struct ToolSignalTests {
        private let run = ["run", "--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        /// The spent and reserved amounts in the ledger.
        private func figures(_ authority: LocalAuthority) -> [Int64] {
            let balance = authority.balances().first
            return [balance?.spent?.amount ?? -1, balance?.reserved?.amount ?? -1]
        }

        private func shell(_ script: String) -> [String] { ["--", "/bin/sh", "-c", script] }

        /// Reports how often a signal came, and lives on long enough for a second one.
        private let counting = """
            n=0
            for s in TERM INT HUP QUIT USR1 WINCH; do trap 'n=$((n + 1))' $s; done
            echo ready
            while [ $n -eq 0 ]; do sleep 0.02; done
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 0.02; done
            echo "tokens $n" >> "$CYCLES_USAGE_FILE"
            exit 4
            """

        struct Sent: CustomTestStringConvertible {
            var signal: Int32
            var toGroup: Bool
            var testDescription: String { "\(signal) to \(toGroup ? "the group" : "the tool")" }
            static let all = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGWINCH].flatMap { signal in
                [Sent(signal: signal, toGroup: false), Sent(signal: signal, toGroup: true)]
            }
        }

        @Test(arguments: Sent.all) func signalsReachTheCommandOnce(sent: Sent) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = try RunningTool(run + shell(counting), environment)
                await tool.says("ready")
                // The signal must not go to the group of the tests.
                try #require(getpgid(tool.identifier) == tool.identifier)
                kill(sent.toGroup ? -tool.identifier : tool.identifier, sent.signal)
                let outcome = await tool.outcome()
                #expect(outcome.status == 4 && !outcome.isSignal, "\(outcome)")
                #expect(figures(authority) == [1, 0])
            }
        }

        @Test func whatTheCommandsOwnGroupDoesNotGetIsPassedOn() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = try RunningTool(run + ["--", "setsid", "/bin/sh", "-c", counting], environment)
                await tool.says("ready")
                try #require(getpgid(tool.identifier) == tool.identifier)
                kill(-tool.identifier, SIGTERM)
                #expect(await tool.outcome().status == 4)
                #expect(figures(authority) == [1, 0])
            }
        }

        #if os(Linux)
            @Test(arguments: [[], ["--foreground"]])
            func aSignalOfTimeoutReachesTheCommandOnce(options: [String]) async throws {
                let authority = testAuthority()
                try await withServer(authority) { environment in
                    let arguments = options + ["-s", "INT", "3", Programs.executable("cycles").path] + run
                    let outcome = try await inBackground {
                        try Programs.run(
                            URL(fileURLWithPath: "/usr/bin/timeout"),
                            arguments + shell(counting),
                            environment: environment
                        )
                    }
                    #expect(outcome.status == 124, "\(outcome)")
                    #expect(figures(authority) == [1, 0])
                }
            }

            @Test func theWitnessIsNotTakenForTheToolAndHasNoKey() async throws {
                try await withServer(testAuthority()) { environment in
                    let script = """
                        for p in $(cat /proc/$PPID/task/*/children); do
                            [ $p = $$ ] || { tr '\\0' . < /proc/$p/cmdline | grep -c cycles
                                cat /proc/$p/comm; grep -c key-of-the-test /proc/$p/environ; ls /proc/$p/fd | wc -l; }
                        done
                        """
                    let outcome = try await cycles(run + shell(script), environment)
                    #expect(outcome.output == "0\nsignal-witness\n0\n2\n", "\(outcome)")
                }
            }
        #endif

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP, SIGKILL, SIGSEGV, SIGUSR1])
        func theToolDiesOfTheSignalThatEndedTheCommand(signal: Int32) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let script = "ulimit -c 0; echo tokens 7 >> $CYCLES_USAGE_FILE; kill -\(signal) $$"
                let outcome = try await cycles(run + shell(script), environment)
                #expect(outcome.signal == signal && outcome.errors.isEmpty, "\(outcome)")
                // The settlement comes first.
                #expect(figures(authority) == [7, 0])
            }
        }

        @Test func aSignalDuringTheSettlementEndsTheToolAfterIt() async throws {
            let authority = testAuthority()
            let away = CommitInterruption(authority)
            away.begin()
            try await withServer(away) { environment in
                let tool = try RunningTool(run + ["-v"] + shell("echo tokens 7 >> $CYCLES_USAGE_FILE"), environment)
                await until { tool.errors.contains("queued") || !tool.isRunning }
                tool.signal(SIGINT)
                await until { tool.errors.contains("waiting for the settlement") || !tool.isRunning }
                away.end()
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGINT, "\(outcome)")
                #expect(figures(authority) == [7, 0])
            }
        }

        // MARK: Before the command

        @Test func aSignalBeforeTheCommandGivesTheHoldBack() async throws {
            let authority = testAuthority()
            let slow = DelayedTransport(authority)
            try await withServer(slow) { environment in
                let tool = try RunningTool(run + ["--read-timeout", "5m"] + shell("echo started"), environment)
                await until { slow.isHolding }
                tool.signal(SIGTERM)
                // Before the answer.
                await until { tool.errors.contains("SIGTERM: the command is not started") || !tool.isRunning }
                #expect(tool.isRunning)
                slow.letGo()
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGTERM && outcome.output.isEmpty, "\(outcome)")
                #expect(outcome.errors.hasSuffix("cycles run: the hold of rsv_000001 is released\n"), "\(outcome)")
                #expect(figures(authority) == [0, 0])
            }
        }

        @Test func aReservationThatIsNeverAnsweredHoldsNobodyUp() async throws {
            let authority = testAuthority()
            let slow = DelayedTransport(authority)
            defer { slow.letGo() }
            try await withServer(slow) { environment in
                defer { slow.letGo() }
                let tool = try RunningTool(run + ["--read-timeout", "5m"] + shell("echo started"), environment)
                await until { slow.isHolding }
                let start = ContinuousClock.now
                tool.signal(SIGINT)
                let outcome = await tool.outcome()
                #expect(ContinuousClock.now - start < .seconds(isSlowed ? 30 : 5))
                #expect(outcome.signal == SIGINT && outcome.output.isEmpty, "\(outcome)")
                #expect(
                    outcome.errors.contains("the server has not answered: a hold expires by itself")
                        && outcome.errors.contains("cycles reservations --idempotency-key"),
                    "\(outcome)"
                )
            }
        }

        // MARK: On a terminal

        #if os(Linux)
            @Test(arguments: [
                "run --estimate 1:TOKENS --action a.b/c -- sh -c 'echo ready; sleep 60'", "watch", "serve",
            ])
            func ctrlCEndsALoopAroundTheTool(words: String) async throws {
                try await withServer(testAuthority()) { environment in
                    let terminal = try Pseudoterminal(columns: 80, rows: 20)
                    let place = words == "serve" ? " --port 0" : ""
                    let script = "while :; do \(Programs.executable("cycles").path) \(words)\(place); echo again; done"
                    let session = try TerminalSession(["bash", "-c", script], environment, terminal)
                    await until {
                        ["ready", "tenant:acme  spent", "Serving at"].contains { terminal.text.contains($0) }
                            || !session.isRunning
                    }
                    terminal.type("\u{3}")
                    await until { !session.isRunning }
                    #expect(!terminal.text.contains("again"), "\(terminal.text)")
                }
            }

            @Test func ctrlZStopsTheToolAndItsCommand() async throws {
                let authority = testAuthority()
                try await withServer(authority) { environment in
                    let terminal = try Pseudoterminal(columns: 200, rows: 20)
                    let session = try TerminalSession(["bash", "--norc", "--noprofile", "-i"], environment, terminal)
                    let script = "echo rea''dy; read word; echo got $word; echo tokens 3 >> $CYCLES_USAGE_FILE"
                    let words = ([Programs.executable("cycles").path] + run).joined(separator: " ")
                    terminal.type("\(words) -- sh -c \"\(script.replacingOccurrences(of: "$", with: "\\$"))\"\n")
                    await until { terminal.text.contains("ready") || !session.isRunning }
                    terminal.type("\u{1a}")
                    await until { terminal.text.contains("Stopped") || !session.isRunning }
                    terminal.type("fg\n")
                    await until { terminal.text.components(separatedBy: "\(words) --").count > 3 || !session.isRunning }
                    terminal.type("a-word\n")
                    await until { terminal.text.contains("got a-word") || !session.isRunning }
                    terminal.type("exit\n")
                    await until { !session.isRunning }
                    #expect(figures(authority) == [3, 0], "\(terminal.text)")
                }
            }
        #endif
    }
}

/// Runs something that blocks on a thread of its own.
private func inBackground<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}

#if os(Linux)
    /// A program in its own session, with a controlling terminal. Ends when the last reference is released.
    private final class TerminalSession {
        private let process = Process()
        private let hasEnded = Flag()
        private let folder: URL

        init(_ words: [String], _ environment: [String: String], _ terminal: Pseudoterminal) throws {
            folder = try Programs.temporaryFolder()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["--default-signal=INT,QUIT,TERM,HUP,TSTP", "setsid", "--ctty", "--wait"] + words
            var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("CYCLES_") }
            variables["HOME"] = folder.path
            variables["TMPDIR"] = folder.path
            process.environment = variables.merging(environment) { $1 }
            process.standardInput = terminal.program
            process.standardOutput = terminal.program
            process.standardError = terminal.program
            process.terminationHandler = { [hasEnded] _ in hasEnded.set() }
            try process.run()
        }

        var isRunning: Bool { !hasEnded.isSet }

        deinit {
            if isRunning { kill(process.processIdentifier, SIGKILL) }
            try? FileManager.default.removeItem(at: folder)
        }
    }
#endif
