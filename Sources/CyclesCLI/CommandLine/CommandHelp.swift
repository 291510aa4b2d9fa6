// The help texts of commands, made from their declarations.

extension [Command] {
    /// The help of the last command in the array, for a terminal of 80 columns.
    var helpText: String {
        guard let command = last else { return "" }
        var blocks = [HelpText.wrapped("usage: " + usage(command), hanging: 7), HelpText.wrapped(command.summary)]
        blocks += HelpText.paragraphs(command.discussion).map { paragraph in
            // Indented paragraphs are preformatted.
            paragraph.hasPrefix("  ")
                ? String(paragraph) : HelpText.wrapped(paragraph.split(separator: "\n").joined(separator: " "))
        }
        for group in [command.subcommands.map { ($0.name, $0.summary) }] where !group.isEmpty {
            blocks.append(HelpText.block("Commands", group))
        }
        let operands =
            command.operands.map { ($0.name, $0.summary) } + (command.rest.map { [($0.name, $0.summary)] } ?? [])
        if !operands.isEmpty { blocks.append(HelpText.block("Operands", operands)) }
        for section in command.sections {
            let options = section.parameters.map(\.declaration).compactMap(HelpText.row)
            if !options.isEmpty { blocks.append(HelpText.block(section.title, options)) }
        }
        if command.version != nil {
            let help = Command.help
            let rows = [(help.label + (help.short.map { ", -\($0)" } ?? ""), help.summary)]
            blocks.append(HelpText.block("Options", rows + [("--version", "Print the name and version.")]))
        }
        if !command.examples.isEmpty {
            blocks.append("Examples:\n" + command.examples.map { "  " + $0 }.joined(separator: "\n"))
        }
        if !command.subcommands.isEmpty { blocks.append("\(name) COMMAND --help describes a command.") }
        return blocks.joined(separator: "\n\n")
    }

    private func usage(_ command: Command) -> String {
        if !command.subcommands.isEmpty { return "\(name) COMMAND …" }
        var words = [name]
        for option in command.options where option.isRequired {
            if case .option(let valueName) = option.kind { words.append("--\(option.name) \(valueName)") }
        }
        if command.options.contains(where: { !$0.isRequired }) { words.append("[OPTION …]") }
        for operand in command.operands {
            let text = operand.isRepeatable ? "\(operand.name) …" : operand.name
            words.append(operand.isRequired ? text : "[\(text)]")
        }
        if let rest = command.rest { words.append("-- \(rest.name)") }
        return words.joined(separator: " ")
    }
}

private enum HelpText {
    static let width = 80
    static let column = 26

    static func row(_ parameter: ParameterDeclaration) -> (String, String)? {
        switch parameter.kind {
        case .operand: nil
        case .flag: (parameter.label + (parameter.short.map { ", -\($0)" } ?? ""), parameter.summary)
        case .option(let valueName): ("\(parameter.label) \(valueName)", parameter.summary)
        }
    }

    static func block(_ title: String, _ rows: [(String, String)]) -> String {
        let lines = rows.map { label, summary in
            let text = wrapped(summary, indentation: column)
            let start = "  " + label
            // A label that does not fit gets its own line.
            guard start.count < column else { return start + "\n" + text }
            return start + text.dropFirst(start.count)
        }
        return title + ":\n" + lines.joined(separator: "\n")
    }

    /// Splits a text at empty lines.
    static func paragraphs(_ text: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.split { $0.isEmpty }.map { $0.joined(separator: "\n") }
    }

    /// - Parameter hanging: The additional indentation of all lines but the first.
    static func wrapped(_ text: some StringProtocol, indentation: Int = 0, hanging: Int = 0) -> String {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            let margin = indentation + (lines.isEmpty ? 0 : hanging)
            if !line.isEmpty && margin + line.count + 1 + word.count > width {
                lines.append(String(repeating: " ", count: margin) + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        let margin = indentation + (lines.isEmpty ? 0 : hanging)
        if !line.isEmpty { lines.append(String(repeating: " ", count: margin) + line) }
        return lines.joined(separator: "\n")
    }
}
