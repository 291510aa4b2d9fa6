// A command line declared as values: parsing, help and shell completion use the same list of parameters.

/// A parameter of a command: an option, a flag or an operand.
protocol Parameter: Sendable {
    var declaration: ParameterDeclaration { get }
}

/// A parameter without the type of its value.
struct ParameterDeclaration: Sendable {
    enum Kind: Sendable {
        /// `--name VALUE` or `--name=VALUE`.
        case option(valueName: String)
        /// `--name`.
        case flag
        /// A word that is not an option, such as `FILE`.
        case operand
    }

    /// The completion of a value in a shell.
    enum Completion: Hashable, Sendable {
        case none
        case file
        case directory
        case words([String])
    }

    var name: String
    var short: Character?
    var kind: Kind
    var summary: String
    var isRequired = false
    var isRepeatable = false
    var completion = Completion.none
    /// Whether messages must not quote the value.
    var isSecret = false
    /// Parses a value.
    var parse: @Sendable (String) throws(InvalidValue) -> any Sendable

    /// The name in help and messages.
    var label: String {
        switch kind {
        case .option, .flag: "--\(name)"
        case .operand: name
        }
    }
}

/// An error for an invalid value. `expectation` completes the message "… has to be".
struct InvalidValue: Error {
    var expectation: String
    /// The invalid part of the text; nil for the whole text.
    var part: String?
}

/// An option that takes a value.
struct Option<Value: Sendable>: Parameter {
    let declaration: ParameterDeclaration

    init(
        _ name: String,
        _ valueName: String,
        _ summary: String,
        isRequired: Bool = false,
        isRepeatable: Bool = false,
        completion: ParameterDeclaration.Completion = .none,
        isSecret: Bool = false,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) {
        declaration = ParameterDeclaration(
            name: name,
            kind: .option(valueName: valueName),
            summary: summary,
            isRequired: isRequired,
            isRepeatable: isRepeatable,
            completion: completion,
            isSecret: isSecret,
            parse: { text throws(InvalidValue) in try parse(text) }
        )
    }
}

/// An option without a value.
struct Flag: Parameter {
    let declaration: ParameterDeclaration

    init(_ name: String, short: Character? = nil, _ summary: String) {
        declaration = ParameterDeclaration(
            name: name,
            short: short,
            kind: .flag,
            summary: summary,
            parse: { _ in true }
        )
    }
}

/// A word that is not an option.
struct Operand<Value: Sendable>: Parameter {
    let declaration: ParameterDeclaration

    init(
        _ name: String,
        _ summary: String,
        isRequired: Bool = true,
        isRepeatable: Bool = false,
        completion: ParameterDeclaration.Completion = .none,
        parse: @escaping @Sendable (String) throws(InvalidValue) -> Value
    ) {
        declaration = ParameterDeclaration(
            name: name,
            kind: .operand,
            summary: summary,
            isRequired: isRequired,
            isRepeatable: isRepeatable,
            completion: completion,
            parse: { text throws(InvalidValue) in try parse(text) }
        )
    }
}

/// A command of the tool.
struct Command: Sendable {
    /// The words that follow the options of a command that starts another program.
    struct Rest: Sendable {
        var name: String
        var summary: String
    }

    let name: String
    let summary: String
    /// A longer description, in paragraphs.
    var discussion = ""
    /// Parameters under headings, in the order of the help.
    var sections: [(title: String, parameters: [any Parameter])] = []
    var rest: Rest?
    /// The version that `--version` prints; nil if the command has no such option.
    var version: String?
    var subcommands: [Command] = []
    /// The name of the subcommand that a command line without one means.
    var implied: String?
    var examples: [String] = []
    /// The signals that the command handles itself.
    var signals = Signals.Use.none
    /// Performs the command; nil for a group of subcommands.
    var run: (@Sendable (Arguments) async throws -> ExitStatus)?

    var parameters: [ParameterDeclaration] { sections.flatMap(\.parameters).map(\.declaration) + [Command.help] }
    var options: [ParameterDeclaration] { parameters.filter { if case .operand = $0.kind { false } else { true } } }
    var operands: [ParameterDeclaration] { parameters.filter { if case .operand = $0.kind { true } else { false } } }

    static let help = Flag("help", short: "h", "Print this help.").declaration
}

/// The parsed parameters of a command.
struct Arguments: Sendable {
    fileprivate var values: [String: [any Sendable]] = [:]
    /// The words of a command that starts another program.
    fileprivate(set) var rest: [String] = []

    /// The last value of an option; nil if the option was not given.
    subscript<Value>(_ option: Option<Value>) -> Value? { values[option.declaration.label]?.last as? Value }

    subscript(_ flag: Flag) -> Bool { values[flag.declaration.label] != nil }

    /// The value of an operand; nil if the operand was not given.
    subscript<Value>(_ operand: Operand<Value>) -> Value? { values[operand.declaration.label]?.last as? Value }

    /// All values of a parameter, in order.
    func all<Value>(_ option: Option<Value>) -> [Value] {
        values[option.declaration.label]?.compactMap { $0 as? Value } ?? []
    }

    func all<Value>(_ operand: Operand<Value>) -> [Value] {
        values[operand.declaration.label]?.compactMap { $0 as? Value } ?? []
    }

    /// The value of a required parameter.
    func required<Value>(_ option: Option<Value>) -> Value {
        guard let value = self[option] else { preconditionFailure("\(option.declaration.label) is not required") }
        return value
    }

    func required<Value>(_ operand: Operand<Value>) -> Value {
        guard let value = self[operand] else { preconditionFailure("\(operand.declaration.label) is not required") }
        return value
    }
}

/// An error in the command line.
struct Misuse: Error, Hashable, CustomStringConvertible {
    var description: String
}

/// The action that a command line requests from the tool.
enum Invocation: Sendable {
    /// Call the last command of a path.
    case run([Command], Arguments)
    /// Print the help of the last command of a path.
    case help([Command])
    /// Print the name and version.
    case version(String)

    /// Whether the output is JSON.
    var isForPrograms: Bool {
        if case .run(_, let arguments) = self { arguments[OperationCommands.json] } else { false }
    }

    var signals: Signals.Use { if case .run(let path, _) = self { path.last?.signals ?? .none } else { .none } }
}

// MARK: Parsing

extension Command {
    /// Parses the words after the tool's name.
    func invocation(of words: [String]) throws(Misuse) -> Invocation {
        var path = [self]
        var words = words[...]
        while let word = words.first, let command = path.last, !command.subcommands.isEmpty {
            if word == "help" {
                for name in words.dropFirst() { path.append(try path.subcommand(name)) }
                return .help(path)
            }
            if word == "--help" || word == "-h" { return .help(path) }
            if word == "--version", let version = command.version { return .version("\(command.name) \(version)") }
            if let implied = command.implied, !command.subcommands.contains(where: { $0.name == word }) {
                path.append(try path.subcommand(implied))
                break
            }
            path.append(try path.subcommand(word))
            words = words.dropFirst()
        }
        guard let command = path.last, let arguments = try command.arguments(words, path) else { return .help(path) }
        guard command.run != nil else {
            // The tool without any word prints its help. A group without a subcommand is an error in a script.
            guard path.count > 1 else { return .help(path) }
            throw Misuse(
                description:
                    "\(path.name): a command is missing: \(command.subcommands.map(\.name).joined(separator: ", ")); see \(path.name) --help"
            )
        }
        return .run(path, arguments)
    }

    /// Whether the words of an invalid command line ask for errors as JSON.
    func asksForJSON(_ words: [String]) -> Bool {
        var (command, words) = (self, words[...])
        while let word = words.first, let next = command.subcommands.first(where: { $0.name == word }) {
            (command, words) = (next, words.dropFirst())
        }
        command = command.subcommands.first { $0.name == command.implied } ?? command
        let json = OperationCommands.json.declaration
        return command.options.contains { $0.name == json.name } && words.prefix { $0 != "--" }.contains(json.label)
    }

    /// Parses the parameters of this command; nil if help is requested.
    private func arguments(_ words: ArraySlice<String>, _ path: [Command]) throws(Misuse) -> Arguments? {
        let usage = "see \(path.name) --help"
        var words = words
        var result = Arguments()
        var operands = operands[...]
        var areOptionsOver = false
        while let word = words.popFirst() {
            if !areOptionsOver && word == "--" {
                areOptionsOver = true
                if rest != nil { break }
            } else if !areOptionsOver && word.hasPrefix("-") && word != "-" {
                let (parameter, inline) = try option(word, usage, path)
                if parameter.name == Command.help.name { return nil }
                var text = ""
                if case .option(let valueName) = parameter.kind {
                    guard let value = inline ?? words.popFirst() else {
                        throw Misuse(
                            description: "\(path.name): \(parameter.label) needs a value, \(valueName); \(usage)"
                        )
                    }
                    text = value
                } else if inline != nil {
                    throw Misuse(description: "\(path.name): \(parameter.label) takes no value; \(usage)")
                }
                try result.add(text, for: parameter, path)
            } else if let parameter = operands.first {
                try result.add(word, for: parameter, path)
                if !parameter.isRepeatable { operands = operands.dropFirst() }
            } else if rest != nil {
                words = [word] + words
                break
            } else {
                throw Misuse(description: "\(path.name): unexpected operand \"\(word)\"; \(usage)")
            }
        }
        result.rest = Array(words)
        for parameter in parameters where parameter.isRequired && result.values[parameter.label] == nil {
            throw Misuse(
                description: "\(path.name): \(parameter.label) is missing: \(parameter.summary) See \(path.name) --help"
            )
        }
        if let rest, result.rest.isEmpty {
            throw Misuse(description: "\(path.name): \(rest.name) is missing: \(rest.summary) See \(path.name) --help")
        }
        return result
    }

    private func option(
        _ word: String,
        _ usage: String,
        _ path: [Command]
    ) throws(Misuse) -> (ParameterDeclaration, inlineValue: String?) {
        if word.hasPrefix("--") {
            let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if let known = options.first(where: { $0.name == name }) {
                return (known, parts.count > 1 ? String(parts[1]) : nil)
            }
            let similar = Spelling.nearest(to: name, among: options.map(\.name)).map { "; did you mean --\($0)?" }
            throw Misuse(description: "\(path.name): there is no option --\(name)\(similar ?? "; " + usage)")
        }
        let letters = word.dropFirst()
        if letters.count == 1, let known = options.first(where: { $0.short == letters.first }) { return (known, nil) }
        throw Misuse(description: "\(path.name): there is no option \(word); \(usage)")
    }
}

extension Arguments {
    fileprivate mutating func add(
        _ text: String,
        for parameter: ParameterDeclaration,
        _ path: [Command]
    ) throws(Misuse) {
        if values[parameter.label] != nil, !parameter.isRepeatable, case .option = parameter.kind {
            throw Misuse(description: "\(path.name): \(parameter.label) was given twice; give it once")
        }
        do throws(InvalidValue) {
            values[parameter.label, default: []].append(try parameter.parse(text))
        } catch {
            let label = "\(path.name): \(parameter.label)"
            guard !parameter.isSecret else {
                throw Misuse(description: "\(label) has to be \(error.expectation)")
            }
            let part = error.part.map { "its \($0) " } ?? ""
            throw Misuse(description: "\(label) is \"\(text)\", but \(part)has to be \(error.expectation)")
        }
    }
}

extension [Command] {
    /// The words that call the last of these commands.
    var name: String { map(\.name).joined(separator: " ") }

    fileprivate func subcommand(_ word: String) throws(Misuse) -> Command {
        let known = last?.subcommands ?? []
        if let command = known.first(where: { $0.name == word }) { return command }
        let similar = Spelling.nearest(to: word, among: known.map(\.name)).map { "; did you mean \(name) \($0)?" }
        throw Misuse(description: "\(name): there is no command \"\(word)\"\(similar ?? "; see \(name) --help")")
    }
}
