import Cycles
import Foundation
import Testing

@testable import CyclesCLI

@Suite struct RunningTests {
    /// A report as it comes, a few bytes at a time.
    private func report(_ text: String, unit: BudgetUnit, pieces: Int = 3) -> UsageReport {
        var report = UsageReport(unit: unit)
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            report.add(Array(bytes.prefix(pieces)))
            bytes = bytes.dropFirst(pieces)
        }
        report.finish()
        return report
    }

    @Test func longReportsAndLongLines() {
        let long = String(repeating: "x", count: 100_000)
        let result = report(
            long + "\ntokens 1\n" + String(repeating: "tokens 1\n", count: 50_000),
            unit: .tokens,
            pieces: 7_000
        )
        #expect(result.spend == .tokens(50_001))
        #expect(result.problems.count == 1 && result.problems.first?.utf8.count ?? .max < 200)
        let nonsense = report(String(repeating: "frobs 1\n", count: 100), unit: .tokens)
        #expect(nonsense.problems.count == 20 && nonsense.moreProblems == 80)
    }

    @Test func linesOfAReportAreSummed() {
        let result = report(
            "tokens 40\n\n# a comment\n  TOKENS\t2  \r\ntokens_input 30\ntokens_input 1\ntokens_output 11\nmodel_version gpt-4o mini\n",
            unit: .tokens
        )
        #expect(result.spend == .tokens(42))
        #expect(result.metrics == CyclesMetrics(tokensInput: 31, tokensOutput: 11, modelVersion: "gpt-4o mini"))
        #expect(result.problems.isEmpty, "\(result.problems)")
    }

    @Test func dollarsOfAReportAreMicrocents() {
        let result = report("usd 0.05\nusd_microcents 3\nUSD 1\nusd -1\nusd x", unit: .usdMicrocents)
        #expect(result.spend == .usdMicrocents(105_000_003))
        #expect(result.problems.count == 2)
        #expect(report("usd 0.05", unit: .tokens).problems.count == 1)
    }

    @Test func whatCannotCountIsSaid() {
        let result = report(
            "credits 3\ntokens -1\ntokens 1.5\ntokens\nfrobs 3\ntokens_input x\nmodel_version\ntokens 7",
            unit: .tokens
        )
        #expect(result.spend == .tokens(7))
        #expect(result.metrics.tokensInput == nil)
        #expect(
            result.problems.map { String($0.prefix { $0 != ":" }) } == [
                "line 1, \"credits 3\"", "line 2, \"tokens -1\"", "line 3, \"tokens 1.5\"", "line 4, \"tokens\"",
                "line 5, \"frobs 3\"", "line 6, \"tokens_input x\"", "line 7, \"model_version\"",
            ]
        )
    }

    @Test(arguments: [
        ("42.0", 42), ("1e3", 1_000), ("1E+06", 1_000_000), ("1.5e1", 15), ("4200e-2", 42), ("007.00", 7), ("+3.", 3),
        ("0.0", 0), ("-0.0", 0), ("0e99999999999999999999", 0), ("9223372036854775807.0", Int64.max),
        ("922337203685477580.7e1", .max),
    ])
    func wholeNumbersCountHoweverTheyAreSpelled(text: String, number: Int64) {
        let result = report("tokens \(text)\n", unit: .tokens)
        #expect(result.spend == .tokens(number) && result.problems.isEmpty, "\(result.problems)")
    }

    @Test(arguments: [
        "1.5", "1e-1", "-1.0", "9223372036854775808.0", "1e19", "1e99999999999999999999", ".", "e3", "1e", "1e+",
        "1_000",
        "1,000", "0x10", "inf", "nan", "1 2", "1e3e3",
    ])
    func otherNumbersAreRefused(text: String) {
        let result = report("tokens \(text)\n", unit: .tokens)
        #expect(result.spend == nil && result.problems.count == 1)
    }

    @Test(arguments: [1, 2, 100]) func aReportMayBeginWithAByteOrderMark(pieces: Int) {
        let result = report("\u{feff}tokens 42\ntokens 1\n", unit: .tokens, pieces: pieces)
        #expect(result.spend == .tokens(43) && result.problems.isEmpty, "\(result.problems)")
    }

    @Test func aReportThatNoFolderCanHoldIsInMemory() throws {
        #if os(Linux)
            let usage = try UsageFile(in: ["/proc/no-such-folder"])
            #expect(usage.path.hasPrefix("/proc/"))
            for text in ["tokens 1\n", "tokens 2\n"] {
                let other = try #require(fopen(usage.path, "a"))
                fputs(text, other)
                fclose(other)
            }
            var contents: [UInt8] = []
            try usage.read { contents += $0 }
            #expect(String(decoding: contents, as: UTF8.self) == "tokens 1\ntokens 2\n")
        #endif
    }

    @Test func aReportEndsAtTheProtocolsLimits() {
        #expect(report("", unit: .tokens).spend == nil)
        #expect(report("tokens 0", unit: .tokens).spend == .tokens(0))
        let most = "tokens \(Int64.max)\ntokens 1\ntokens 9223372036854775808\n"
        #expect(report(most, unit: .tokens).spend == .tokens(.max))
        #expect(report(most, unit: .tokens).problems.count == 1)
    }

    @Test func aCommandKnowsItsReservationAndNoOther() {
        // A variable that is not UTF-8 is passed on unchanged.
        let invalid: [UInt8] = [UInt8(ascii: "F"), UInt8(ascii: "="), 0xff]
        let variables = CommandEnvironment.variables(
            "rsv_2",
            .allowWithCaps,
            Caps(maxTokens: 256, toolDenylist: ["a", "b"], cooldown: .milliseconds(1_500)),
            estimate: .credits(9),
            usageFile: "/tmp/usage",
            usageDescriptor: 3,
            inherited: [
                "PATH=/bin", "CYCLES_RESERVATION_ID=rsv_1", "CYCLES_TOOL_ALLOWLIST=x", "CYCLES_MAX_TOKENS_OTHER=1",
            ].map { Array($0.utf8) } + [invalid]
        )
        #expect(
            variables.filter { $0 != invalid }.map { String(decoding: $0, as: UTF8.self) } == [
                "PATH=/bin", "CYCLES_MAX_TOKENS_OTHER=1", "CYCLES_RESERVATION_ID=rsv_2",
                "CYCLES_DECISION=ALLOW_WITH_CAPS", "CYCLES_ESTIMATE=9", "CYCLES_UNIT=CREDITS", "CYCLES_MAX_TOKENS=256",
                "CYCLES_TOOL_DENYLIST=a,b", "CYCLES_COOLDOWN_MS=1500", "CYCLES_USAGE_FILE=/tmp/usage",
                "CYCLES_USAGE_FD=3",
            ]
        )
        #expect(variables.contains(invalid))
    }

    private func variables(_ caps: Caps, _ id: ReservationID = "rsv_1") -> [String: String] {
        let variables = CommandEnvironment.variables(
            id,
            .allowWithCaps,
            caps,
            estimate: .tokens(1),
            usageFile: "/tmp/usage",
            usageDescriptor: 3,
            inherited: [Array("CYCLES_RESERVATION_ID=rsv_0".utf8)]
        )
        let pairs = variables.map {
            String(decoding: $0, as: UTF8.self).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        }
        return Dictionary(uniqueKeysWithValues: pairs.map { (String($0[0]), String($0[1])) })
    }

    @Test(arguments: [
        (["a", "b"], "a,b"), (["a\0b", "c"], "a%00b,c"), (["a,b", "c"], "a%2Cb,c"), (["100%", "%2C"], "100%25,%252C"),
        (["a\nb\u{1b}\u{7f}"], "a%0Ab%1B%7F"), (["日本 x=y"], "日本 x=y"), (["", "a"], ",a"),
    ])
    func everyNameOfAListReachesTheCommand(names: [String], value: String) {
        #expect(variables(Caps(toolAllowlist: names))["CYCLES_TOOL_ALLOWLIST"] == value)
        #expect(variables(Caps(toolDenylist: names))["CYCLES_TOOL_DENYLIST"] == value)
    }

    @Test func aListWithoutNamesIsNotSet() {
        let variables = variables(Caps(toolAllowlist: [], toolDenylist: []))
        #expect(variables["CYCLES_TOOL_ALLOWLIST"] == nil && variables["CYCLES_TOOL_DENYLIST"] == nil)
    }

    @Test func anIdentifierThatNoVariableCanHoldIsNotCut() {
        #expect(variables(Caps(), "rsv_1\0x")["CYCLES_RESERVATION_ID"] == nil)
    }

    @Test func aSignalMeansWhatTheMomentMakesOfIt() throws {
        let command = GuardedCommand()
        #expect(command.take(2, reachedGroup: { true }) == .callOff)
        #expect(command.interruption == 2)
        #expect(command.take(2, reachedGroup: { true }) == .leave)
        // A cancelled command is not started.
        #expect(try command.start { _ throws(SystemFailure) in throw SystemFailure("start", "it", code: 1) } == nil)

        let settling = GuardedCommand()
        settling.ended()
        #expect(settling.take(15, reachedGroup: { false }) == .askForPatience)
        // The spend is read and recorded first, even if the user does not wait.
        #expect(settling.take(15, reachedGroup: { false }) == .leaveLater)
        #expect(settling.recorded() == 15)
        #expect(settling.take(2, reachedGroup: { false }) == .leave)

        let failed = GuardedCommand()
        failed.failed()
        #expect(failed.take(15, reachedGroup: { false }) == .leave)

        let settled = GuardedCommand()
        settled.ended()
        #expect(settled.recorded() == nil)
        #expect(settled.take(15, reachedGroup: { false }) == .askForPatience)
        #expect(settled.take(15, reachedGroup: { false }) == .leave)
    }
}
