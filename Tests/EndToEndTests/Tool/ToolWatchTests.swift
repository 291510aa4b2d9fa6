import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles watch`, on a terminal and elsewhere.
extension ToolSuites {
    @Suite struct ToolWatchTests {
        @Test func aTerminalIsRefreshedInPlace() async throws {
            let authority = testAuthority(.tokens(1_000))
            try await withServer(authority) { environment in
                let terminal = try Pseudoterminal(columns: 40, rows: 20)
                let tool = try RunningTool(
                    ["watch", "--interval", "20ms"],
                    environment.merging(["LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"]) { $1 },
                    terminal: terminal
                )
                await until { terminal.screen.count > 4 || !tool.isRunning }
                #expect(
                    terminal.screen.dropFirst(2).first?.hasPrefix("tenant:acme  spent 0, reserved 0") == true,
                    "\(terminal.screen)"
                )
                #expect(terminal.screen.dropFirst(3).first == "  remaining 1 000 TOKENS")
                #expect(terminal.screen.dropFirst(4).first == String(repeating: "░", count: 40))

                authority.setBudget(scope: "tenant:acme", allocated: .tokens(2_000))
                _ = try await cycles(["event", "--actual", "1000:TOKENS", "--action", "a.b/c"], environment)
                _ = try await cycles(["reserve", "--estimate", "500:TOKENS", "--action", "a.b/c"], environment)
                let bar =
                    String(repeating: "█", count: 20) + String(repeating: "▒", count: 10)
                    + String(repeating: "░", count: 10)
                await until { terminal.screen.dropFirst(4).first == bar || !tool.isRunning }
                #expect(terminal.screen.dropFirst(4).first == bar, "\(terminal.screen)")
                #expect(terminal.screen.allSatisfy { $0.count <= 40 })

                tool.signal(SIGINT)
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGINT, "\(outcome)")
                // The other screen was used, and is left.
                #expect(terminal.text.hasPrefix("\u{1b}[?1049h") && terminal.text.hasSuffix("\u{1b}[?1049l"))
            }
        }

        @Test func theKeyQEndsIt() async throws {
            let authority = testAuthority(.tokens(1_000))
            try await withServer(authority) { environment in
                let terminal = try Pseudoterminal(columns: 50, rows: 20)
                let before = terminal.echoes
                let tool = try RunningTool(["watch", "--interval", "20ms"], environment, terminal: terminal)
                await until { terminal.screen.count > 4 || !tool.isRunning }
                #expect(terminal.screen.last?.hasSuffix("q ends") == true, "\(terminal.screen)")
                #expect(before && !terminal.echoes)
                terminal.type("xq")
                let outcome = await tool.outcome()
                #expect(outcome.status == 0 && outcome.signal == nil, "\(outcome)")
                #expect(terminal.text.hasSuffix("\u{1b}[?1049l") && terminal.echoes)
            }
        }

        @Test func aServerThatIsAwayIsWaitedFor() async throws {
            let authority = testAuthority(.tokens(1_000))
            let server = LoopbackServer(authority)
            try server.start()
            defer { server.stop() }
            let terminal = try Pseudoterminal(columns: 200, rows: 20)
            let environment = [
                "CYCLES_BASE_URL": server.baseURL, "CYCLES_API_KEY": "key-of-the-test", "CYCLES_TENANT": "acme",
                "LC_ALL": "C",
            ]
            let tool = try RunningTool(["watch", "--interval", "20ms"], environment, terminal: terminal)
            await until { terminal.screen.contains { $0.hasPrefix("....") } || !tool.isRunning }
            server.stop()
            await until { terminal.screen.contains { $0.hasPrefix("As of ") } || !tool.isRunning }
            try server.start()
            await until { terminal.screen.contains { $0.hasPrefix("# spent") } || !tool.isRunning }
            #expect(tool.isRunning, "\(terminal.screen)")
        }

        @Test func itEndsWithItsReader() async throws {
            let authority = testAuthority(.tokens(1_000))
            try await withServer(authority) { environment in
                let tool = Programs.executable("cycles").path
                let script = "'\(tool)' watch --interval 10ms | head -n 1; echo ended"
                async let outcome = Task.detached {
                    try Programs.run(URL(fileURLWithPath: "/bin/sh"), ["-c", script], environment: environment)
                }.value
                // Each change is a line, which nobody reads any more at last.
                for amount in 1...20 {
                    authority.setBudget(scope: "tenant:acme", allocated: .tokens(Int64(1_000 + amount)))
                    try await Task.sleep(for: .milliseconds(50))
                }
                #expect(try await outcome.output.hasSuffix("ended\n"))
            }
        }

        @Test func elsewhereThereIsALineForEachChange() async throws {
            let authority = testAuthority(.tokens(1_000))
            try await withServer(authority) { environment in
                let tool = try RunningTool(["watch", "--interval", "20ms"], environment)
                await tool.says("remaining=1000\n")
                _ = try await cycles(["event", "--actual", "1:TOKENS", "--action", "a.b/c"], environment)
                await tool.says("remaining=999\n")
                tool.signal(SIGTERM)
                let outcome = await tool.outcome()
                #expect(outcome.signal == SIGTERM)
                let lines = outcome.output.split(separator: "\n").map { $0.drop { $0 != " " }.dropFirst() }
                #expect(
                    lines == [
                        "tenant:acme TOKENS allocated=1000 spent=0 reserved=0 remaining=1000",
                        "tenant:acme TOKENS allocated=1000 spent=1 reserved=0 remaining=999",
                    ]
                )
                #expect(!outcome.output.contains("\u{1b}"))
                let one = try await cycles(["watch", "--count", "1"], environment)
                #expect(one.status == 0 && one.output.split(separator: "\n").count == 1)
            }
        }
    }
}
