/// Generates scripts for shell completion from the declarations of commands.
enum Completion {
    /// A command with the words after the tool's name that lead to it.
    private struct Place {
        var words: [String]
        var command: Command

        /// The pattern of the command in the scripts.
        var path: String { words.map { "/" + $0 }.joined() }
    }

    private static func places(_ command: Command, _ words: [String] = []) -> [Place] {
        [Place(words: words, command: command)]
            + command.subcommands.flatMap { places($0, words + [$0.name]) }
    }

    // MARK: bash

    static func bash(_ tool: Command) -> String {
        let places = places(tool)
        let paths = places.filter { !$0.words.isEmpty }.map(\.path).joined(separator: "|")
        var values: [String] = []
        var words: [String] = []
        for place in places {
            for option in place.command.options {
                guard case .option = option.kind else { continue }
                values.append(
                    "        \"\(place.path) \(option.label)\") \(bashValues(tool, option.completion)); return ;;"
                )
            }
            let operands = place.command.operands.flatMap { operand -> [String] in
                if case .words(let words) = operand.completion { words } else { [] }
            }
            let all = place.command.subcommands.map(\.name) + operands + place.command.options.map(\.label)
            words.append("        \"\(place.path)\") words=\"\(all.joined(separator: " "))\" ;;")
        }
        return """
            # bash completion of \(tool.name): source this, or put it into a file of
            # ~/.local/share/bash-completion/completions named \(tool.name).
            _\(tool.name)() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path= words index
                # The shell takes = for a word of its own.
                if [[ $current == = ]]; then
                    current=
                elif [[ $previous == = ]]; then
                    previous=${COMP_WORDS[COMP_CWORD - 2]}
                fi
                COMPREPLY=()
                for ((index = 1; index < COMP_CWORD; index++)); do
                    # What follows is the command line of another program.
                    if [[ ${COMP_WORDS[index]} == -- ]]; then
                        if declare -F _command_offset >/dev/null; then
                            _command_offset $((index + 1))
                        elif ((index + 1 == COMP_CWORD)); then
                            mapfile -t COMPREPLY < <(compgen -c -- "$current")
                        else
                            _\(tool.name)_files -f
                        fi
                        return
                    fi
                    case "$path/${COMP_WORDS[index]}" in
                    \(paths)) path=$path/${COMP_WORDS[index]} ;;
                    esac
                done
                case "$path $previous" in
            \(values.joined(separator: "\n"))
                esac
                case "$path" in
            \(words.joined(separator: "\n"))
                esac
                mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
                if [[ $current != -* && ${#COMPREPLY[@]} -eq 0 ]]; then _\(tool.name)_files -f; fi
            }
            # Names with spaces stay in one piece, and directories go on.
            _\(tool.name)_files() {
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen "$1" -- "$current")
            }
            complete -F _\(tool.name) \(tool.name)
            """
    }

    private static func bashValues(_ tool: Command, _ completion: ParameterDeclaration.Completion) -> String {
        switch completion {
        case .none: "COMPREPLY=()"
        case .file: "_\(tool.name)_files -f"
        case .directory: "_\(tool.name)_files -d"
        case .words(let words):
            "mapfile -t COMPREPLY < <(compgen -W \"\(words.joined(separator: " "))\" -- \"$current\")"
        }
    }

    // MARK: zsh

    static func zsh(_ tool: Command) -> String {
        let functions = places(tool).map { place in
            let name = function(tool, place.words)
            return place.command.subcommands.isEmpty ? zshLeaf(name, place.command) : zshBranch(name, tool, place)
        }
        return """
            #compdef \(tool.name)
            # zsh completion of \(tool.name): put this into a file named _\(tool.name) in a directory of $fpath.

            \(functions.joined(separator: "\n\n"))

            if [[ $funcstack[1] == _\(tool.name) ]]; then _\(tool.name) "$@"; else compdef _\(tool.name) \(tool.name); fi
            """
    }

    private static func function(_ tool: Command, _ words: [String]) -> String {
        (["_" + tool.name] + words).joined(separator: "_")
    }

    private static func zshBranch(_ name: String, _ tool: Command, _ place: Place) -> String {
        let list = place.command.subcommands.map { "        \(quoted("\($0.name):\(short($0.summary))"))" }
        let cases = place.command.subcommands.map { "    \($0.name)) \(function(tool, place.words + [$0.name])) ;;" }
        return """
            \(name)() {
                local line state
                local -a commands=(
            \(list.joined(separator: "\n"))
                )
                _arguments -S -C '--help[Print this help.]' '1: :->command' '*:: :->rest'
                case $state in
                command) _describe command commands ;;
                rest)
                    case $line[1] in
                    help) _describe command commands ;;
            \(cases.joined(separator: "\n"))
                    esac ;;
                esac
            }
            """
    }

    private static func zshLeaf(_ name: String, _ command: Command) -> String {
        var specifications = command.options.map { option in
            let star = option.isRepeatable ? "*" : ""
            let summary = "[\(short(option.summary))]"
            guard case .option(let valueName) = option.kind else { return quoted("\(star)\(option.label)\(summary)") }
            return quoted("\(star)\(option.label)=\(summary):\(escaped(valueName)):\(zshValues(option.completion))")
        }
        specifications += command.operands.map {
            quoted("\($0.isRepeatable ? "*" : ""):\(escaped($0.name)):\(zshValues($0.completion))")
        }
        if command.rest != nil { specifications.append("'*::command:_normal'") }
        return """
            \(name)() {
                _arguments -S \(specifications.joined(separator: " \\\n        "))
            }
            """
    }

    private static func zshValues(_ completion: ParameterDeclaration.Completion) -> String {
        switch completion {
        case .none: " "
        case .file: "_files"
        case .directory: "_files -/"
        case .words(let words): "(\(words.joined(separator: " ")))"
        }
    }

    /// The first sentence, with the characters escaped that zsh interprets.
    private static func short(_ summary: String) -> String {
        escaped(String(summary.prefix { $0 != "." && $0 != ";" && $0 != "(" }))
    }

    private static func escaped(_ text: String) -> String {
        text.map { "[]:".contains($0) ? "\\\($0)" : String($0) }.joined()
    }

    private static func quoted(_ text: String) -> String {
        "'" + text.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
    }
}
