import Cycles
import CyclesTesting
import Foundation
import Testing

/// Output to terminals, and output that cannot be written.
extension ToolSuites {
    @Suite struct ToolOutputTests {
        private let work = ["--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]
        private let hostile = HostileAnswers.addition

        /// Controls but the ends of lines, and what changes the direction of text or ends a line.
        private static let obeyed: [ClosedRange<UInt32>] = [
            0...9, 0xb...0x1f, 0x7f...0x9f, 0x61c...0x61c, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069,
        ]

        private func expectOnlyText(_ outcome: RunningTool.Outcome, _ arguments: [String]) {
            let raw = (outcome.output + outcome.errors).unicodeScalars.filter { scalar in
                ToolOutputTests.obeyed.contains { $0.contains(scalar.value) }
            }
            #expect(raw.isEmpty, "\(arguments)")
            // A line of the server's own would be taken for one of the tool's.
            #expect(!(outcome.output + outcome.errors).contains("\nend"), "\(arguments)")
        }

        // MARK: What a terminal would obey

        @Test func nothingOfTheServersReachesATerminalRaw() async throws {
            let authority = testAuthority()
            try await withServer(HostileAnswers(authority)) { environment in
                let id = try await cycles(["reserve", "-q"] + work, environment).output
                #expect(id.hasPrefix("rsv_000001\\u001b[2J") && id.hasSuffix("\\t\\r\\nend\n"), "\(id)")
                for arguments in [
                    ["reserve"] + work, ["decide"] + work, ["balances"], ["reservations"], ["demo"],
                    ["watch", "--count", "1"], ["reservation", "rsv_000001"], ["reservation", "nobody"],
                    ["extend", "rsv_000001", "--by", "1s"], ["commit", "rsv_000001", "--actual", "1:TOKENS"],
                    ["commit", "rsv_000001", "--actual", "2:TOKENS"],
                    ["event", "--actual", "1:TOKENS", "--action", "a.b/c"],
                    ["reserve", "--estimate", "1000000:TOKENS", "--action", "a.b/c"],
                    ["run", "-v"] + work + ["--", "true"],
                ] {
                    let outcome = try await cycles(arguments, environment)
                    expectOnlyText(outcome, arguments)
                    #expect((outcome.output + outcome.errors).contains("\\u001b[2J"), "\(arguments): \(outcome)")
                }
                authority.failNext(.internalError)
                expectOnlyText(try await cycles(["balances"], environment), ["failure"])
            }
        }

        @Test func jsonIsExactAndOneLine() async throws {
            let authority = testAuthority()
            try await withServer(HostileAnswers(authority)) { environment in
                for arguments in [["reserve"] + work, ["balances"], ["reservation", "nobody"]] {
                    let outcome = try await cycles(arguments + ["--json"], environment)
                    expectOnlyText(outcome, arguments)
                    let printed = outcome.status == 0 ? outcome.output : outcome.errors
                    #expect(printed.utf8.count { $0 == UInt8(ascii: "\n") } == 1)
                    let document = try JSONValue(parsing: Array(printed.utf8))
                    let text = document["reservation_id"]?.string ?? document["balances"]?[0]?["scope"]?.string
                    #expect((text ?? document["message"]?.string)?.contains(hostile) == true, "\(printed)")
                }
            }
        }

        @Test func nothingOfTheCallersReachesATerminalRaw() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let identity = folder.appendingPathComponent("0123456789abcdef")
            try FileManager.default.createDirectory(at: identity, withIntermediateDirectories: true)
            try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
            let record = identity.appendingPathComponent("v2-0\u{1b}[2J\u{202e}.json.corrupt").path
            try "not JSON: \(hostile)".write(toFile: record, atomically: true, encoding: .utf8)
            try await withServer(testAuthority()) { environment in
                for arguments in [
                    [hostile], ["balances", hostile], ["balances", "--\(hostile)"], ["balances", "--ca", hostile],
                    ["balances", "--limit", hostile], ["balances", "--url", "http://\(hostile)"],
                    ["balances", "--url", hostile], ["balances", "--api-key-file", hostile],
                    ["reserve", "--estimate", "1:TOKENS", "--action", "a/\(hostile)", "--subject", "agent=\(hostile)"],
                    ["run"] + work + ["--", "/nowhere/\(hostile)"],
                    ["run"] + work + [
                        "--", "/bin/sh", "-c", "printf '%s' \"$1\" >> $CYCLES_USAGE_FILE", "sh", hostile,
                    ],
                    ["serve", "--state", "/nowhere/\(hostile)"], ["journal", "list", "--journal", folder.path],
                    ["journal", "list", "--json", "--journal", folder.path],
                    ["journal", "discard", "--journal", folder.path, hostile], ["doctor", "--journal", "/\(hostile)"],
                    ["doctor", "--tenant", hostile],
                ] { expectOnlyText(try await cycles(arguments, environment), arguments) }
                expectOnlyText(
                    try await cycles(["balances"], environment.merging(["CYCLES_BASE_URL": hostile]) { $1 }),
                    ["the environment"]
                )
                let discarded = try await cycles(["journal", "discard", "--journal", folder.path, record], environment)
                expectOnlyText(discarded, ["journal", "discard"])
                // Once it is gone, it is nowhere else.
                let contents = try JSONValue(parsing: Array(discarded.output.utf8))
                #expect(contents.string == "not JSON: \(hostile)", "\(discarded)")
            }
        }

        @Test func aFileThatIsNoTextIsNotDiscarded() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let identity = folder.appendingPathComponent("0123456789abcdef")
            try FileManager.default.createDirectory(at: identity, withIntermediateDirectories: true)
            let record = identity.appendingPathComponent("v2-0.json.corrupt")
            try Data([0xff, 0x1b, 0x00]).write(to: record)
            let outcome = try await cycles(["journal", "discard", "--journal", folder.path, record.path])
            #expect(outcome.status == 1 && outcome.output.isEmpty && outcome.errors.contains("not text"), "\(outcome)")
            #expect(FileManager.default.fileExists(atPath: record.path))
        }

        // MARK: What cannot be written

        private static var refusing: [String] {
            #if os(Linux)
                [">/dev/full", ">&-"]
            #else
                [">&-"]
            #endif
        }

        private func outcome(_ arguments: [String], _ environment: [String: String], _ redirections: String)
            async throws -> RunningTool.Outcome
        {
            await (try RunningTool(arguments, environment, redirections: redirections)).outcome()
        }

        @Test(arguments: refusing) func aHoldThatNobodyLearnsOfIsReleased(redirection: String) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                for form in [["--json"], ["-q"], []] {
                    let outcome = try await outcome(["reserve"] + work + form, environment, redirection)
                    #expect(outcome.status == 74 && outcome.errors.contains("is released"), "\(outcome)")
                    #expect(outcome.errors.contains("standard output"), "\(outcome)")
                    if form == ["--json"] {
                        #expect(try JSONValue(parsing: Array(outcome.errors.utf8))["message"] != nil)
                    }
                }
                #expect(authority.activeReservations.isEmpty)
            }
        }

        @Test(arguments: refusing) func aHoldUnderTheCallersKeyWaitsForTheSameCommand(redirection: String) async throws
        {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let arguments = ["reserve", "-q", "--idempotency-key", "key-of-the-caller"] + work
                let lost = try await outcome(arguments, environment, redirection)
                #expect(lost.status == 74 && lost.errors.contains("--idempotency-key key-of-the-caller"), "\(lost)")
                let again = try await cycles(arguments, environment)
                #expect(again.status == 0 && authority.activeReservations.map { "\($0)\n" } == [again.output])
            }
        }

        @Test func aHoldThatIsPipedToNobodyIsReleased() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let pipe = Pipe()
                try pipe.fileHandleForReading.close()
                let tool = try RunningTool(
                    ["reserve", "--json"] + work,
                    environment,
                    output: pipe.fileHandleForWriting
                )
                let outcome = await tool.outcome()
                #expect(outcome.status == 74 && outcome.errors.contains("is released"), "\(outcome)")
                #expect(authority.activeReservations.isEmpty)
            }
        }

        @Test(arguments: refusing) func whatIsDoneIsSaidThoughTheAnswerIsLost(redirection: String) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let id = try await cycles(["reserve", "-q"] + work, environment).output.trimmingCharacters(
                    in: .newlines
                )
                for (arguments, text) in [
                    (["extend", id, "--by", "1s"], "extended until"),
                    (["commit", id, "--actual", "1:TOKENS"], "1 TOKENS"),
                    (["event", "--actual", "1:TOKENS", "--action", "a.b/c"], "charged as evt_"),
                ] {
                    let outcome = try await outcome(arguments, environment, redirection)
                    #expect(outcome.status == 74 && outcome.errors.contains(text), "\(outcome)")
                }
            }
        }

        @Test(arguments: refusing) func outputThatIsLostIsAFailure(redirection: String) async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                for arguments in [
                    ["--help"], ["--version"], ["run", "--help"], ["completion", "bash"], ["completion", "zsh"],
                    ["balances"], ["balances", "--json"], ["reservations"], ["reservations", "--json"],
                    ["decide"] + work, ["doctor"], ["doctor", "--json"], ["journal", "list"],
                    ["journal", "list", "--json"], ["journal", "flush"], ["watch", "--interval", "1ms"], ["demo"],
                    ["serve", "--port", "0"],
                ] {
                    let outcome = try await outcome(arguments, environment, redirection)
                    #expect(outcome.status == 74, "\(arguments): \(outcome)")
                    #expect(outcome.errors.contains("cannot write to standard output"), "\(arguments): \(outcome)")
                }
                #expect(authority.activeReservations.isEmpty)
                // A command that has failed says how.
                let denied = try await outcome(
                    ["decide", "--estimate", "1000000:TOKENS", "--action", "a.b/c"],
                    environment,
                    redirection
                )
                #expect(denied.status == 77 && denied.errors.contains("standard output"), "\(denied)")
                // The tool writes nothing there itself.
                #expect(try await outcome(["run"] + work + ["--", "true"], environment, redirection).status == 0)
            }
        }

        @Test func aPipeThatIsReadNoMoreEndsQuietly() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                for arguments in [["--help"], ["balances"], ["reservations", "--json"], ["doctor"], ["demo"]] {
                    let pipe = Pipe()
                    try pipe.fileHandleForReading.close()
                    let tool = try RunningTool(arguments, environment, output: pipe.fileHandleForWriting)
                    let outcome = await tool.outcome()
                    #expect(outcome.isSignal && outcome.status == SIGPIPE && outcome.errors.isEmpty, "\(outcome)")
                }
                // The demonstration has held budget meanwhile.
                #expect(authority.activeReservations.isEmpty)
                // Whoever ignores the signal wants to be told.
                let pipe = Pipe()
                try pipe.fileHandleForReading.close()
                let tool = try RunningTool(
                    ["balances"],
                    environment,
                    output: pipe.fileHandleForWriting,
                    ignoring: "PIPE"
                )
                let told = await tool.outcome()
                #expect(told.status == 74 && told.errors.contains("Broken pipe"), "\(told)")
            }
        }

        // The runtime of a sanitizer writes files and descriptors of its own.
        @Test(.disabled(if: isSlowed)) func aFileThatMayNotGrowIsAFailedWrite() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let tool = Programs.executable("cycles").path
                let script = "ulimit -f 0; exec '\(tool)' \((["reserve"] + work).joined(separator: " "))"
                let outcome = try Programs.run(
                    URL(fileURLWithPath: "/bin/sh"),
                    ["-c", script],
                    environment: environment
                )
                #expect(outcome.status == 74, "\(outcome)")
                #expect(authority.activeReservations.isEmpty)
            }
        }

        // MARK: Standard streams that are closed

        @Test(.disabled(if: isSlowed)) func nothingOfTheToolsBecomesAStandardStream() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let closed = try await outcome(["balances", "--json"], environment, "<&- >&-")
                #expect(closed.status == 74 && closed.errors.contains("Bad file descriptor"), "\(closed)")
                // A socket of that number would carry the message to the server.
                let noErrors = try await outcome(["reservation", "nobody"], environment, "2>&-")
                #expect(noErrors.status == 1 && noErrors.output.isEmpty, "\(noErrors)")
                let key = try await outcome(["balances", "--api-key-file", "-"], environment, "<&-")
                #expect(key.status == 2 && key.errors.contains("standard input: Bad file"), "\(key)")
                // A command finds the same descriptors closed as without the tool.
                let command = ["--", "/bin/sh", "-c", "echo x >&1 || exit 3"]
                let outcome = try await outcome(["run"] + work + command, environment, "<&- >&-")
                #expect(outcome.status == 3, "\(outcome)")
            }
        }
    }
}
