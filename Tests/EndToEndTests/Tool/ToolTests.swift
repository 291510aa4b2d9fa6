import Cycles
import CyclesTesting
import Foundation
import Testing

/// The executable as a whole, and its demonstration.
extension ToolSuites {
    @Suite struct ToolTests {
        @Test func theDemonstrationRunsByItself() async throws {
            let outcome = try await cycles(["demo"])
            #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
            for text in [
                "1000 TOKENS for llm.completion by demo-model: ALLOW", "420 TOKENS charged, 580 TOKENS released",
                "createReservation was denied: BUDGET_EXCEEDED", "ALLOW_WITH_CAPS", "limited to 256 tokens",
                "the whole hold is released",
            ] { #expect(outcome.output.contains(text), "\(outcome.output)") }
            let rows = outcome.output.split(separator: "\n").filter { $0.hasPrefix("  tenant:") }
                .map { $0.split(separator: " ").map(String.init) }
            #expect(
                rows == [
                    ["tenant:acme", "100000", "0", "0", "100000", "TOKENS"],
                    ["tenant:acme/agent:writer", "20000", "0", "0", "20000", "TOKENS"],
                    ["tenant:acme", "100000", "676", "0", "99324", "TOKENS"],
                    ["tenant:acme/agent:writer", "20000", "256", "0", "19744", "TOKENS"],
                ]
            )
        }

        #if os(Linux)
            /// Before 7.87, libcurl waits for its thread to end that resolves a name.
            private static var leavesResolvers: Bool {
                let outcome = try? Programs.run(
                    URL(fileURLWithPath: "/usr/bin/env"),
                    ["pkg-config", "--exists", "libcurl >= 7.87"]
                )
                return Programs.areCompiled && outcome?.status == 0
            }

            @Test(.enabled(if: leavesResolvers)) func aNameThatDoesNotResolveHoldsNobodyUp() async throws {
                let environment = [
                    "LD_PRELOAD": try Programs.preloadable("SlowResolver").path, "CYCLES_API_KEY": "k",
                    "CYCLES_TENANT": "acme",
                ]
                let start = ContinuousClock.now
                let outcome = try await cycles(
                    ["balances", "--url", "http://authority.test", "--connect-timeout", "1s", "--read-timeout", "1s"],
                    environment
                )
                #expect(outcome.status == 69 && outcome.errors.contains("Timed out"), "\(outcome)")
                // The name itself would take half a minute.
                #expect(ContinuousClock.now - start < .seconds(20))
            }
        #endif

        @Test func theDemonstrationUsesTheServerOfTheEnvironment() async throws {
            let authority = testAuthority(.credits(5_000))
            try await withServer(authority) { environment in
                // The server knows whose key it is.
                let outcome = try await cycles(["demo"], environment.filter { $0.key != "CYCLES_TENANT" })
                #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
                #expect(outcome.output.contains("500 CREDITS for llm.completion by demo-model: ALLOW"))
                #expect(outcome.output.contains("BUDGET_EXCEEDED"))
                #expect(outcome.output.contains("skipped"))
                #expect(!outcome.output.contains("key-of-the-test"))
            }
            #expect(authority.activeReservations.isEmpty)
            #expect(authority.balances().first?.spent == .credits(210))
        }

        @Test func aServerWithoutBudgetIsExplained() async throws {
            let authority = LocalAuthority()
            authority.addAPIKey("key-of-the-test", tenant: "acme")
            try await withServer(authority) { environment in
                let outcome = try await cycles(["demo"], environment)
                #expect(outcome.status == 1)
                #expect(
                    outcome.errors.hasPrefix("cycles demo: No budget of tenant acme has funds left"),
                    "\(outcome.errors)"
                )
            }
        }

        @Test func failuresSayWhatToDo() async throws {
            try await withServer(testAuthority(.credits(5_000))) { environment in
                let refused = try await cycles(["demo"], environment.merging(["CYCLES_API_KEY": "another-key"]) { $1 })
                #expect(refused.status == 78)
                #expect(refused.errors.contains("401") && refused.errors.contains("check the API key"), "\(refused)")
                #expect(!(refused.errors + refused.output).contains("another-key"))
                let halfConfigured = try await cycles(
                    ["demo"],
                    ["CYCLES_BASE_URL": environment["CYCLES_BASE_URL"] ?? ""]
                )
                #expect(halfConfigured.status == 2 && halfConfigured.errors.contains("CYCLES_API_KEY is not set"))
            }
            let misused = try await cycles(["frobnicate"])
            #expect(misused.status == 2 && misused.errors.contains("frobnicate"))
            #expect(try await cycles(["--help"]).output.hasPrefix("usage: cycles"))
            #expect(try await cycles(["--version"]).output == "cycles \(CyclesVersion.current)\n")
        }
    }
}
