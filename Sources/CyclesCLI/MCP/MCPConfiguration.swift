import Cycles

/// The entry for `cycles mcp` in the configuration of a program that runs agents.
enum MCPConfiguration: String, CaseIterable {
    case claude
    case cursor
    case vscode

    /// The variables that the entry passes on. The API key is left out, since the entry names a file instead, and so is
    /// the URL of a proxy, which may contain a password.
    private static let variables = [
        "CYCLES_BASE_URL", "CYCLES_TENANT", "CYCLES_WORKSPACE", "CYCLES_APP", "CYCLES_WORKFLOW", "CYCLES_AGENT",
        "CYCLES_TOOLSET", "CYCLES_CA_FILE", "CYCLES_CLIENT_CERTIFICATE", "CYCLES_CLIENT_KEY", "CYCLES_UNIX_SOCKET",
        "CYCLES_CONNECT_TIMEOUT", "CYCLES_READ_TIMEOUT", "CYCLES_JOURNAL_ENABLED", "CYCLES_JOURNAL_DIR",
    ]

    /// The entry as JSON text of several lines, which people paste into a file.
    /// - Parameters:
    ///   - program: The path of this tool.
    ///   - words: The words of the command line that follow the tool's name.
    ///   - environment: The value of a variable; nil if it is not set.
    func entry(program: String, words: [String], environment: (String) -> String?) -> String {
        var arguments: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--print-config" {
                _ = rest.popFirst()
            } else if !word.hasPrefix("--print-config=") {
                arguments.append(word)
            }
        }
        var variables: [(String, String)] = []
        if !arguments.contains("--demo") {
            variables = MCPConfiguration.variables.compactMap { name in environment(name).map { (name, $0) } }
            let namesKey = arguments.contains { $0 == "--api-key-file" || $0.hasPrefix("--api-key-file=") }
            if !namesKey {
                variables.append(("CYCLES_API_KEY_FILE", environment("CYCLES_API_KEY_FILE") ?? "/path/to/key"))
            }
        }
        func quoted(_ text: String) -> String { JSONValue.string(text).text }
        let kind = self == .vscode ? "\"type\": \"stdio\",\n      " : ""
        let lines = variables.map { "        \(quoted($0.0)): \(quoted($0.1))" }.joined(separator: ",\n")
        return """
            {
              "\(self == .vscode ? "servers" : "mcpServers")": {
                "cycles": {
                  \(kind)"command": \(quoted(program)),
                  "args": [\(arguments.map(quoted).joined(separator: ", "))],
                  "env": {\(lines.isEmpty ? "" : "\n\(lines)\n      ")}
                }
              }
            }
            """
    }
}
