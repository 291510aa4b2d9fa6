import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles run`: commands on a budget, and whatever may happen to them.
extension ToolSuites {
    @Suite struct ToolRunTests {
        private let run = ["run", "--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        /// The spent and reserved amounts in the ledger.
        private func figures(_ authority: LocalAuthority) -> [Int64] {
            let balance = authority.balances().first
            return [balance?.spent?.amount ?? -1, balance?.reserved?.amount ?? -1]
        }

        private func shell(_ script: String) -> [String] { ["--", "/bin/sh", "-c", script] }

        @Test func whatIsReportedIsCommitted() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let script = """
                    echo "tokens 40" >> "$CYCLES_USAGE_FILE"
                    echo "tokens 2" >&$CYCLES_USAGE_FD
                    echo "model_version m-1" >&$CYCLES_USAGE_FD
                    echo "$CYCLES_RESERVATION_ID $CYCLES_DECISION $CYCLES_ESTIMATE $CYCLES_UNIT"
                    exit 3
                    """
                let outcome = try await cycles(
                    run + ["--subject", "agent=bot", "--tag", "x"] + shell(script),
                    environment
                )
                #expect(outcome.status == 3 && outcome.errors.isEmpty, "\(outcome)")
                #expect(outcome.output == "rsv_000001 ALLOW 1000 TOKENS\n")
                #expect(figures(authority) == [42, 0])
            }
        }

        @Test func withoutAReportTheEstimateIsCommitted() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                #expect(try await cycles(run + ["--", "true"], environment).status == 0)
                #expect(figures(authority) == [1_000, 0])
                let detail = try await cycles(["reservations", "--json"], environment).output
                #expect(!detail.contains("estimate"))
                // The mark is what the ledger keeps of the commit.
                let marked = try await cycles(["reservation", "rsv_000001", "--json"], environment).output
                #expect(marked.contains("\"actual_source\":\"estimate\""), "\(marked)")
            }
        }

        @Test func withoutAReportNothingIsSentUnderThePolicy() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let outcome = try await cycles(run + ["--no-report", "fail", "--", "true"], environment)
                #expect(outcome.status == 76 && outcome.errors.contains("did not report its usage"), "\(outcome)")
                #expect(figures(authority) == [0, 1_000])
                // A report is a report.
                let reported = try await cycles(
                    run + ["--no-report", "fail"] + shell("echo tokens 1 >> $CYCLES_USAGE_FILE"),
                    environment
                )
                #expect(reported.status == 0 && figures(authority) == [1, 1_000])
            }
        }

        @Test func aReportThatCannotBeUsedIsNoReasonToRelease() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let report = shell("echo tokens 99999999999999999999 >> $CYCLES_USAGE_FILE; exit 4")
                let outcome = try await cycles(run + ["-v"] + report, environment)
                #expect(outcome.status == 4 && figures(authority) == [1_000, 0], "\(outcome)")
                #expect(outcome.errors.contains("not a whole number from 0 to 9223372036854775807"))
                #expect(outcome.errors.contains("(the estimate: nothing in the report could be used)"))
                let refused = try await cycles(run + ["--no-report", "fail"] + report, environment)
                #expect(refused.status == 76 && figures(authority) == [1_000, 1_000], "\(refused)")
            }
        }

        @Test func whoeverDoesNotWaitLosesNothing() async throws {
            let away = CommitInterruption(testAuthority())
            away.begin()
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            try await withServer(away) { environment in
                let script = shell("trap '' TERM; echo tokens 42 >> $CYCLES_USAGE_FILE; echo ready")
                let tool = try RunningTool(run + script, environment, home: home)
                await tool.says("ready")
                await until {
                    guard tool.isRunning else { return true }
                    tool.signal(SIGTERM)
                    return false
                }
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGTERM, "\(outcome)")
                let list = try RunningTool(["journal", "list"], environment, home: home)
                let listed = await list.outcome()
                #expect(listed.output.contains("pending  rsv_000001   42 TOKENS"), "\(outcome) \(listed)")
            }
        }

        @Test func aSettlementThatIsRefusedIsSaidOnce() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let outcome = try await cycles(
                    run + ["--overage", "REJECT"] + shell("echo tokens 99000 >> $CYCLES_USAGE_FILE"),
                    environment
                )
                #expect(outcome.status == 0, "\(outcome)")
                let lines = outcome.errors.split(separator: "\n")
                #expect(
                    lines.count == 1
                        && lines[0].hasPrefix("cycles run: the spend of 99000 TOKENS is not in the ledger: commit")
                        && lines[0].hasSuffix("; the record is set aside; see cycles journal list"),
                    "\(outcome)"
                )
            }
        }

        @Test func aSettlementThatIsRefusedLateIsSaidTheSame() async throws {
            let away = CommitInterruption(testAuthority())
            away.begin()
            try await withServer(away) { environment in
                let tool = try RunningTool(run + ["-v"] + shell("echo tokens 7 >> $CYCLES_USAGE_FILE"), environment)
                await until { tool.errors.contains("queued") || !tool.isRunning }
                away.end(refusing: true)
                let outcome = await tool.outcome()
                #expect(outcome.status == 0, "\(outcome)")
                #expect(outcome.errors.contains("\ncycles run: the spend of 7 TOKENS is not in the ledger: "))
            }
        }

        @Test func aReservationThatIsInDoubtIsExplained() async throws {
            let authority = testAuthority()
            for _ in 0..<2 { authority.failNext(.internalError) }
            try await withServer(authority) { environment in
                let outcome = try await cycles(run + shell("echo started"), environment)
                #expect(outcome.status == 75 && outcome.output.isEmpty, "\(outcome)")
                #expect(outcome.errors.contains("cycles reservations --idempotency-key"), "\(outcome)")
                #expect(outcome.errors.components(separatedBy: "request req_").count == 2, "\(outcome)")
            }
        }

        @Test func aCommandThatFailsGivesEverythingBack() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let failed = try await cycles(run + shell("exit 9"), environment)
                #expect(failed.status == 9, "\(failed)")
                let killed = try await cycles(run + shell("kill -KILL $$"), environment)
                #expect(killed.signal == SIGKILL, "\(killed)")
                #expect(figures(authority) == [0, 0])
                #expect(authority.activeReservations.isEmpty)
            }
        }

        @Test func whatIsDeniedIsNotStarted() async throws {
            let authority = testAuthority(.tokens(999))
            try await withServer(authority) { environment in
                let outcome = try await cycles(run + shell("echo started"), environment)
                #expect(outcome.status == 77 && outcome.output.isEmpty && outcome.errors.contains("BUDGET_EXCEEDED"))
            }
            let nobody = [
                "CYCLES_BASE_URL": "http://127.0.0.1:\(try freePort())", "CYCLES_API_KEY": "k", "CYCLES_TENANT": "acme",
            ]
            let unreachable = try await cycles(run + shell("echo started"), nobody)
            #expect([69, 75].contains(unreachable.status) && unreachable.output.isEmpty, "\(unreachable)")
        }

        @Test func reportsOfAnyLengthCountAndOutliveTheirFile() async throws {
            let authority = testAuthority(.tokens(1_000_000))
            try await withServer(authority) { environment in
                let reports: [(script: String, status: Int32, spent: Int64)] = [
                    ("yes 'tokens 1' | head -n 200000 >&$CYCLES_USAGE_FD; exit 3", 3, 200_000),
                    ("echo tokens 5 >> $CYCLES_USAGE_FILE; rm $CYCLES_USAGE_FILE; exit 3", 3, 200_005),
                    (
                        """
                        echo tokens 1 >&$CYCLES_USAGE_FD
                        echo tokens 2 > $CYCLES_USAGE_FILE.new
                        mv $CYCLES_USAGE_FILE.new $CYCLES_USAGE_FILE
                        """, 0, 200_007
                    ),
                ]
                for report in reports {
                    let outcome = try await cycles(run + shell(report.script), environment)
                    #expect(outcome.status == report.status, "\(outcome)")
                    #expect(figures(authority) == [report.spent, 0])
                }
            }
        }

        @Test func whatTheCallerIgnoresDoesNotHideHowACommandEnds() async throws {
            try await withServer(testAuthority()) { environment in
                let tool = try RunningTool(run + shell("exit 7"), environment, ignoring: "CHLD")
                #expect(await tool.outcome().status == 7)
            }
        }

        @Test func theCommandGetsWhatTheToolGotAndNothingElse() async throws {
            try await withServer(testAuthority()) { environment in
                let files = try await cycles(run + shell("ls /proc/self/fd | tr '\\n' ' '"), environment)
                // The three streams, the descriptor for reports, and the folder being listed. Higher descriptors belong
                // to the program that started the tool.
                let numbers = files.output.split(separator: " ").compactMap { Int($0) }.sorted()
                #expect(numbers.prefix { $0 < 20 } == [0, 1, 2, 3, 4], "\(files)")
                // Bytes that are no UTF-8 arrive as they are.
                let script = #"exec "$0" run --estimate 1:TOKENS --action a.b/c -- printf %s "$(printf 'x\376')""#
                let tool = Programs.executable("cycles").path
                let bytes = try Programs.run(
                    URL(fileURLWithPath: "/bin/sh"),
                    ["-c", "{ \(script); } | od -An -tx1", tool],
                    environment: environment
                )
                #expect(bytes.output == " 78 fe\n", "\(bytes)")
                // The first line is the key's, the rest is the command's.
                let keyless = environment.filter { $0.key != "CYCLES_API_KEY" }
                let reader = try RunningTool(
                    run + ["--api-key-file", "-", "--", "cat"],
                    keyless,
                    input: "key-of-the-test\nfor the command\n"
                )
                #expect(await reader.outcome().output == "for the command\n")
            }
        }

        @Test func aRecordThatRestsHoldsNobodyUp() async throws {
            let authority = testAuthority()
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            let throttling = CommitInterruption(authority, retryAfter: 1_800)
            throttling.begin()
            try await withServer(throttling) { environment in
                let first = try RunningTool(run + shell("echo tokens 7 >> $CYCLES_USAGE_FILE"), environment, home: home)
                #expect(await first.outcome().errors.contains("cycles journal flush"))
                throttling.end()
                // With the time that it would wait for the ledger, this would take longer than anybody does.
                let second = try RunningTool(
                    run + ["--settle-timeout", "10m"] + shell("exit 0"),
                    environment,
                    home: home
                )
                #expect(await second.outcome().status == 0)
                #expect(figures(authority) == [1_000, 1_000])
            }
        }

        @Test func limitsReachTheCommand() async throws {
            let authority = testAuthority()
            let caps = Caps(maxTokens: 256, maxStepsRemaining: 3, toolDenylist: ["web.search"], cooldown: .seconds(2))
            authority.setBudget(scope: "tenant:acme", allocated: .tokens(5_000), caps: caps)
            try await withServer(authority) { environment in
                let script =
                    "echo $CYCLES_MAX_TOKENS $CYCLES_MAX_STEPS_REMAINING $CYCLES_TOOL_DENYLIST $CYCLES_COOLDOWN_MS [$CYCLES_TOOL_ALLOWLIST]"
                let outer = environment.merging(["CYCLES_TOOL_ALLOWLIST": "of-another"]) { $1 }
                let outcome = try await cycles(run + shell(script), outer)
                #expect(outcome.output == "256 3 web.search 2000 []\n")
            }
        }

        @Test func theLeaseIsKeptAlive() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = try RunningTool(run + ["--ttl", "5s", "--grace", "0s"] + ["--", "sleep", "9"], environment)
                let outcome = await tool.outcome()
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
                #expect(figures(authority) == [1_000, 0])
            }
        }

        @Test func whatIsKilledLeavesNothingBehindItsLease() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = try RunningTool(
                    run + ["--ttl", "6s", "--grace", "0s"] + shell("echo $$; exec sleep 300"),
                    environment
                )
                await tool.says("\n")
                let command = try #require(Int32(tool.output.trimmingCharacters(in: .newlines)))
                defer { kill(command, SIGKILL) }
                #expect(figures(authority) == [0, 1_000])
                tool.signal(SIGKILL)
                await until { authority.activeReservations.isEmpty }
                #expect(figures(authority) == [0, 0])
                // The command continues: no process can end it on behalf of the killed one.
                #expect(kill(command, 0) == 0)
            }
        }

        @Test func aLeaseThatIsLostCanEndTheCommand() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = try RunningTool(
                    run + ["--ttl", "4s", "--lease-lost", "terminate"] + shell("echo ready; exec sleep 60"),
                    environment
                )
                await tool.says("ready")
                // An operator gives it back.
                let id = try #require(authority.activeReservations.first)
                #expect(try await cycles(["release", id.rawValue], environment).status == 0)
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGTERM, "\(outcome)")
                #expect(outcome.errors.contains("the hold was lost, and SIGTERM is sent to the command"), "\(outcome)")
                #expect(figures(authority) == [0, 0])
            }
        }

        @Test func whatCannotBeSettledIsInTheJournal() async throws {
            let authority = testAuthority()
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            let away = CommitInterruption(authority)
            away.begin()
            try await withServer(away) { environment in
                let script = shell("echo tokens 7 >> $CYCLES_USAGE_FILE")
                let tool = try RunningTool(run + ["--settle-timeout", "0s"] + script, environment, home: home)
                let outcome = await tool.outcome()
                #expect(outcome.status == 0 && outcome.errors.contains("cycles journal flush"), "\(outcome)")
                #expect(figures(authority) == [0, 1_000])
                away.end()
                // The next client of the same identity settles it while it runs; its end would not wait for that.
                let waiting = shell("until [ -e $HOME/settled ]; do sleep 0.05; done; exit 1")
                let next = try RunningTool(run + waiting, environment, home: home)
                await until { figures(authority) == [7, 1_000] || !next.isRunning }
                try Data().write(to: home.appendingPathComponent("settled"))
                #expect(await next.outcome().status == 1)
                #expect(figures(authority) == [7, 0])
            }
        }
    }
}
