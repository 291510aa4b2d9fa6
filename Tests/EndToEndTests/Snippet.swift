import Foundation

/// A block of Swift in a document.
struct Snippet {
    /// The path of the document in the repository.
    var document: String
    /// The number of the block's first line.
    var line: Int
    var code: String

    /// README.md and all articles.
    static func documents() -> [String] {
        let catalogues = ["Sources/Cycles/Documentation.docc", "Sources/CyclesTesting/Documentation.docc"]
        return ["README.md"]
            + catalogues.flatMap { catalogue in
                Programs.files(in: catalogue).filter { $0.hasSuffix(".md") }.sorted().map { "\(catalogue)/\($0)" }
            }
    }

    /// The blocks of a document.
    static func all(in document: String) throws -> [Snippet] {
        all(of: try Programs.text(of: document), document: document)
    }

    /// The blocks of a text.
    static func all(of text: String, document: String) -> [Snippet] {
        var snippets: [Snippet] = []
        var isInside = false
        var isSwift = false
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            let trimmed = line.trimmingCharacters(in: .whitespaces)
            if trimmed.hasPrefix("```") {
                isInside.toggle()
                isSwift = isInside && trimmed == "```swift"
                if isSwift { snippets.append(Snippet(document: document, line: index + 2, code: "")) }
            } else if isSwift {
                snippets[snippets.count - 1].code += line + "\n"
            }
        }
        return snippets
    }

    /// The form of a block, which selects its surroundings.
    enum Form {
        /// Statements and declarations, or a whole program.
        case statements
        /// Tests: they cannot be local declarations, and use the types of the document's other blocks.
        case tests
        /// A package manifest, or the expression of a dependency.
        case manifest
        /// Statements that need package traits.
        case integration
    }

    var form: Form {
        if code.contains("import PackageDescription") || code.hasPrefix(".package(") { return .manifest }
        if ["LoggingObserver(", "MetricsObserver(", "ServiceGroup("].contains(where: code.contains) {
            return .integration
        }
        return code.contains("@Test") ? .tests : .statements
    }

    /// Whether the block has nothing but declarations outside braces.
    private var isDeclarations: Bool {
        let starts = ["struct ", "actor ", "enum ", "class ", "final ", "func ", "extension ", "@", "}", "//"]
        return code.components(separatedBy: "\n").allSatisfy { line in
            line.isEmpty || line.hasPrefix(" ") || starts.contains(where: line.hasPrefix)
        }
    }

    /// The code between lines that let the compiler name the document. Imports and `@main` are left out: the source
    /// around the block has its own.
    private func located(after start: String = "") -> String {
        let lines = code.components(separatedBy: "\n").map { line in
            ["import ", "@main", "// swift-tools-version"].contains(where: line.hasPrefix) ? "" : line
        }
        return """
            #sourceLocation(file: "\(document)", line: \(line))
            \(start)\(lines.joined(separator: "\n"))
            #sourceLocation()

            """
    }

    private static let parameters = """
        client: CyclesClient, reservation: consuming ReservationGuard, configuration: inout CyclesConfiguration, \
        response: APIResponse<DecisionResponse>
        """

    /// Sources with all blocks that need the modules of this package alone: one with statements, one with tests.
    static func program(_ snippets: [Snippet]) -> [String] {
        let documents = Set(snippets.filter { $0.form == .tests }.map(\.document))
        let isInTests = { (snippet: Snippet) in
            snippet.form == .tests
                || snippet.form == .statements && snippet.isDeclarations && documents.contains(snippet.document)
        }
        let tests = Dictionary(grouping: snippets.filter(isInTests), by: \.document).values.enumerated()
            .map { index, blocks in "struct Tests\(index) {\n\(blocks.map { $0.located() }.joined())}\n" }
        // Guards are parameters, because global variables cannot be consumed.
        // Guards are parameters, because global variables cannot be consumed. Diagnostics of parameters name the document too.
        let statements = snippets.filter { $0.form == .statements && !isInTests($0) }.enumerated().map {
            index,
            snippet in
            """
            #sourceLocation(file: "\(snippet.document)", line: \(snippet.line))
            func snippet\(index)(\(parameters)) async throws {
            \(snippet.located())}

            """
        }
        return [
            "import Cycles\nimport CyclesTesting\n" + statements.joined(),
            "import Cycles\nimport CyclesTesting\nimport Testing\n" + tests.joined(),
        ]
    }

    /// A source with all manifests.
    static func manifests(_ snippets: [Snippet]) -> String {
        let functions = snippets.filter { $0.form == .manifest }.enumerated().map { index, snippet in
            let start = snippet.code.hasPrefix(".package(") ? "let dependency: Package.Dependency = " : ""
            return "func manifest\(index)() {\n\(snippet.located(after: start))}\n"
        }
        return "import PackageDescription\n" + functions.joined()
    }
}
