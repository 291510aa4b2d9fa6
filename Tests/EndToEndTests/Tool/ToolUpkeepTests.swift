import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles journal`, `cycles doctor` and `cycles completion`.
extension ToolSuites {
    @Suite struct ToolUpkeepTests {
        private final class Home {
            let url: URL
            init() throws { url = try Programs.temporaryFolder() }
            deinit { try? FileManager.default.removeItem(at: url) }
        }

        /// Leaves one settlement in the journal below `home`.
        private func leaveBehind(_ environment: [String: String], _ home: Home, spend: String = "tokens 7") async throws
        {
            let tool = try RunningTool(
                [
                    "run", "--estimate", "1000:TOKENS", "--action", "a.b/c", "--settle-timeout", "0s", "--", "/bin/sh",
                    "-c",
                    "echo \(spend) >> $CYCLES_USAGE_FILE",
                ],
                environment,
                home: home.url
            )
            #expect(await tool.outcome().errors.contains("cycles journal flush"))
        }

        private func tool(_ arguments: [String], _ environment: [String: String], _ home: Home) async throws
            -> RunningTool.Outcome
        {
            await (try RunningTool(arguments, environment, home: home.url)).outcome()
        }

        @Test func whatIsPendingIsListedAndSettled() async throws {
            let authority = testAuthority()
            let away = CommitInterruption(authority)
            let home = try Home()
            try await withServer(away) { environment in
                let empty = try await tool(["journal", "list"], environment, home)
                #expect(
                    empty.status == 0 && empty.output.hasPrefix("There is no journal: \(home.url.path)/.runcycles"),
                    "\(empty)"
                )
                let off = try await tool(["journal", "list", "--journal", "off"], environment, home)
                #expect(off.output == "No journal is kept: it is disabled, or there is no home directory.\n", "\(off)")
                away.begin()
                try await leaveBehind(environment, home)

                let list = try await tool(["journal", "list"], environment, home)
                #expect(list.output.contains("(own)  pending  rsv_000001   7 TOKENS  a.b/c"), "\(list)")
                #expect(list.output.contains("cycles journal flush"))
                let sibling = try await tool(
                    ["journal", "list"],
                    environment.merging(["CYCLES_TENANT": "other"]) { $1 },
                    home
                )
                #expect(sibling.output.contains("rsv_000001") && !sibling.output.contains("(own)"), "\(sibling)")
                let json = try await tool(["journal", "list", "--json"], [:], home)
                let document = try JSONValue(parsing: Array(json.output.utf8))
                #expect(
                    document["identities"]?[0]?["entries"]?[0]?["actual"] == ["amount": 7, "unit": "TOKENS"],
                    "\(json)"
                )

                let record = document["identities"]?[0]?["entries"]?[0]?["record"]
                #expect(record?["event_fallback_body"]?["action"] == ["kind": "a.b", "name": "c"], "\(json)")

                let early = try await tool(["journal", "flush", "--timeout", "0s"], environment, home)
                #expect(early.status == 75, "\(early)")
                away.end()
                let flushed = try await tool(["journal", "flush"], environment, home)
                #expect(
                    flushed.status == 0 && flushed.output == "1 settled, 0 rejected, 0 still pending.\n",
                    "\(flushed)"
                )
                #expect(authority.balances().first?.spent == .tokens(7))
                #expect(try await tool(["journal", "flush"], environment, home).output.hasPrefix("0 settled"))
            }
        }

        @Test func whatWasRefusedIsDiscardedByHand() async throws {
            let away = CommitInterruption(testAuthority())
            let home = try Home()
            try await withServer(away) { environment in
                away.begin()
                try await leaveBehind(environment, home)
                let refused = try await tool(["journal", "discard", "rsv_000001"], environment, home)
                #expect(refused.status == 1 && refused.errors.contains("--pending"), "\(refused)")
                away.end(refusing: true)
                let flushed = try await tool(["journal", "flush"], environment, home)
                #expect(
                    flushed.status == 65 && flushed.output.contains("1 rejected")
                        && flushed.errors.contains("rsv_000001 is rejected: ")
                        && flushed.errors.contains("\nset aside as "),
                    "\(flushed)"
                )
                let list = try await tool(["journal", "list"], environment, home)
                #expect(list.output.contains("rejected") && list.output.contains("\nrsv_000001: commit"), "\(list)")
                // Another server's reservation may have the same name.
                let other = home.url.appendingPathComponent(".runcycles/commit-journal/0123456789abcdef")
                try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
                try #"{"version":1,"reservation_id":"rsv_000001","commit_body":{},"recorded_at_ms":0}"#
                    .write(to: other.appendingPathComponent("v2-0.json.rejected"), atomically: true, encoding: .utf8)
                let unclear = try await tool(["journal", "discard", "rsv_000001"], environment, home)
                #expect(unclear.status == 1 && unclear.errors.contains("give the path"), "\(unclear)")
                let byPath = try await tool(
                    ["journal", "discard", other.appendingPathComponent("v2-0.json.rejected").path],
                    environment,
                    home
                )
                #expect(byPath.status == 0, "\(byPath)")
                let unknown = try await tool(["journal", "discard", "rsv_000001", "nothing"], environment, home)
                #expect(unknown.status == 1 && unknown.output.isEmpty)
                let discarded = try await tool(["journal", "discard", "rsv_000001"], environment, home)
                #expect(discarded.status == 0, "\(discarded)")
                // The contents of the file are on standard output.
                #expect(try JSONValue(parsing: Array(discarded.output.utf8))["reservation_id"] == "rsv_000001")
                #expect(
                    try await tool(["journal", "list"], environment, home).output.contains("It contains no settlements")
                )
            }
        }

        @Test func aFlushThatFindsAFileThatIsNoRecordSaysSoByItsStatus() async throws {
            let authority = testAuthority()
            let away = CommitInterruption(authority)
            let home = try Home()
            try await withServer(away) { environment in
                away.begin()
                try await leaveBehind(environment, home)
                away.end()
                let list = try SettlementJournal(.directory(home.url.path + "/.runcycles/commit-journal")).identities()
                let folder = URL(fileURLWithPath: try #require(list.first?.entries.first?.path))
                    .deletingLastPathComponent()
                try "{".write(to: folder.appendingPathComponent("v2-0.json"), atomically: true, encoding: .utf8)
                let newer = folder.appendingPathComponent("v2-1.json")
                try #"{"version":2}"#.write(to: newer, atomically: true, encoding: .utf8)
                let flushed = try await tool(["journal", "flush"], environment, home)
                #expect(flushed.status == 65 && flushed.output.hasPrefix("1 settled, 0 rejected"), "\(flushed)")
                #expect(
                    flushed.errors.contains("set aside as \(folder.path)/v2-0.corrupt: it is corrupt"),
                    "\(flushed)"
                )
                #expect(flushed.errors.contains("\(newer.path): its version 2 is newer"), "\(flushed)")
                #expect(FileManager.default.fileExists(atPath: newer.path))
                let again = try await tool(["journal", "flush"], environment, home)
                #expect(again.status == 0, "\(again)")
            }
        }

        @Test func aDoctorFindsWhatIsWrong() async throws {
            let home = try Home()
            try await withServer(testAuthority()) { environment in
                let well = try await tool(["doctor"], environment, home)
                #expect(well.status == 0, "\(well)")
                #expect(well.output.split(separator: "\n").allSatisfy { $0.hasPrefix("ok ") }, "\(well)")
                #expect(!well.output.contains("key-of-the-test"))
                for subject in ["journal", "reports", "process"] {
                    #expect(well.output.contains("ok    \(subject) "), "\(well)")
                }

                let json = try JSONValue(
                    parsing: Array(await tool(["doctor", "--json"], environment, home).output.utf8)
                )
                #expect(json[0]?["result"] == "ok" && json[0]?["subject"] == "configuration", "\(json)")

                let key = try await tool(["doctor"], environment.merging(["CYCLES_API_KEY": "wrong-key"]) { $1 }, home)
                #expect(key.status == 1 && key.output.contains("FAIL  API key"), "\(key)")
                #expect(!(key.output + key.errors).contains("wrong-key"))
                let tenant = try await tool(["doctor"], environment.merging(["CYCLES_TENANT": "other"]) { $1 }, home)
                #expect(tenant.status == 1 && tenant.output.contains("FAIL"), "\(tenant)")

                let unset = try await tool(["doctor"], ["CYCLES_API_KEY": "k"], home)
                #expect(
                    unset.status == 1 && unset.output.contains("FAIL  configuration  CYCLES_BASE_URL is not set"),
                    "\(unset)"
                )
                for subject in ["server", "TLS", "API key", "clock"] {
                    #expect(unset.output.contains("skip  \(subject) "), "\(unset)")
                }
                let away = try await tool(["doctor", "--url", "http://127.0.0.1:\(freePort())"], environment, home)
                #expect(away.status == 1 && away.output.contains("FAIL  server"), "\(away)")
                #expect(
                    away.output.contains("skip  clock          not checked, because the check of server failed"),
                    "\(away)"
                )
                let url = try #require(environment["CYCLES_BASE_URL"])
                let twice = try await tool(["doctor", "--url", url + "/v1"], environment, home)
                #expect(twice.status == 1 && twice.output.contains("leave /v1 out"), "\(twice)")

                let folder = home.url.appendingPathComponent("open")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: folder.path)
                let journal = try await tool(["doctor", "--journal", folder.path], environment, home)
                #expect(journal.status == 1 && journal.output.contains("FAIL  journal"), "\(journal)")

                let file = home.url.appendingPathComponent("key")
                try "key-of-the-test\n".write(to: file, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file.path)
                let readable = try await tool(["doctor", "--api-key-file", file.path], environment, home)
                #expect(readable.status == 0 && readable.output.contains("warn  key file"), "\(readable)")
            }
        }

        @Test func shellsCompleteWhatIsDeclared() async throws {
            let script = try await cycles(["completion", "bash"]).output
            func completions(_ words: String...) async throws -> [String] {
                let line = words.map { "'\($0)'" }.joined(separator: " ")
                let program = """
                    \(script)
                    COMP_WORDS=(\(line)); COMP_CWORD=\(words.count - 1); _cycles; printf '%s\\n' "${COMPREPLY[@]}"
                    """
                return try Programs.run(URL(fileURLWithPath: "/bin/bash"), ["-c", program]).output.split(
                    separator: "\n"
                )
                .map(String.init)
            }
            #expect(try await completions("cycles", "re") == ["reserve", "release", "reservation", "reservations"])
            #expect(try await completions("cycles", "journal", "") == ["list", "flush", "discard", "--help"])
            #expect(try await completions("cycles", "run", "--over") == ["--overage"])
            #expect(try await completions("cycles", "run", "--overage", "REJ") == ["REJECT"])
            #expect(try await completions("cycles", "reserve", "--ca", "/etc/hostn") == ["/etc/hostname"])
            #expect(try await completions("cycles", "run", "--ttl", "5s", "--", "/etc/hostn") == ["/etc/hostname"])
            #expect(try await completions("cycles", "run", "--overage", "=", "REJ") == ["REJECT"])
            #expect(try await completions("cycles", "completion", "z") == ["zsh"])
            let zsh = try await cycles(["completion", "zsh"]).output
            #expect(zsh.hasPrefix("#compdef cycles\n") && zsh.contains("_cycles_journal_discard()"))
            let unknown = try await cycles(["completion", "fish"])
            #expect(unknown.status == 2 && unknown.errors.contains("one of bash, zsh"), "\(unknown)")
        }
    }
}
