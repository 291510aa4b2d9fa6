import CyclesTesting
import Foundation
import Testing

@testable import Cycles

/// `verifyEvidence` with the answers of servers that publish no keys, fail, or answer with something else.
@Suite struct EvidenceRetrievalTests {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Evidence")

    private func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: EvidenceRetrievalTests.folder.appendingPathComponent(name + ".json")))
    }

    private func verification(
        of name: String,
        keys: HTTPResponse,
        reference: EvidenceID? = nil
    ) async throws -> EvidenceVerification {
        let transport = MockTransport()
        let envelope = try bytes(name)
        let id = try reference ?? EvidenceEnvelope(parsing: envelope).evidenceID
        transport.on(.get, "/v1/evidence/\(id)") { _ in HTTPResponse(status: 200, body: envelope) }
        transport.on(.get, "/v1/.well-known/cycles-jwks.json") { _ in keys }
        let configuration = CyclesConfiguration(baseURL: "https://host", apiKey: "secret-of-the-test")
        let client = try CyclesClient.testing(configuration: configuration, transport: transport, clock: ManualClock())
        let verification: EvidenceVerification
        do {
            verification = try await client.verifyEvidence(EvidenceReference(evidenceID: id, url: "https://other/x"))
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        return verification
    }

    private func resolutionFails(_ verification: EvidenceVerification) -> Bool {
        if case .signerResolutionFailed = verification { true } else { false }
    }

    @Test func publishedKeysAuthorizeTheSigner() async throws {
        let keys = HTTPResponse(status: 200, body: try bytes("keys"))
        #expect(try await verification(of: "commit-did", keys: keys).isAuthentic)
        #expect(try await verification(of: "reserve-key", keys: keys).isAuthentic)
    }

    @Test func aServerWithoutPublishedKeysLeavesTheBinding() async throws {
        let missing = HTTPResponse(status: 404)
        #expect(try await verification(of: "reserve-key", keys: missing) == .bindingOnly(signerPinMatched: nil))
        #expect(resolutionFails(try await verification(of: "commit-did", keys: missing)))
    }

    @Test(arguments: [HTTPResponse(status: 503), HTTPResponse(status: 200, body: Array("<html>".utf8))])
    func keysThatCannotBeFetchedAreNoForgery(answer: HTTPResponse) async throws {
        #expect(resolutionFails(try await verification(of: "reserve-key", keys: answer)))
        #expect(resolutionFails(try await verification(of: "commit-did", keys: answer)))
        guard case .signatureInvalid = try await verification(of: "forged-key", keys: answer) else {
            Issue.record("a forgery is one without keys, too")
            return
        }
    }

    @Test func anotherEnvelopeThanTheOneOfTheReferenceIsRefused() async throws {
        let other = EvidenceID(String(repeating: "0", count: 64))
        let keys = HTTPResponse(status: 200, body: try bytes("keys"))
        await #expect(throws: CyclesError.self) {
            try await verification(of: "commit-did", keys: keys, reference: other)
        }
    }
}
