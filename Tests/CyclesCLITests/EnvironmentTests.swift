import Cycles
import Foundation
import Testing

@testable import CyclesCLI

@Suite struct EnvironmentTests {
    /// The names that the library looks up.
    private static let names: [String] = {
        nonisolated(unsafe) var names: [String] = []
        _ = try? CyclesConfiguration.fromEnvironment { name in
            names.append(name)
            // The file with the key is looked up only without a key.
            return name == "CYCLES_BASE_URL" ? "http://x" : name == "CYCLES_API_KEY_FILE" ? keyFile : nil
        }
        return names
    }()

    private static let keyFile: String = {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-environment-key").path
        try? Data("key-1\n".utf8).write(to: URL(fileURLWithPath: path))
        return path
    }()

    private func words(_ text: String) -> Set<String> {
        Set(text.split { !($0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber)) }.map(String.init))
    }

    @Test func everyVariableIsInTheToolsHelp() {
        #expect(Self.names.count >= 24, "\(Self.names)")
        let help = words([CyclesTool.command].helpText)
        for name in Self.names { #expect(help.contains(name), "\(name)") }
    }

    @Test func everyVariableIsInTheTableOfTheDocumentation() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = root.appendingPathComponent("Sources/Cycles/Documentation.docc/Configuration.md")
        let documented = words(try String(contentsOf: page, encoding: .utf8))
        for name in Self.names { #expect(documented.contains(name), "\(name)") }
    }

    @Test func everyVariableOfAnOptionIsOneOfTheLibrarys() {
        for parameter in ConnectionOptions.section.parameters.map(\.declaration) {
            let named = words(parameter.summary).filter { $0.hasPrefix("CYCLES_") }
            #expect(named.isSubset(of: Self.names), "\(parameter.label): \(named)")
        }
    }
}
