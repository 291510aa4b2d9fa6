import Cycles
import CyclesTesting
import Foundation
import Testing

/// One operation for each command, as scripts use them.
extension ToolSuites {
    @Suite struct ToolOperationTests {
        private let work = ["--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]

        @Test func aLifecycleInAScript() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                let reserved = try await cycles(
                    ["reserve", "-q"] + work + ["--subject", "agent=bot", "--metadata", "{\"run\":1}"],
                    environment
                )
                #expect(reserved.status == 0 && reserved.errors.isEmpty, "\(reserved)")
                let id = reserved.output.trimmingCharacters(in: .newlines)
                #expect(authority.activeReservations == [ReservationID(id)])

                let extended = try await cycles(["extend", id, "--by", "2m"], environment)
                #expect(extended.status == 0 && extended.output.contains("status   ACTIVE"), "\(extended)")

                let shown = try await cycles(["reservation", id], environment)
                #expect(shown.output.contains("scopes       tenant:acme, tenant:acme/agent:bot\n"), "\(shown)")
                #expect(shown.output.contains("metadata     {\"run\":1}\n"), "\(shown)")

                let committed = try await cycles(
                    ["commit", id, "--actual", "420:TOKENS", "--tokens-input", "400", "--latency", "2s"],
                    environment
                )
                #expect(committed.status == 0, "\(committed)")
                #expect(committed.output.contains("charged   420 TOKENS\nreleased  580 TOKENS\n"), "\(committed)")

                let event = try await cycles(
                    ["event", "--actual", "7:TOKENS", "--action", "tool.search/web", "--tag", "x"],
                    environment
                )
                #expect(event.status == 0 && event.output.contains("APPLIED"), "\(event)")

                let other = try await cycles(["reserve", "-q"] + work, environment).output.trimmingCharacters(
                    in: .newlines
                )
                let released = try await cycles(["release", other, "--reason", "not needed"], environment)
                #expect(released.status == 0 && released.output.contains("released  1000 TOKENS"), "\(released)")

                let balances = try await cycles(["balances"], environment)
                let rows = balances.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
                #expect(
                    rows == [
                        ["SCOPE", "ALLOCATED", "SPENT", "RESERVED", "REMAINING", "UNIT"],
                        ["tenant:acme", "100000", "427", "0", "99573", "TOKENS"],
                    ]
                )
            }
        }

        @Test func programsGetTheServersFields() async throws {
            let authority = testAuthority()
            authority.setBudget(scope: "tenant:acme/agent:bot", allocated: .tokens(5_000), caps: Caps(maxTokens: 256))
            try await withServer(authority) { environment in
                let answer = try await cycles(["reserve", "--json"] + work + ["--subject", "agent=bot"], environment)
                #expect(answer.errors.isEmpty && answer.output.filter { $0 == "\n" }.count == 1)
                let document = try JSONValue(parsing: Array(answer.output.utf8))
                #expect(document["decision"]?.string == "ALLOW_WITH_CAPS" && document["caps"]?["max_tokens"] == 256)
                let id = try #require(document["reservation_id"]?.string)

                // The output has exactly the members of the answer.
                let listed = try await JSONValue(
                    parsing: Array(cycles(["reservations", "--json"], environment).output.utf8)
                )
                #expect(listed["has_more"] == false)
                #expect(listed["reservations"]?[0]?["reservation_id"]?.string == id)
                for arguments in [
                    ["decide"] + work, ["balances", "--children"], ["reservation", id], ["extend", id, "--by", "1s"],
                    ["commit", id, "--actual", "1:TOKENS"], ["event", "--actual", "1:TOKENS", "--action", "a.b/c"],
                ] {
                    let outcome = try await cycles(arguments + ["--json"], environment)
                    #expect(outcome.status == 0, "\(arguments): \(outcome)")
                    #expect(try JSONValue(parsing: Array(outcome.output.utf8)).object != nil)
                }
            }
        }

        @Test func allPagesAreOnePrintout() async throws {
            let authority = testAuthority()
            try await withServer(authority) { environment in
                for _ in 0..<3 { _ = try await cycles(["reserve"] + work, environment) }
                #expect(try await cycles(["reservations"], environment).output.split(separator: "\n").count == 4)
                let page = try await cycles(["reservations", "--limit", "2", "--sort", "reservation_id"], environment)
                #expect(page.output.split(separator: "\n").count == 3)
                let more = try #require(
                    page.errors.split(separator: "--cursor ").last?.trimmingCharacters(in: .newlines)
                )
                let rest = try await cycles(
                    ["reservations", "--limit", "2", "--sort", "reservation_id", "--cursor", more],
                    environment
                )
                #expect(rest.output.split(separator: "\n").count == 2 && rest.errors.isEmpty, "\(rest)")
                #expect(
                    try await cycles(["reservations", "--status", "released"], environment).output
                        == "There are no such reservations.\n"
                )
            }
        }

        @Test func evidenceIsShown() async throws {
            let authority = LocalAuthority(options: .init(emitsEvidence: true, evidenceMisses: 1))
            authority.addAPIKey("key-of-the-test", tenant: "acme")
            authority.setBudget(scope: "tenant:acme", allocated: .tokens(5_000))
            authority.setEvidenceKeys([
                "keys": [
                    [
                        "kty": "OKP", "crv": "Ed25519", "x": .string(String(repeating: "A", count: 43)), "kid": "key-1",
                        "cycles_nbf_ms": 0,
                    ]
                ]
            ])
            try await withServer(authority) { environment in
                let answer = try await JSONValue(
                    parsing: Array(cycles(["reserve", "--json"] + work, environment).output.utf8)
                )
                let id = try #require(answer["cycles_evidence"]?["evidence_id"]?.string)
                let missing = try await cycles(["evidence", id], environment)
                #expect(missing.status == 1 && missing.errors.contains("404"), "\(missing)")
                let shown = try await cycles(["evidence", id, "--wait", "5s"], environment)
                #expect(shown.status == 0 && shown.output.contains(id), "\(shown)")
                let keys = try await cycles(["evidence", "--keys"], environment)
                #expect(keys.status == 0 && keys.output.contains("key-1"), "\(keys)")
                #expect(try await cycles(["evidence"], environment).status == 2)
            }
        }

        @Test func eachFailureHasItsStatus() async throws {
            let authority = testAuthority(.tokens(500))
            try await withServer(authority) { environment in
                let denied = try await cycles(["reserve"] + work, environment)
                #expect(denied.status == 77 && denied.output.isEmpty)
                for part in ["BUDGET_EXCEEDED", "request req_", "trace "] {
                    #expect(denied.errors.contains(part), "\(denied)")
                }
                let decided = try await cycles(["decide"] + work, environment)
                #expect(decided.status == 77 && decided.output.contains("decision  DENY"), "\(decided)")

                let asJSON = try await cycles(["reserve", "--json"] + work, environment)
                let error = try JSONValue(parsing: Array(asJSON.errors.utf8))
                #expect(asJSON.status == 77 && asJSON.output.isEmpty)
                #expect(error["error"] == "BUDGET_EXCEEDED" && error["status"] == 409)
                #expect(
                    error["request_id"]?.string?.hasPrefix("req_") == true && error["trace_id"]?.string?.count == 32
                )

                #expect(try await cycles(["reservation", "nobody"], environment).status == 1)
                let unset = try await cycles(["balances", "--json"], ["CYCLES_API_KEY": "k"])
                let misuse = try JSONValue(parsing: Array(unset.errors.utf8))
                #expect(unset.status == 2 && misuse["message"]?.string?.contains("CYCLES_BASE_URL") == true)
                #expect(misuse["error"] == "CONFIGURATION" && misuse["retryable"] == false)
                let wrong = try await cycles(["balances", "--nonsense", "--json"], environment)
                let usage = try JSONValue(parsing: Array(wrong.errors.utf8))
                #expect(wrong.status == 2 && usage["error"] == "USAGE" && usage["retryable"] == false)
                let away = try await cycles(["balances", "--json", "--url", "http://127.0.0.1:1"], environment)
                let lost = try JSONValue(parsing: Array(away.errors.utf8))
                #expect(away.status == 69 && lost["error"] == "TRANSPORT" && lost["retryable"] == true)
                let quiet = try await cycles(["reserve", "-q", "--dry-run"] + work, environment)
                #expect(
                    quiet.status == 77 && quiet.output.isEmpty && quiet.errors.contains("BUDGET_EXCEEDED"),
                    "\(quiet)"
                )
                let wrongKey = environment.merging(["CYCLES_API_KEY": "another-key"]) { $1 }
                let refused = try await cycles(["balances"], wrongKey)
                #expect(refused.status == 78 && !refused.errors.contains("another-key"), "\(refused)")

                authority.failNext(.internalError)
                let temporary = try await cycles(["event", "--actual", "1:TOKENS", "--action", "a.b/c"], environment)
                #expect(temporary.status == 75 && temporary.errors.contains("--idempotency-key "), "\(temporary)")
                // With that key it happens once.
                let key = try #require(temporary.errors.split(separator: "--idempotency-key ").last).trimmingCharacters(
                    in: .newlines
                )
                for _ in 0..<2 {
                    let again = ["event", "--actual", "1:TOKENS", "--action", "a.b/c", "--idempotency-key", key]
                    #expect(try await cycles(again, environment).status == 0)
                }
                #expect(authority.balances().first?.spent == .tokens(1))

                #expect(try await cycles(["extend", "rsv", "--by", "100h"], environment).status == 2)
            }
            let nobody = ["CYCLES_BASE_URL": "http://127.0.0.1:\(try freePort())", "CYCLES_API_KEY": "key-of-the-test"]
            let unreachable = try await cycles(["balances"], nobody)
            #expect(unreachable.status == 69 && unreachable.errors.contains("127.0.0.1"), "\(unreachable)")
            #expect(try await cycles(["balances", "--tennant", "x"], nobody).status == 2)
        }

        @Test func keysComeFromTheEnvironmentOrAFile() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("key").path
            try "key-of-the-test\nsecond line\n".write(toFile: file, atomically: true, encoding: .utf8)
            try await withServer(testAuthority()) { environment in
                let url = try #require(environment["CYCLES_BASE_URL"])
                #expect(try await cycles(["balances", "--url", url, "--api-key-file", file]).status == 0)
                #expect(
                    try await cycles(["balances"], ["CYCLES_BASE_URL": url, "CYCLES_API_KEY_FILE": file]).status == 0
                )
                // The flag counts, whatever the environment says.
                let other = ["CYCLES_BASE_URL": "http://127.0.0.1:1", "CYCLES_API_KEY": "wrong"]
                #expect(try await cycles(["balances", "--url", url, "--api-key-file", file], other).status == 0)
                let typed = try RunningTool(
                    ["balances", "--url", url, "--api-key-file", "-"],
                    input: "key-of-the-test\n"
                )
                #expect(await typed.outcome().status == 0)
                let missing = try await cycles(["balances", "--url", url, "--api-key-file", file + "x"])
                #expect(missing.status == 2 && missing.errors.contains("No such file"), "\(missing)")
                let none = try await cycles(["balances", "--url", url])
                #expect(none.status == 2 && none.errors.contains("--api-key-file"), "\(none)")
            }
        }

        @Test func theTraceOfTheEnvironmentGoesAlong() async throws {
            try await withServer(testAuthority()) { environment in
                let trace = "0af7651916cd43dd8448eb211c80319c"
                let variables = environment.merging(["TRACEPARENT": "00-\(trace)-b7ad6b7169203331-01"]) { $1 }
                let outcome = try await cycles(["reservation", "nobody"], variables)
                #expect(outcome.errors.contains("trace " + trace), "\(outcome)")
            }
        }

        private static let fix = "Raise the limit in policy 'pol_1'"
        private static let detail = #"{"reason_code":"ACTION_QUOTA_EXCEEDED","suggested_fix":"\#(fix)"}"#

        @Test(arguments: ["ACTION_QUOTA_EXCEEDED", "ACTION_KIND_NOT_ALLOWED", "ACTION_KIND_DENIED", "LATER_CODE"])
        func aPolicyThatSaysNoIsADenial(code: String) async throws {
            let mock = MockTransport()
            let body = #"{"error":"\#(code)","message":"m","request_id":"r","details":{"deny_detail":\#(Self.detail)}}"#
            mock.on(.post, "/v1/*") { _ in HTTPResponse(status: 409, body: Array(body.utf8)) }
            try await withServer(mock) { environment in
                for arguments in [
                    ["reserve"] + work, ["decide"] + work, ["event", "--actual", "1:TOKENS", "--action", "a/b"],
                    ["run"] + work + ["--", "true"],
                ] {
                    let outcome = try await cycles(arguments, environment)
                    #expect(outcome.status == 77 && outcome.errors.contains(Self.fix), "\(arguments): \(outcome)")
                }
                let asJSON = try await cycles(["reserve", "--json"] + work, environment)
                let document = try JSONValue(parsing: Array(asJSON.errors.utf8))
                #expect(asJSON.status == 77 && document["error"]?.string == code)
                #expect(document["details"]?["deny_detail"]?["suggested_fix"]?.string == Self.fix)
                // Operations that settle or release are not denied.
                let commit = try await cycles(["commit", "rsv_1", "--actual", "1:TOKENS"], environment)
                #expect(commit.status == 1 && commit.errors.contains(Self.fix), "\(commit)")
            }
        }

        @Test func aDecisionThatDeniesSaysWhatToDo() async throws {
            let mock = MockTransport()
            let body = #"{"decision":"DENY","affected_scopes":[{"scope":"tenant:acme"}],"deny_detail":\#(Self.detail)}"#
            mock.on(.post, "/v1/*") { _ in HTTPResponse(status: 200, body: Array(body.utf8)) }
            try await withServer(mock) { environment in
                for command in ["reserve", "decide"] {
                    let text = try await cycles([command] + work, environment)
                    #expect(text.status == 77 && text.output.contains(Self.fix), "\(text)")
                    #expect(text.output.contains("ACTION_QUOTA_EXCEEDED") && text.output.contains("tenant:acme"))
                    let asJSON = try await cycles([command, "--json"] + work, environment)
                    #expect(asJSON.status == 77 && asJSON.output == body + "\n", "\(asJSON)")
                }
                let quiet = try await cycles(["reserve", "-q"] + work, environment)
                #expect(quiet.status == 77 && quiet.output.isEmpty && quiet.errors.contains(Self.fix), "\(quiet)")
                let run = try await cycles(["run"] + work + ["--", "true"], environment)
                #expect(run.status == 77 && run.errors.contains(Self.fix), "\(run)")
            }
        }

        @Test func anObservedDecisionSaysThatNothingIsHeld() async throws {
            let mock = MockTransport()
            let body = #"{"decision":"ALLOW","affected_scopes":[{"scope":"tenant:acme"}]}"#
            mock.on(.post, "/v1/*") { _ in HTTPResponse(status: 200, body: Array(body.utf8)) }
            try await withServer(mock) { environment in
                let text = try await cycles(["reserve"] + work, environment)
                #expect(text.status == 0 && text.output.contains("nothing is held"), "\(text)")
                let quiet = try await cycles(["reserve", "-q"] + work, environment)
                #expect(quiet.output.isEmpty && quiet.errors.contains("nothing is held"), "\(quiet)")
                let dryRun = try await cycles(["reserve", "-q", "--dry-run"] + work, environment)
                #expect(dryRun.output.isEmpty && dryRun.errors.isEmpty, "\(dryRun)")
                let run = try await cycles(["run"] + work + ["--", "echo", "started"], environment)
                #expect(run.status != 0 && run.output.isEmpty && run.errors.contains("observed"), "\(run)")
            }
        }
    }
}
