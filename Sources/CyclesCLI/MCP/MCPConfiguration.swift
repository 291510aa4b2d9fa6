import Cycles

/// The entry for `cycles mcp` in the configuration of a program that runs agents.
enum MCPConfiguration: String, CaseIterable {
    case claude
    case cursor
    case vscode

    /// The variables that the entry passes on. Keys are left out: the entry names a file instead.
    private static let variables = [
        "CYCLES_BASE_URL", "CYCLES_TENANT", "CYCLES_WORKSPACE", "CYCLES_APP", "CYCLES_WORKFLOW", "CYCLES_AGENT",
        "CYCLES_TOOLSET",
    ]

    /// The entry as JSON text.
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
        var variables: [String: JSONValue] = [:]
        if !arguments.contains("--demo") {
            for name in MCPConfiguration.variables { variables[name] = environment(name).map(JSONValue.string) }
            let namesKey = arguments.contains { $0 == "--api-key-file" || $0.hasPrefix("--api-key-file=") }
            if !namesKey {
                variables["CYCLES_API_KEY_FILE"] = .string(environment("CYCLES_API_KEY_FILE") ?? "/path/to/key")
            }
        }
        var server: [String: JSONValue] = [
            "command": .string(program), "args": .array(arguments.map(JSONValue.string)), "env": .object(variables),
        ]
        if self == .vscode { server["type"] = "stdio" }
        let name = self == .vscode ? "servers" : "mcpServers"
        return JSONValue.object([name: ["cycles": .object(server)]]).text
    }
}
