import Testing

@testable import CyclesCLI

/// Declarations to parse against, one of each kind.
private enum Sample {
    static let size = Option("size", "COUNT", "How large.", isRequired: true, parse: Values.whole(from: 1, to: 9))
    static let word = Option("word", "TEXT", "What to say.", isRepeatable: true, parse: Values.text)
    static let loud = Flag("loud", short: "l", "Say it loudly.")
    static let name = Operand("NAME", "Whose.", parse: Values.text)
    static let others = Operand("OTHER", "And theirs.", isRequired: false, isRepeatable: true, parse: Values.text)

    static let say = Command(
        name: "say",
        summary: "Says something.",
        sections: [("Options", [size, word, loud, name, others])]
    ) { _ in .success }
    static let run = Command(
        name: "run",
        summary: "Runs something.",
        sections: [("Options", [loud])],
        rest: .init(name: "COMMAND", summary: "What to run.")
    ) { _ in .success }
    static let tool = Command(name: "tool", summary: "Does things.", version: "1.2", subcommands: [say, run])

    static func arguments(_ words: String...) throws -> Arguments {
        guard case .run(_, let arguments) = try tool.invocation(of: words) else {
            throw Misuse(description: "no command is run")
        }
        return arguments
    }

    static func misuse(_ words: String...) -> String {
        do throws(Misuse) {
            _ = try tool.invocation(of: words)
            return "understood"
        } catch {
            return error.description
        }
    }

    static func help(_ words: String...) throws -> String {
        guard case .help(let path) = try tool.invocation(of: words) else { return "no help" }
        return path.helpText
    }
}

@Suite struct CommandLineParserTests {
    @Test func valuesStandInBothForms() throws {
        let arguments = try Sample.arguments(
            "say",
            "--size",
            "3",
            "Ann",
            "--word=a=b",
            "--word",
            "--loud",
            "Bob",
            "-l",
            "Cy"
        )
        #expect(arguments[Sample.size] == 3)
        #expect(arguments.all(Sample.word) == ["a=b", "--loud"])
        #expect(arguments[Sample.loud])
        #expect(arguments[Sample.name] == "Ann")
        #expect(arguments.all(Sample.others) == ["Bob", "Cy"])
    }

    @Test func twoDashesEndTheOptions() throws {
        let arguments = try Sample.arguments("say", "--size=3", "--", "--loud")
        #expect(arguments[Sample.name] == "--loud")
        #expect(!arguments[Sample.loud])
        #expect(arguments[Sample.word] == nil)
        #expect(try Sample.arguments("say", "--size=3", "-")[Sample.name] == "-")
    }

    @Test func aCommandOfOthersKeepsItsWords() throws {
        #expect(try Sample.arguments("run", "-l", "--", "ls", "--loud", "--").rest == ["ls", "--loud", "--"])
        // Its options need no dashes before them once its name is known.
        let arguments = try Sample.arguments("run", "ls", "-l")
        #expect(arguments.rest == ["ls", "-l"])
        #expect(!arguments[Sample.loud])
    }

    @Test func whatIsWrongIsSaid() {
        #expect(Sample.misuse("say", "Ann") == "tool say: --size is missing: How large. See tool say --help")
        #expect(Sample.misuse("say", "--size=3") == "tool say: NAME is missing: Whose. See tool say --help")
        #expect(
            Sample.misuse("say", "--size=10", "Ann")
                == "tool say: --size is \"10\", but has to be a whole number from 1 to 9"
        )
        #expect(Sample.misuse("say", "--size") == "tool say: --size needs a value, COUNT; see tool say --help")
        #expect(Sample.misuse("say", "--size=1", "--size=2", "A") == "tool say: --size was given twice; give it once")
        #expect(Sample.misuse("say", "--loud=yes") == "tool say: --loud takes no value; see tool say --help")
        #expect(Sample.misuse("say", "--sise=3") == "tool say: there is no option --sise; did you mean --size?")
        #expect(Sample.misuse("say", "--zzz") == "tool say: there is no option --zzz; see tool say --help")
        #expect(Sample.misuse("say", "-x") == "tool say: there is no option -x; see tool say --help")
        #expect(Sample.misuse("run", "-l") == "tool run: COMMAND is missing: What to run. See tool run --help")
        #expect(Sample.misuse("xyz") == "tool: there is no command \"xyz\"; see tool --help")
        #expect(Sample.misuse("sya") == "tool: there is no command \"sya\"; did you mean tool say?")
        #expect(Sample.misuse("says") == "tool: there is no command \"says\"; did you mean tool say?")
        #expect(Sample.misuse("help", "rn") == "tool: there is no command \"rn\"; did you mean tool run?")
        let group = Command(name: "all", summary: "", subcommands: [Sample.tool])
        #expect(throws: Misuse(description: "all tool: a command is missing: say, run; see all tool --help")) {
            try group.invocation(of: ["tool"])
        }
        let tooMany = Command(name: "one", summary: "", sections: [("Options", [Sample.name])]) { _ in .success }
        #expect(throws: Misuse(description: "one: unexpected operand \"b\"; see one --help")) {
            try tooMany.invocation(of: ["a", "b"])
        }
    }

    @Test func helpIsFoundWhereverItIsAskedFor() throws {
        let help = try Sample.help("say", "--help")
        #expect(try Sample.help("help", "say") == help)
        #expect(try Sample.help("say", "--size", "3", "-h") == help)
        #expect(
            help == """
                usage: tool say --size COUNT [OPTION …] NAME [OTHER …]

                Says something.

                Operands:
                  NAME                    Whose.
                  OTHER                   And theirs.

                Options:
                  --size COUNT            How large.
                  --word TEXT             What to say.
                  --loud, -l              Say it loudly.
                """
        )
        let root = try Sample.help()
        #expect(try Sample.help("--help") == root && Sample.help("help") == root)
        #expect(root.contains("  say                     Says something.\n  run                     Runs something."))
        #expect(root.contains("Options:\n  --help, -h              Print this help.\n  --version  "), "\(root)")
        guard case .version("tool 1.2") = try Sample.tool.invocation(of: ["--version"]) else {
            Issue.record("no version")
            return
        }
    }

    @Test func helpFitsATerminal() {
        func check(_ path: [Command]) {
            for line in path.helpText.split(separator: "\n") {
                // Examples are to be copied: they stay on one line.
                #expect(
                    line.count <= 80 || line.hasPrefix("  cycles ") || line.hasPrefix("  id="),
                    "\(path.name): \(line)"
                )
            }
            for command in path.last?.subcommands ?? [] { check(path + [command]) }
        }
        check([CyclesTool.command])
    }
}
