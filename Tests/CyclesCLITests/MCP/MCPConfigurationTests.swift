import Cycles
import Testing

@testable import CyclesCLI

@Suite struct MCPConfigurationTests {
    private func entry(
        _ program: MCPConfiguration,
        _ words: [String],
        _ environment: [String: String] = [:]
    ) throws -> JSONValue {
        let text = program.entry(program: "/usr/bin/cycles", words: words) { environment[$0] }
        #expect(!text.contains("secret"))
        return try JSONValue(parsing: Array(text.utf8))
    }

    @Test(arguments: [MCPConfiguration.claude, .cursor]) func programsTakeAnEntryOfOneForm(
        program: MCPConfiguration
    ) throws {
        let words = ["mcp", "--read-only", "--print-config", program.rawValue, "--allow=cycles_decide"]
        let environment = ["CYCLES_BASE_URL": "https://c.example", "CYCLES_API_KEY": "secret", "CYCLES_TENANT": "acme"]
        #expect(
            try entry(program, words, environment) == [
                "mcpServers": [
                    "cycles": [
                        "command": "/usr/bin/cycles", "args": ["mcp", "--read-only", "--allow=cycles_decide"],
                        "env": [
                            "CYCLES_BASE_URL": "https://c.example", "CYCLES_TENANT": "acme",
                            "CYCLES_API_KEY_FILE": "/path/to/key",
                        ],
                    ]
                ]
            ]
        )
    }

    @Test(arguments: [["--api-key-file", "/run/key"], ["--api-key-file=/run/key"]])
    func visualStudioCodeNamesTheKindOfTheServer(key: [String]) throws {
        let words = ["mcp", "--print-config=vscode"] + key
        #expect(
            try entry(.vscode, words) == [
                "servers": [
                    "cycles": [
                        "type": "stdio", "command": "/usr/bin/cycles",
                        "args": .array((["mcp"] + key).map(JSONValue.string)),
                        "env": [:],
                    ]
                ]
            ]
        )
    }

    @Test func anEntryIsReadByPeople() {
        let environment = [
            "CYCLES_BASE_URL": "https://c.example", "CYCLES_CA_FILE": "/etc/ca.pem", "CYCLES_PROXY": "secret",
        ]
        let text = MCPConfiguration.vscode.entry(program: "/usr/bin/cycles", words: ["mcp"]) { environment[$0] }
        #expect(
            text == """
                {
                  "servers": {
                    "cycles": {
                      "type": "stdio",
                      "command": "/usr/bin/cycles",
                      "args": ["mcp"],
                      "env": {
                        "CYCLES_BASE_URL": "https://c.example",
                        "CYCLES_CA_FILE": "/etc/ca.pem",
                        "CYCLES_API_KEY_FILE": "/path/to/key"
                      }
                    }
                  }
                }
                """
        )
    }

    @Test func theDemonstrationNeedsNoServer() throws {
        let environment = ["CYCLES_BASE_URL": "https://c.example", "CYCLES_API_KEY_FILE": "/run/key"]
        let server = try entry(.cursor, ["mcp", "--demo", "--print-config", "cursor"], environment)["mcpServers"]?[
            "cycles"
        ]
        #expect(server?["args"] == ["mcp", "--demo"] && server?["env"] == [:])
        #expect(
            try entry(.cursor, ["mcp"], environment)["mcpServers"]?["cycles"]?["env"]?["CYCLES_API_KEY_FILE"]
                == "/run/key"
        )
    }
}
