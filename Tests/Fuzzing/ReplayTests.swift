import Foundation
import Testing

/// The inputs that fuzzing found worth keeping break no rule.
@Suite struct ReplayTests {
    private static let corpus = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Corpus")

    private static func inputs(of target: FuzzTarget) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: corpus.appending(path: target.rawValue),
            includingPropertiesForKeys: nil
        )
    }

    @Test(arguments: FuzzTarget.allCases)
    func noInputOfTheCorpusBreaksARule(of target: FuzzTarget) throws {
        let inputs = try ReplayTests.inputs(of: target)
        #expect(!inputs.isEmpty)
        for input in inputs {
            let bytes = [UInt8](try Data(contentsOf: input))
            #expect(throws: Never.self, "\(input.lastPathComponent)") { try target.run(bytes) }
        }
    }

    @Test func everyFolderOfTheCorpusBelongsToATarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: ReplayTests.corpus.path)
        #expect(Set(folders) == Set(FuzzTarget.allCases.map(\.rawValue)))
    }
}
