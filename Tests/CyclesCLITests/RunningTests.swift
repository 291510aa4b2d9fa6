import Cycles
import Testing

@testable import CyclesCLI

@Suite struct RunningTests {
    @Test func linesOfAReportAreSummed() {
        let report = UsageReport(
            "tokens 40\n\n# a comment\n  TOKENS\t2  \r\ntokens_input 30\ntokens_input 1\ntokens_output 11\nmodel_version gpt-4o mini\n",
            unit: .tokens
        )
        #expect(report.spend == .tokens(42))
        #expect(report.metrics == CyclesMetrics(tokensInput: 31, tokensOutput: 11, modelVersion: "gpt-4o mini"))
        #expect(report.problems.isEmpty, "\(report.problems)")
    }

    @Test func whatCannotCountIsSaid() {
        let report = UsageReport(
            "credits 3\ntokens -1\ntokens 1.5\ntokens\nfrobs 3\ntokens_input x\nmodel_version\ntokens 7",
            unit: .tokens
        )
        #expect(report.spend == .tokens(7))
        #expect(report.metrics.tokensInput == nil)
        #expect(
            report.problems.map { String($0.prefix { $0 != ":" }) } == [
                "line 1, \"credits 3\"", "line 2, \"tokens -1\"", "line 3, \"tokens 1.5\"", "line 4, \"tokens\"",
                "line 5, \"frobs 3\"", "line 6, \"tokens_input x\"", "line 7, \"model_version\"",
            ]
        )
    }

    @Test func aReportEndsAtTheProtocolsLimits() {
        #expect(UsageReport("", unit: .tokens).spend == nil)
        #expect(UsageReport("tokens 0", unit: .tokens).spend == .tokens(0))
        let most = "tokens \(Int64.max)\ntokens 1\ntokens 9223372036854775808\n"
        #expect(UsageReport(most, unit: .tokens).spend == .tokens(.max))
        #expect(UsageReport(most, unit: .tokens).problems.count == 1)
    }

    @Test func aCommandKnowsItsReservationAndNoOther() {
        let variables = CommandEnvironment.variables(
            "rsv_2",
            .allowWithCaps,
            Caps(maxTokens: 256, toolDenylist: ["a", "b"], cooldown: .milliseconds(1_500)),
            estimate: .credits(9),
            usageFile: "/tmp/usage",
            usageDescriptor: 3,
            inherited: [
                "PATH=/bin", "CYCLES_RESERVATION_ID=rsv_1", "CYCLES_TOOL_ALLOWLIST=x", "CYCLES_MAX_TOKENS_OTHER=1",
            ]
        )
        #expect(
            variables == [
                "PATH=/bin", "CYCLES_MAX_TOKENS_OTHER=1", "CYCLES_RESERVATION_ID=rsv_2",
                "CYCLES_DECISION=ALLOW_WITH_CAPS", "CYCLES_ESTIMATE=9", "CYCLES_UNIT=CREDITS", "CYCLES_MAX_TOKENS=256",
                "CYCLES_TOOL_DENYLIST=a,b", "CYCLES_COOLDOWN_MS=1500", "CYCLES_USAGE_FILE=/tmp/usage",
                "CYCLES_USAGE_FD=3",
            ]
        )
    }

    @Test func aSignalMeansWhatTheMomentMakesOfIt() throws {
        let command = GuardedCommand()
        #expect(command.take(2, isFromTerminal: true) == .callOff)
        #expect(command.interruption == 2)
        #expect(command.take(2, isFromTerminal: true) == .leave)
        // What was called off is not started.
        #expect(try command.start { () throws(SystemFailure) in throw SystemFailure("start", "it", code: 1) } == nil)

        let settling = GuardedCommand()
        settling.ended()
        #expect(settling.take(15, isFromTerminal: false) == .askForPatience)
        #expect(settling.take(15, isFromTerminal: false) == .leave)
    }
}
