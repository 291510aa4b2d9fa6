import Cycles
import Testing

@testable import CyclesCLI

/// The answers of the authority as a model gets them.
@Suite struct ToolAnswerTests {
    @Test(arguments: [
        (Settlement.Outcome.released, "RELEASED", "released before"),
        (.alreadySettled, "ALREADY_SETTLED", "committed before"),
        (.queued(isDurable: false), "QUEUED", "not on disk"), (.queued(isDurable: true), "QUEUED", "do not repeat"),
    ])
    func aCommitThatChargesNothingSaysWhy(outcome: Settlement.Outcome, status: String, part: String) throws {
        let result = ToolAnswer(Settlement(outcome), actual: .tokens(5)).result
        #expect(result.value["status"]?.string == status && result.value["charged"] == nil)
        let hint = try #require(result.hint)
        #expect(hint.contains(part), "\(hint)")
        #expect(hint.contains("not on disk") == (outcome == .queued(isDurable: false)), "\(hint)")
    }

    @Test func emptyListsOfToolsAreNoCaps() {
        var answer = ToolAnswer([:])
        answer.add(capsOf: Caps(toolAllowlist: [], toolDenylist: []))
        #expect(answer.result.hint == nil)
    }
}
