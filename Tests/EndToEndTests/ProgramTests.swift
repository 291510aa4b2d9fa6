import Cycles
import CyclesTesting
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

    @Test func theObjectThatOwnsAGuardIsPartOfThePatterns() throws {
        let patterns = Programs.unindented(try Programs.text(of: "Tests/Programs/Patterns.swift"))
        let blocks = try Snippet.all(in: "Sources/Cycles/Documentation.docc/GuardingWork.md")
        let sample = try #require(blocks.first { $0.code.contains("actor Session") })
        #expect(patterns.contains(Programs.unindented(sample.code)))
    }

    /// The recipes are tests of CyclesTestingTests. Outside the package they have public names only.
    @Test func theRecipesOfTheArticleOnTestingCompileOutsideThePackage() throws {
        let recipes = "Tests/CyclesTestingTests/RecipeTests.swift"
        let outcome = try Programs.check(recipes)
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome)")
        let source = Programs.unindented(try Programs.text(of: recipes))
        let blocks = try Snippet.all(in: "Sources/CyclesTesting/Documentation.docc/TestingYourApp.md")
        #expect(blocks.count == 10)
        for block in blocks { #expect(source.contains(Programs.unindented(block.code)), "\(block)") }
    }

    @Test func theFirstProgramOfTheReadMeRuns() throws {
        let authority = LocalAuthority()
        authority.addAPIKey("my-api-key", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000_000))
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        let outcome = try Programs.compileAndRun(
            source: try Programs.codeBlock(inReadMeContaining: "@main"),
            environment: [
                "CYCLES_BASE_URL": server.baseURL, "CYCLES_TENANT": "acme", "CYCLES_API_KEY": "my-api-key",
                "CYCLES_JOURNAL_ENABLED": "false",
            ]
        )
        let quoted = try Programs.codeBlock(inReadMeContaining: "Charged 420 TOKENS")
        #expect(outcome.status == 0 && "$ swift run FirstProgram\n\(outcome.output)" == quoted, "\(outcome)")
    }

    @Test(arguments: [
        ("CommitTwice", "'reservation' consumed more than once"),
        ("ReleaseAfterFailedCommit", "'reservation' consumed more than once"),
        ("CommitAfterRelease", "'reservation' consumed more than once"),
        ("CopyOfAGuard", "'reservation' consumed more than once"),
        ("CommitAfterMetering", "'reservation' consumed more than once"),
        ("IteratorInTwoTasks", "sending value of non-Sendable type '() async throws -> Int?' risks causing data races"),
        ("AsyncLet", "copy of noncopyable typed value"),
        (
            "AsyncLetCommit",
            "noncopyable 'reservation' cannot be consumed when captured by an escaping closure"
        ),
        ("OptionalChaining", "field 'self.reservation' was consumed but not reinitialized"),
        ("GuardIntoAnActor", "implicit conversion to 'ReservationGuard?' is consuming"),
        ("SwitchOverAGuard", "copy of noncopyable typed value"),
        ("GuardInTwoTasks", "noncopyable 'reservation' cannot be consumed when captured by an escaping closure"),
    ])
    func misuseDoesNotCompile(program: String, message: String) throws {
        let outcome = try Programs.compile("Refused/\(program)", to: nil)
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("error: \(message)"), "\(outcome.errors)")
    }

    /// Each program of the folder has one mistake, and a comment on its line with the beginning of the compiler's words.
    @Test func aMistakeInABodyIsDiagnosedOnItsLine() throws {
        let (outcome, expected) = try Programs.diagnose("Diagnosed")
        #expect(outcome.status != 0 && expected.count > 25)
        let found = Programs.diagnostics(in: outcome.errors)
        #expect(found.map { "\($0.file):\($0.line)" } == expected.map { "\($0.file):\($0.line)" })
        for (found, expected) in zip(found, expected) {
            #expect(found.message.hasPrefix(expected.message), "\(found)")
        }
        for advice in ["return an Amount, such as .tokens(count)", "unwrap the Amount"] {
            #expect(outcome.errors.contains("is not charged: \(advice)"))
        }
        #expect(!outcome.errors.contains("failed to produce diagnostic"))
    }

    @Test func theFormsOfClosuresChargeTheirCosts() throws {
        let outcome = try Programs.compileAndRun("Closures")
        #expect(
            outcome.output == """
                text: 7
                5: 5
                text: 7
                nothing: 0
                no spend: 1000 (the estimate)
                ("seven", 7): 1000 (the estimate)
                three: 1000 (the estimate)
                value
                text: 7
                5: 5
                text: 7
                nothing: 0
                ("seven", 7): 1000 (the estimate)
                actual is unknown

                """,
            "\(outcome)"
        )
        #expect(outcome.status == 0)
    }

    /// The documentation recommends a general `catch`. It need not once the compiler accepts the loop.
    @Test func aLoopThatHoldsAGuardNeedsAGeneralCatch() throws {
        let accepted = try Programs.compile("Accepted/LoopWithGeneralCatch", to: nil)
        #expect(accepted.status == 0 && accepted.errors.isEmpty, "\(accepted.errors)")
        #if compiler(>=6.3) && compiler(<6.3.2)
            let refused = try Programs.compile("Refused/LoopWithoutGeneralCatch", to: nil)
            #expect(refused.status != 0)
            #expect(refused.errors.contains("fatal error encountered during compilation"), "\(refused.errors)")
        #endif
    }

    @Test func aReservationThatIsNotUsedWarns() throws {
        let outcome = try Programs.compile("Refused/UnusedReservation", to: nil)
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("warning: result of call to 'reserve' is unused"), "\(outcome.errors)")
    }
}
