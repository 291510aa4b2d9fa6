import Cycles
import CyclesTesting
import Testing

/// The options of `cycles mcp` that limit what an agent may do.
extension ToolSuites {
    @Suite struct ToolMCPTests {
        private func answer(_ options: [String], _ request: String) async throws -> JSONValue {
            let tool = try RunningTool(["mcp", "--demo"] + options, input: request + "\n")
            let outcome = await tool.outcome()
            #expect(outcome.status == 0, "\(outcome)")
            return try JSONValue(parsing: Array(outcome.output.utf8))
        }

        @Test(
            arguments: [
                (
                    ["--read-only"],
                    ["cycles_decide", "cycles_check_balance", "cycles_list_reservations", "cycles_get_reservation"]
                ), (["--allow", "cycles_commit,cycles_reserve"], ["cycles_reserve", "cycles_commit"]),
                (["--read-only", "--allow", "cycles_commit,cycles_decide"], ["cycles_decide"]),
            ] as [([String], [String])]
        )
        func optionsLimitTheTools(options: [String], names: [String]) async throws {
            let list = try await answer(options, #"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#)
            #expect(list["result"]?["tools"]?.array?.compactMap { $0["name"]?.string } == names)
        }

        @Test func anOptionLimitsAmounts() async throws {
            let options = ["--max-estimate", "100:TOKENS", "--max-estimate", "5:CREDITS"]
            for (amount, unit) in [(101, "TOKENS"), (6, "CREDITS"), (1, "RISK_POINTS")] {
                let arguments =
                    #"{"idempotencyKey":"k","action":{"kind":"k","name":"n"},"#
                    + #""estimate":{"unit":"\#(unit)","amount":\#(amount)}}"#
                let call =
                    #"{"jsonrpc":"2.0","id":1,"method":"tools/call","#
                    + #""params":{"name":"cycles_reserve","arguments":\#(arguments)}}"#
                let text = try await answer(options, call)["result"]?["content"]?[0]?["text"]?.string
                #expect(text?.contains("ESTIMATE_TOO_LARGE") == true, "\(amount) \(unit)")
            }
        }

        @Test(
            arguments: [
                (["--read-only", "--allow", "cycles_reserve"], "leave no tool"),
                (["--max-estimate", "1:TOKENS", "--max-estimate", "2:TOKENS"], "names a unit twice"),
                (["--allow", "cycles_reserv"], "perhaps cycles_reserve"), (["--allow", ","], "one tool or more"),
            ] as [([String], String)]
        )
        func optionsThatContradictEachOtherAreRefused(options: [String], message: String) async throws {
            let outcome = try await cycles(["mcp", "--demo"] + options)
            #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
            #expect(outcome.errors.contains(message), "\(outcome)")
        }
    }
}
