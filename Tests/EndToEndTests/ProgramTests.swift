import Testing

/// Programs outside the package, compiled by this test as their users would.
@Suite(.enabled(if: Programs.areCompiled)) struct ProgramTests {
    @Test func thePublicNamesAreEnoughForAProgram() throws {
        let outcome = try Programs.compileAndRun("Contract")
        #expect(outcome.status == 0 && outcome.output == "everything holds\n", "\(outcome)")
    }
}
