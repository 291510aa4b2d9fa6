import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles run` with a journal that cannot be used, or that holds a settlement which gets nowhere.
extension ToolSuites {
    @Suite struct ToolJournalTests {
        private let run = ["run", "--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        private func shell(_ script: String) -> [String] { ["--", "/bin/sh", "-c", script] }

        /// Answers the commits of the first reservation with 503, or not at all before the test is over.
        private final class StuckCommit: BlockingHTTPTransport {
            let isOver = Flag()
            private let inner: any BlockingHTTPTransport
            private let answers: Bool

            init(_ inner: any BlockingHTTPTransport, answers: Bool) {
                self.inner = inner
                self.answers = answers
            }

            func send(_ request: HTTPRequest) throws(HTTPTransportError) -> HTTPResponse {
                guard request.url.hasSuffix("/rsv_000001/commit") else { return try inner.send(request) }
                while !answers, !isOver.isSet { usleep(1_000) }
                return HTTPResponse(status: 503)
            }
        }

        @Test(arguments: [true, false])
        func aSettlementThatGetsNowhereDoesNotDelayTheNextRun(answers: Bool) async throws {
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            let authority = testAuthority()
            let stuck = StuckCommit(authority, answers: answers)
            try await withServer(stuck) { environment in
                defer { stuck.isOver.set() }
                let first = try RunningTool(
                    run + ["--settle-timeout", "0s"] + shell("echo tokens 7 >> $CYCLES_USAGE_FILE"),
                    environment,
                    home: home
                )
                let left = await first.outcome()
                #expect(left.errors.contains("cycles journal flush continues"), "\(left)")

                let start = ContinuousClock.now
                let next = try RunningTool(run + ["--settle-timeout", "5m", "--", "true"], environment, home: home)
                let outcome = await next.outcome()
                #expect(outcome.status == 0, "\(outcome)")
                // One request may be on its way when the command ends; its time limit is seven seconds.
                #expect(ContinuousClock.now - start < .seconds(120))
                #expect(authority.balances().first?.spent == .tokens(1_000))
                let list = await (try RunningTool(["journal", "list"], environment, home: home)).outcome()
                #expect(list.output.contains("pending  rsv_000001"), "\(list)")
            }
        }

        @Test func theDoctorCountsWhatEndedProcessesLeftInLogs() async throws {
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            let stuck = StuckCommit(testAuthority(), answers: false)
            try await withServer(stuck) { environment in
                defer { stuck.isOver.set() }
                let settling = try RunningTool(
                    run + ["--settle-timeout", "5m"] + shell("echo tokens 7 >> $CYCLES_USAGE_FILE"),
                    environment,
                    home: home
                )
                let journal = SettlementJournal(.directory(home.path + "/.runcycles/commit-journal"))
                await until { (try? journal.logsInUse().count) == 1 || !settling.isRunning }
                let live = await (try RunningTool(["doctor"], environment, home: home)).outcome()
                #expect(live.output.contains("commit-journal, 0 pending"), "\(live)")
                #expect(
                    live.output.contains("1 log of a running process, whose settlements are not counted"),
                    "\(live)"
                )
                #expect(!live.output.contains("ended"), "\(live)")

                settling.signal(SIGKILL)
                _ = await settling.outcome()
                let dead = await (try RunningTool(["doctor"], environment, home: home)).outcome()
                #expect(dead.output.contains("commit-journal, 1 pending"), "\(dead)")
                #expect(
                    dead.output.contains("1 in the logs of processes that have ended; cycles journal flush"),
                    "\(dead)"
                )
                #expect(!dead.output.contains("running process"), "\(dead)")
            }
        }

        /// Messages follow what happened: there is no record, whatever was configured.
        @Test func withAJournalThatCannotBeUsedNoRecordIsSaidToBeKept() async throws {
            let home = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: home) }
            let journal = home.path + "/journal"
            try FileManager.default.createDirectory(atPath: journal, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.posixPermissions: 0o2770], ofItemAtPath: journal)
            try await withServer(testAuthority()) { environment in
                var environment = environment
                environment["CYCLES_JOURNAL_DIR"] = journal
                let tool = try RunningTool(
                    run + ["--overage", "REJECT"] + shell("echo tokens 99000 >> $CYCLES_USAGE_FILE"),
                    environment,
                    home: home
                )
                let outcome = await tool.outcome()
                #expect(
                    outcome.errors.contains("\(journal): cannot use it: its group or others may write to it"),
                    "\(outcome)"
                )
                #expect(outcome.errors.contains("the spend of 99000 TOKENS is not in the ledger"), "\(outcome)")
                #expect(!outcome.errors.contains("kept") && !outcome.errors.contains("journal list"), "\(outcome)")
            }
        }
    }
}
