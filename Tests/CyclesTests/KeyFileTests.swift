import Foundation
import Testing

@testable import Cycles

@Suite struct KeyFileTests {
    /// Reads a configuration whose key is in a file with these contents.
    private func configuration(_ contents: String, key: String? = nil) throws -> CyclesConfiguration {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("cycles-key-\(UUID())").path
        try Data(contents.utf8).write(to: URL(fileURLWithPath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        let values = ["CYCLES_BASE_URL": "http://x", "CYCLES_API_KEY_FILE": path, "CYCLES_API_KEY": key]
        return try CyclesConfiguration.fromEnvironment { values[$0] ?? nil }
    }

    private func issue(_ body: () throws -> CyclesConfiguration) -> ConfigurationIssue? {
        do {
            _ = try body()
        } catch CyclesError.configuration(let issue) {
            return issue
        } catch {}
        return nil
    }

    @Test(arguments: ["key-1", "key-1\n", "key-1\r\nsecond\n", "\u{feff}key-1\nsecond", "key-1\n\n"])
    func theFirstLineIsTheKey(contents: String) throws {
        #expect(try configuration(contents).apiKey == "key-1")
    }

    @Test func aKeyInTheEnvironmentTakesPrecedence() throws {
        #expect(try configuration("key-1", key: "key-2").apiKey == "key-2")
        #expect(try configuration("key-1", key: " ").apiKey == "key-1")
    }

    @Test(arguments: ["", "\n", "  \nkey-1", "\u{feff}\nkey-1"])
    func aFileWithoutAKeyIsRefused(contents: String) {
        let found = issue { try configuration(contents) }
        #expect(found?.name == "CYCLES_API_KEY_FILE")
        #expect(found?.message.contains("the first line is empty") == true)
    }

    @Test func aFileThatCannotBeReadIsNamedWithTheReason() {
        for (path, reason) in [("/no/such/file", "No such file"), ("/", "Is a directory")] {
            let values = ["C_BASE_URL": "http://x", "C_API_KEY_FILE": path]
            let found = issue { try CyclesConfiguration.fromEnvironment(prefix: "C_") { values[$0] } }
            #expect(found?.name == "C_API_KEY_FILE")
            #expect(found?.message.contains(path) == true && found?.message.contains(reason) == true)
        }
    }

    @Test func aMissingKeyNamesBothVariables() {
        let found = issue { try CyclesConfiguration.fromEnvironment { $0 == "CYCLES_BASE_URL" ? "http://x" : nil } }
        #expect(found?.name == "CYCLES_API_KEY" && found?.message.contains("CYCLES_API_KEY_FILE") == true)
    }
}
