import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles run`: the search for its command, the environment of the command, and usage reports.
extension ToolSuites {
    @Suite struct ToolCommandTests {
        private let run = ["run", "--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        /// The spent and reserved amounts in the ledger.
        private func figures(_ authority: LocalAuthority) -> [Int64] {
            let balance = authority.balances().first
            return [balance?.spent?.amount ?? -1, balance?.reserved?.amount ?? -1]
        }

        private func shell(_ script: String) -> [String] { ["--", "/bin/sh", "-c", script] }

        private func file(_ contents: String, mode: Int = 0o755) throws -> URL {
            let folder = try Programs.temporaryFolder()
            let file = folder.appendingPathComponent("file")
            try contents.write(to: file, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
            return file
        }

        // MARK: Starting

        @Test func aScriptWithoutAnInterpreterRunsByTheShell() async throws {
            let script = try file("echo \"$1\" \"${0##*/}\" $#\n")
            defer { try? FileManager.default.removeItem(at: script.deletingLastPathComponent()) }
            try await withServer(testAuthority()) { environment in
                let named = try await cycles(run + ["--", script.path, "a b"], environment)
                #expect(named.status == 0 && named.output == "a b file 1\n", "\(named)")
                let folder = script.deletingLastPathComponent().path
                let found = try await cycles(
                    run + ["--", "file", "c"],
                    environment.merging(["PATH": "/nowhere:\(folder):/usr/bin:/bin"]) { $1 }
                )
                #expect(found.status == 0 && found.output == "c file 1\n", "\(found)")
            }
        }

        @Test func nothingIsReservedForACommandThatCannotBeStarted() async throws {
            let text = try file("true\n", mode: 0o644)
            defer { try? FileManager.default.removeItem(at: text.deletingLastPathComponent()) }
            try await withServer(testAuthority()) { environment in
                let missing = try await cycles(run + ["--", "no-such-command"], environment)
                #expect(missing.status == 127 && missing.errors.contains("no-such-command"), "\(missing)")
                for path in [text.path, "/tmp"] {
                    let broken = try await cycles(run + ["--", path], environment)
                    #expect(broken.status == 126 && broken.errors.contains(path), "\(broken)")
                }
                #expect(
                    try await cycles(run + shell("echo $CYCLES_RESERVATION_ID"), environment).output == "rsv_000001\n"
                )
            }
        }

        @Test func aCommandWhoseInterpreterIsMissingGivesEverythingBack() async throws {
            let script = try file("#!/no/such/interpreter\n")
            defer { try? FileManager.default.removeItem(at: script.deletingLastPathComponent()) }
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let outcome = try await cycles(run + ["--", script.path], environment)
                #expect(outcome.status == 127 && outcome.errors.contains("the hold is released"), "\(outcome)")
                #expect(figures(authority) == [0, 0] && authority.activeReservations.isEmpty)
            }
        }

        #if os(Linux)
            private static let mayUnshare: Bool = {
                let outcome = try? Programs.run(
                    URL(fileURLWithPath: "/usr/bin/unshare"),
                    ["--pid", "--fork", "--kill-child", "--mount-proc", "true"]
                )
                return outcome?.status == 0
            }()

            @Test(.enabled(if: mayUnshare)) func theFirstProcessOfAContainerReapsOrphans() async throws {
                try await withServer(testAuthority()) { environment in
                    // An orphan is over once the process that it writes to is told.
                    let script = """
                        sh -c '(exec 3>&-; :) & (:) &'
                        for i in $(seq 100); do
                            grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null || break
                            sleep 0.02
                        done
                        echo $PPID $(grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l)
                        kill -TERM $$
                        """
                    let arguments = ["--pid", "--fork", "--kill-child", "--mount-proc"]
                    let outcome = try Programs.run(
                        URL(fileURLWithPath: "/usr/bin/unshare"),
                        arguments + [Programs.executable("cycles").path] + run + shell(script),
                        environment: environment
                    )
                    #expect(outcome.output == "1 0\n", "\(outcome)")
                    // Signals do not end the first process.
                    #expect(outcome.status == 128 + SIGTERM, "\(outcome)")
                }
            }
        #endif

        // MARK: The environment

        @Test func keysAreWithheldOnRequest() async throws {
            try await withServer(testAuthority()) { environment in
                let keys = environment.merging(["CYCLES_ADMIN_API_KEY": "a", "CYCLES_API_KEY_FILE": "/f"]) { $1 }
                let script = shell(
                    "env | grep -c 'CYCLES_.*KEY'; tr '\\0' '\\n' < /proc/$PPID/environ | grep -c 'CYCLES_.*KEY[_FILE]*=.'"
                )
                let given = try await cycles(run + script, keys)
                #expect(given.output == "3\n3\n", "\(given)")
                let withheld = try await cycles(run + ["--withhold-api-key"] + script, keys)
                #expect(withheld.output == "0\n0\n", "\(withheld)")
            }
        }

        @Test func aRelativeTemporaryFolderIsNamedFromTheRoot() async throws {
            let authority = testAuthority()
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            try FileManager.default.createDirectory(
                at: folder.appendingPathComponent("sub"),
                withIntermediateDirectories: false
            )
            let tool = Programs.executable("cycles").path
            try await withServer(authority) { environment in
                let script = "cd / && echo tokens 9 >> $CYCLES_USAGE_FILE && echo $CYCLES_USAGE_FILE"
                let words = run.joined(separator: " ")
                let outcome = try Programs.run(
                    URL(fileURLWithPath: "/bin/sh"),
                    ["-c", "cd \(folder.path) && '\(tool)' \(words) -- sh -c '\(script)'"],
                    environment: environment.merging(["TMPDIR": "sub"]) { $1 }
                )
                #expect(outcome.status == 0 && outcome.output.contains("/sub/cycles-usage-"), "\(outcome)")
                #expect(outcome.output.hasPrefix("/") && figures(authority) == [9, 0], "\(outcome)")
            }
        }

        // MARK: Reports

        struct Replacement {
            var script: String
            var spent: Int64
        }

        @Test(arguments: [
            Replacement(script: "echo tokens 10 >> $F; sed -i s/10/15/ $F", spent: 15),
            Replacement(script: "echo tokens 1 >&$CYCLES_USAGE_FD; echo tokens 2 > $F.new; mv $F.new $F", spent: 2),
            Replacement(script: "echo tokens 1 >> $F; rm $F; echo tokens 4 >> $F", spent: 4),
            Replacement(script: "echo tokens 1 >> $F; echo tokens 6 > ${F%/*}/x; ln -sf ${F%/*}/x $F", spent: 6),
            Replacement(script: "echo tokens 3 >> $F; rm -r ${F%/*}", spent: 3),
            // Whoever reports something that cannot be read has spent something.
            Replacement(script: "echo tokens 3 >> $F; rm $F; mkdir $F; exit 1", spent: 1_000),
        ])
        func theFileThatHasTheNameInTheEndCounts(replacement: Replacement) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                _ = try await cycles(run + shell("F=$CYCLES_USAGE_FILE; " + replacement.script), environment)
                #expect(figures(authority) == [replacement.spent, 0])
            }
        }

        @Test func theFileOfAToolThatWasKilledIsRemovedAtTheNextStart() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            func left() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: folder.path).count }
            try await withServer(testAuthority()) { environment in
                let environment = environment.merging(["TMPDIR": folder.path]) { $1 }
                let living = try RunningTool(run + shell("echo ready; read x; sleep 0.1"), environment, input: "x\n")
                let killed = try RunningTool(run + shell("echo $$; exec sleep 300"), environment)
                await killed.says("\n")
                let command = try #require(Int32(killed.output.trimmingCharacters(in: .newlines)))
                killed.signal(SIGKILL)
                kill(command, SIGKILL)
                _ = await killed.outcome()
                _ = await living.outcome()
                #expect(try left() == 1)
                let waiting = try RunningTool(run + shell("echo ready; exec sleep 300"), environment)
                await waiting.says("ready")
                // The folder of the killed tool is gone. The folder of the running tool remains, regardless of other
                // tools.
                #expect(try await cycles(run + ["--", "true"], environment).status == 0)
                #expect(try left() == 1)
                waiting.signal(SIGTERM)
                _ = await waiting.outcome()
                #expect(try left() == 0)
            }
        }

        @Test func aKeyFileMayBeginWithAByteOrderMark() async throws {
            let key = try file("\u{feff}key-of-the-test\r\n", mode: 0o600)
            defer { try? FileManager.default.removeItem(at: key.deletingLastPathComponent()) }
            try await withServer(testAuthority()) { environment in
                let keyless = environment.filter { $0.key != "CYCLES_API_KEY" }
                let outcome = try await cycles(["balances", "--api-key-file", key.path], keyless)
                #expect(outcome.status == 0, "\(outcome)")
            }
        }

        // MARK: The journal

        @Test(arguments: ["journal", "./journal", "~/journal", "~someone/journal"])
        func aJournalThatIsNotNamedFromTheRootIsRefused(path: String) async throws {
            let environment = ["CYCLES_BASE_URL": "http://127.0.0.1:9", "CYCLES_API_KEY": "k", "CYCLES_TENANT": "acme"]
            let advice = path.hasPrefix("~/") ? "write /" : path.hasPrefix("~") ? "begins with /" : "/journal"
            for words in [run + ["--journal", path, "--", "true"], ["journal", "list", "--journal", path]] {
                let outcome = try await cycles(words, environment)
                #expect(outcome.status == 2 && outcome.errors.contains(": --journal is \"\(path)\""), "\(outcome)")
                #expect(outcome.errors.contains(advice), "\(outcome)")
            }
            let variable = environment.merging(["CYCLES_JOURNAL_DIR": path]) { $1 }
            for words in [run + ["--", "true"], ["journal", "list"]] {
                let outcome = try await cycles(words, variable)
                #expect(
                    outcome.status == 2 && outcome.errors.contains(": CYCLES_JOURNAL_DIR is \"\(path)\""),
                    "\(outcome)"
                )
            }
            let doctor = try await cycles(["doctor"], variable)
            #expect(doctor.status == 1 && doctor.output.contains("CYCLES_JOURNAL_DIR"), "\(doctor)")
        }
    }
}
