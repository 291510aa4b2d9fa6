import Foundation
import Testing

/// The blocks of Swift in README.md and the articles, compiled as a user would.
@Suite(.enabled(if: Programs.areCompiled)) struct SnippetTests {
    private let snippets: [Snippet]

    init() throws { snippets = try Snippet.documents().flatMap(Snippet.all(in:)) }

    @Test func everyBlockCompiles() throws {
        #expect(snippets.count > 30)
        let outcome = try Programs.compile(sources: Snippet.program(snippets), with: "SnippetPrelude")
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test func everyManifestCompiles() throws {
        #expect(snippets.contains { $0.form == .manifest })
        let outcome = try Programs.compile(manifest: Snippet.manifests(snippets))
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// `Scripts/traits.sh` compiles the tests of the integrations.
    @Test func everyBlockThatNeedsTraitsIsInTheTestsOfTheIntegrations() throws {
        let source = Programs.unindented(
            try Programs.text(of: "Tests/Integrations/IntegrationTests/ArticleSnippets.swift")
        )
        let blocks = snippets.filter { $0.form == .integration }
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(source.contains(Programs.unindented(block.code)), "\(block.document):\(block.line)")
        }
    }

    @Test(arguments: [
        ("let amount = Amount.tokens(1)\nlet count: Int = amount", 5, "cannot convert value of type 'Amount'"),
        ("try await reservation.commit(.tokens(1))\ntry await reservation.release()", 4, "consumed more than once"),
        (
            """
            _ = client
            let held = try await client.reserve(request)
            try await held.release()
            try await held.release()
            """, 5, "'held' consumed more than once"
        ),
    ])
    func aBlockThatDoesNotCompileIsNamedByItsDocumentAndLine(code: String, line: Int, message: String) throws {
        let text = "# Title\n\n```swift\n\(code)\n```\n"
        let outcome = try Programs.compile(
            sources: Snippet.program(Snippet.all(of: text, document: "article.md")),
            with: "SnippetPrelude"
        )
        #expect(outcome.status != 0)
        let diagnostics = outcome.errors.components(separatedBy: "\n").filter { $0.contains(": error: ") }
        #expect(diagnostics.count == 1, "\(outcome.errors)")
        #expect(
            diagnostics.contains { $0.hasPrefix("article.md:\(line):") && $0.contains(message) },
            "\(outcome.errors)"
        )
    }

    @Test func blocksOfOtherLanguagesAreLeftOut() {
        let text = "```console\n$ cycles\n```\n\n- item:\n\n  ```swift\n  run()\n  ```\n\n```\noutput\n```\n"
        let snippets = Snippet.all(of: text, document: "article.md")
        #expect(snippets.map(\.code) == ["  run()\n"])
        #expect(snippets.map(\.line) == [8])
    }
}
