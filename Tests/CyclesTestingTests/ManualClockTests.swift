import CyclesTesting
import Testing

@Suite struct ManualClockTests {
    @Test func advances() {
        let clock = ManualClock(startingAtMilliseconds: 5)
        clock.advance(by: .seconds(2))
        clock.advance(by: .seconds(-1))
        #expect(clock.now == .seconds(2))
        #expect(clock.nowMilliseconds == 2_005)
    }
}
