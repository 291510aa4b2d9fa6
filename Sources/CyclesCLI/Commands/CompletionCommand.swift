/// `cycles completion`: prints a script for shell completion.
enum CompletionCommand {
    private static let shell = Operand(
        "SHELL",
        "bash or zsh.",
        completion: .words(["bash", "zsh"]),
        parse: Values.word(["bash": Shell.bash, "zsh": .zsh])
    )

    private enum Shell: Sendable {
        case bash
        case zsh
    }

    static let command: Command = Command(
        name: "completion",
        summary: "Prints a script that completes this tool's command line in a shell.",
        sections: [("Options", [shell])],
        examples: [
            "source <(cycles completion bash)",
            "cycles completion zsh > \"${fpath[1]}/_cycles\"",
        ]
    ) { arguments in
        switch arguments.required(shell) {
        case .bash: Console.page(Completion.bash(CyclesTool.command))
        case .zsh: Console.page(Completion.zsh(CyclesTool.command))
        }
        return .success
    }
}
