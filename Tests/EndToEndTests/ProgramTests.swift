import Testing

/// Programs outside the package, compiled by this test as their users would.
@Suite(.enabled(if: Programs.areCompiled)) struct ProgramTests {
    @Test func thePublicNamesAreEnoughForAProgram() throws {
        let outcome = try Programs.compileAndRun("Contract")
        #expect(outcome.status == 0 && outcome.output == "everything holds\n", "\(outcome)")
    }

    /// The tool shows what the libraries can do for others: it has nothing that others have not.
    @Test func thePublicNamesAreEnoughForTheTool() throws {
        let outcome = try Programs.compileTool()
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
    }

    /// Whoever does without regular expressions has a smaller program.
    @Test(arguments: ["Cycles", "CyclesTesting", "CyclesCLI"])
    func nothingNeedsRegularExpressions(module: String) throws {
        let users = try Programs.objects(of: module, thatUse: "_StringProcessing")
        #expect(users.isEmpty, "\(users)")
    }

    @Test func theFrontPageOfTheRustCrateRuns() throws {
        let outcome = try Programs.compileAndRun("FrontPage")
        #expect(
            outcome.output == """
                max_tokens: 100
                Hello from LLM
                TOKENS: spent 42, reserved 0
                USD_MICROCENTS: spent 3200, reserved 0

                """,
            "\(outcome)"
        )
        #expect(outcome.status == 0 && outcome.errors.isEmpty)
    }

    @Test func thePatternsOfTheDocumentationRun() throws {
        let outcome = try Programs.compileAndRun("Patterns")
        #expect(outcome.status == 0 && outcome.output == "spent 120, reserved 0\n", "\(outcome)")
        #expect(outcome.errors.isEmpty, "\(outcome.errors)")
    }

    @Test func meteredStreamsAreBodiesOfResponsesAndRunInTaskGroupsAndActors() throws {
        let outcome = try Programs.compileAndRun("Streaming")
        #expect(
            outcome.output == """
                200 one two three; spent 25, reserved 0
                disconnected
                200 one two; spent 48, reserved 0
                402 ; spent 48, reserved 0
                16 chunks in a task group; spent 64, reserved 0
                4 chunks in an actor; spent 68, reserved 0
                sequence was iterated before
                twice metered; spent 118, reserved 0

                """,
            "\(outcome)"
        )
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
    }

    @Test func theFirstProgramOfTheReadMeRuns() throws {
        let outcome = try Programs.compileAndRun(source: try Programs.codeBlock(inReadMeContaining: "@main"))
        #expect(outcome.status == 0, "\(outcome)")
        let expected = try Programs.codeBlock(inReadMeContaining: "Charged 420 TOKENS")
        #expect(outcome.output == expected)
    }

    @Test(arguments: [
        ("CommitTwice", "'reservation' consumed more than once"),
        ("ReleaseAfterFailedCommit", "'reservation' consumed more than once"),
        ("CommitAfterRelease", "'reservation' consumed more than once"),
        ("CopyOfAGuard", "'reservation' consumed more than once"),
        ("CommitAfterMetering", "'reservation' consumed more than once"),
        ("IteratorInTwoTasks", "sending value of non-Sendable type '() async throws -> Int?' risks causing data races"),
        ("GuardInTwoTasks", "noncopyable 'reservation' cannot be consumed when captured by an escaping closure"),
    ])
    func misuseDoesNotCompile(program: String, message: String) throws {
        let outcome = try Programs.compile("Refused/\(program)", to: nil)
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("error: \(message)"), "\(outcome.errors)")
    }

    @Test func aReservationThatIsNotUsedWarns() throws {
        let outcome = try Programs.compile("Refused/UnusedReservation", to: nil)
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("warning: result of call to 'reserve' is unused"), "\(outcome.errors)")
    }
}
