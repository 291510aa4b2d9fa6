import Cycles
import CyclesTesting
import Foundation
import Testing

/// `cycles evidence` and `cycles webhook`, with files, pipes and `cycles serve`.
extension ToolSuites {
    @Suite struct ToolEvidenceTests {
        private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Evidence")

        private func file(_ name: String) -> String {
            ToolEvidenceTests.fixtures.appendingPathComponent(name + ".json").path
        }

        private func verify(_ arguments: [String], input: String = "") async throws -> RunningTool.Outcome {
            await (try RunningTool(["evidence", "verify"] + arguments, input: input)).outcome()
        }

        private static let signer = "ec52b49b81eb29ef6f62947cade245c715bf943b7ef2a5f2789288574466fc43"

        // MARK: Files

        @Test func eachDispositionHasItsStatus() async throws {
            let keys = ["--keys", file("keys")]
            let cases: [(name: String, options: [String], status: Int32, disposition: String)] = [
                ("release-did-rotated", keys, 0, "authentic"),
                ("reserve-key", keys + ["--signer", ToolEvidenceTests.signer], 0, "authentic"),
                ("reserve-key", ["--signer", ToolEvidenceTests.signer], 0, "binding_only"),
                ("reserve-key", [], 3, "binding_only"),
                ("reserve-key", ["--signer", "other"], 4, "binding_only"),
                ("unauthorized-expired", keys, 4, "signer_authority_failed"),
                ("commit-did", [], 5, "signer_resolution_failed"),
                ("forged-did", keys, 6, "signature_invalid"),
            ]
            for (name, options, status, disposition) in cases {
                let outcome = try await verify([file(name)] + options)
                #expect(outcome.status == status && outcome.output.contains(disposition), "\(name): \(outcome)")
                #expect(outcome.errors.isEmpty)
            }
        }

        @Test func standardInputAndJSON() async throws {
            let document = try String(contentsOfFile: file("commit-did"), encoding: .utf8)
            let outcome = try await verify(["-", "--keys", file("keys"), "--json"], input: document)
            let report = try JSONValue(parsing: Array(outcome.output.utf8))
            #expect(outcome.status == 0 && report["disposition"] == "authentic" && report["kid"] == "first")
            #expect(report["reason"] == .null && report["signer_pin_matched"] == .null)
            let changed = document.replacingOccurrences(of: "COMMITTED", with: "COMMITTEE")
            let refused = try await verify(["-", "--keys", file("keys"), "--json"], input: changed)
            #expect(refused.status == 6)
            #expect(try JSONValue(parsing: Array(refused.output.utf8))["disposition"] == "signature_invalid")
        }

        @Test func whatCannotBeReadIsExplained() async throws {
            let missing = try await verify(["/nowhere"])
            #expect(missing.status == 2 && missing.errors.contains("/nowhere"), "\(missing)")
            let noEvidence = try await verify(["-"], input: "{}")
            #expect(noEvidence.status == 6 && noEvidence.errors.contains("schema_version"), "\(noEvidence)")
            let noKeys = try await verify([file("commit-did"), "--keys", file("commit-did")])
            #expect(noKeys.status == 5 && noKeys.errors.contains("key set"), "\(noKeys)")
            #expect(try await verify([]).status == 2)
        }

        // MARK: A server

        @Test func evidenceOfAServerVerifiesAlsoAfterARotation() async throws {
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let state = folder.appendingPathComponent("state.json").path
            let arguments = [
                "serve", "--port", "0", "--state", state, "--api-key", "acme=given-key", "--evidence",
                "--evidence-signer", "did",
            ]
            let first = try RunningTool(arguments)
            var environment = await first.servedEnvironment()
            environment["CYCLES_API_KEY"] = "given-key"
            let work = ["--estimate", "1000:TOKENS", "--action", "llm.completion/gpt-4o"]
            let id = try await cycles(["reserve", "-q"] + work, environment).output.trimmingCharacters(in: .newlines)
            let committed = try await cycles(["commit", id, "--actual", "400:TOKENS", "--json"], environment)
            let answer = try JSONValue(parsing: Array(committed.output.utf8))
            let evidence = try #require(answer["cycles_evidence"]?["evidence_id"]?.string)
            let verified = try await cycles(["evidence", "verify", evidence], environment)
            #expect(verified.status == 0 && verified.output.contains("key-1"), "\(verified)")
            // An auditor keeps the file.
            let kept = try await cycles(["evidence", evidence, "--json"], environment).output
            first.signal(SIGTERM)
            _ = await first.outcome()

            let second = try RunningTool(arguments + ["--rotate-evidence-key"])
            environment["CYCLES_BASE_URL"] = await second.servedEnvironment()["CYCLES_BASE_URL"]
            let later = try await cycles(["evidence", "verify", evidence], environment)
            #expect(later.status == 0 && later.output.contains("key-1"), "\(later)")
            let decided = try await cycles(["decide", "--json"] + work, environment)
            let decision = try JSONValue(parsing: Array(decided.output.utf8))
            let fresh = try #require(decision["cycles_evidence"]?["evidence_id"]?.string)
            let after = try await cycles(["evidence", "verify", fresh], environment)
            #expect(after.status == 0 && after.output.contains("key-2"), "\(after)")

            let keys = folder.appendingPathComponent("keys.json").path
            try await cycles(["evidence", "get", "--keys", "--json"], environment).output
                .write(toFile: keys, atomically: true, encoding: .utf8)
            second.signal(SIGTERM)
            _ = await second.outcome()
            let offline = try await verify(["-", "--keys", keys], input: kept)
            #expect(offline.status == 0 && offline.output.contains("authentic"), "\(offline)")
        }

        // MARK: Webhooks

        @Test func aShellReceiverVerifiesDeliveries() async throws {
            let signer = WebhookSigner(secret: "whsec_test")
            let delivery = signer.delivery(of: .budgetExhausted, id: "evt_1")
            let body = String(decoding: delivery.body, as: UTF8.self)
            func verify(
                _ signature: String,
                _ body: String,
                _ options: [String] = [],
                secret: String? = "whsec_test"
            ) async throws -> RunningTool.Outcome {
                let arguments = ["webhook", "verify", "-", "--signature", signature] + options
                let environment = secret.map { ["CYCLES_WEBHOOK_SECRET": $0] } ?? [:]
                return await (try RunningTool(arguments, environment, input: body)).outcome()
            }
            let signature = try #require(delivery.signature)
            let genuine = try await verify(signature, body)
            #expect(genuine.status == 0 && genuine.output.contains("budget.exhausted"), "\(genuine)")
            #expect(try await verify(signature, body, ["--json"]).output == body + "\n")
            let forged = try await verify(signature, body + " ")
            #expect(forged.status == 6 && forged.output.isEmpty && forged.errors.contains("X-Cycles-Signature"))
            #expect(!forged.errors.contains("whsec"))
            #expect(try await verify("", body).status == 6)
            #expect(try await verify(signer.signature(Array("x".utf8)), "x").status == 1)
            #expect(try await verify(signature, body, secret: nil).status == 2)
            let folder = try Programs.temporaryFolder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("secret").path
            try "whsec_test\n".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await verify(signature, body, ["--secret-file", file], secret: nil).status == 0)
        }
    }
}
