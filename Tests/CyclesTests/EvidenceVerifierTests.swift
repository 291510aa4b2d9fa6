import Foundation
import Testing

@testable import Cycles

/// Documents of `Scripts/evidence-fixtures.sh`, which signs them with the public test seed and another implementation.
enum EvidenceFixture {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    /// The public keys of the fixtures of the specification, and of the repository after its rotation.
    static let signer = "ec52b49b81eb29ef6f62947cade245c715bf943b7ef2a5f2789288574466fc43"

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: repository.appendingPathComponent("Tests/Evidence/\(name).json")))
    }

    static func keys() throws -> EvidenceKeySet { try EvidenceKeySet(parsing: bytes("keys")) }

    struct Document: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }
    }

    /// The documents whose signatures are valid, those of the specification included.
    static func genuine() throws -> [Document] {
        let names = ["reserve-key", "commit-did", "release-did-rotated", "error-key-rotated"]
        return try published() + names.map { Document(name: $0, bytes: try bytes($0)) }
    }

    /// The fixtures of the specification, where they are at hand.
    static func published() throws -> [Document] {
        let folder = repository.deletingLastPathComponent().appendingPathComponent("shared/spec/evidence-fixtures")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return try names.sorted().map {
            Document(name: $0, bytes: [UInt8](try Data(contentsOf: folder.appendingPathComponent($0))))
        }
    }
}

extension EvidenceVerification {
    /// The name of the disposition alone.
    fileprivate var disposition: String {
        switch self {
        case .authentic: "authentic"
        case .bindingOnly: "binding only"
        case .signerAuthorityFailed: "authority failed"
        case .signerResolutionFailed: "resolution failed"
        case .signatureInvalid: "signature invalid"
        }
    }
}

@Suite struct EvidenceVerifierTests {
    private func verify(_ name: String, _ verifier: EvidenceVerifier) throws -> EvidenceVerification {
        try verifier.verify(EvidenceFixture.bytes(name))
    }

    // MARK: The specification's fixtures

    @Test func resultsSayTheirDispositionAndReason() throws {
        let bytes = try EvidenceFixture.bytes("reserve-key")
        func text(_ verifier: EvidenceVerifier) throws -> String { "\(try verifier.verify(bytes))" }
        #expect(try text(EvidenceVerifier(keys: EvidenceFixture.keys())).hasPrefix("authentic: signed for "))
        #expect(try text(EvidenceVerifier()).hasSuffix("nothing tells whose key signed"))
        let other = String(repeating: "0", count: 64)
        #expect(
            try text(EvidenceVerifier(expectedSigner: EvidenceFixture.signer)).hasSuffix("and the expected signer's")
        )
        #expect(try text(EvidenceVerifier(expectedSigner: other)).hasSuffix("but not the expected signer's"))
        let reasons: [EvidenceVerification] = [
            .signerAuthorityFailed(reason: "late"), .signerResolutionFailed(reason: "late"),
            .signatureInvalid(reason: "late"),
        ]
        #expect(reasons.allSatisfy { "\($0)".hasSuffix(": late") } && Set(reasons.map { "\($0)" }).count == 3)
    }

    @Test func publishedFixturesProveTheirBinding() throws {
        for fixture in try EvidenceFixture.published() {
            let (name, bytes) = (fixture.name, fixture.bytes)
            #expect(try EvidenceVerifier().verify(bytes) == .bindingOnly(signerPinMatched: nil), "\(name)")
            #expect(
                try EvidenceVerifier(expectedSigner: EvidenceFixture.signer).verify(bytes)
                    == .bindingOnly(signerPinMatched: true),
                "\(name)"
            )
            let isInWindow = try EvidenceEnvelope(parsing: bytes).issuedAtMilliseconds < 1_810_000_000_500
            #expect(
                try EvidenceVerifier(keys: EvidenceFixture.keys()).verify(bytes).disposition
                    == (isInWindow ? "authentic" : "authority failed"),
                "\(name)"
            )
        }
    }

    // MARK: Dispositions

    @Test(arguments: ["reserve-key", "commit-did", "release-did-rotated", "error-key-rotated"])
    func evidenceOfAnAuthorizedKeyIsAuthenticBeforeAndAfterARotation(name: String) throws {
        let verification = try verify(name, EvidenceVerifier(keys: EvidenceFixture.keys()))
        guard case .authentic(let signer) = verification else {
            Issue.record("\(verification)")
            return
        }
        #expect(verification.isAuthentic)
        #expect(signer.serverID == "https://cycles.example.com/v1")
        #expect(signer.key.kid == (name.hasSuffix("rotated") ? "second" : "first"))
        #expect(signer.signerDID == (try EvidenceEnvelope(parsing: EvidenceFixture.bytes(name)).signerDID))
    }

    @Test(arguments: [
        ("unauthorized-expired", "authority failed"), ("unauthorized-early", "authority failed"),
        ("unauthorized-expired-key", "authority failed"), ("unauthorized-server", "authority failed"),
        ("unauthorized-kid", "authority failed"), ("forged-did", "signature invalid"),
        ("forged-id", "signature invalid"), ("forged-key", "signature invalid"),
        ("unresolved-method", "resolution failed"),
        ("unresolved-fragment", "resolution failed"), ("unresolved-capitals", "resolution failed"),
    ])
    func eachDefectHasItsDisposition(name: String, disposition: String) throws {
        let verification = try verify(name, EvidenceVerifier(keys: EvidenceFixture.keys()))
        #expect(verification.disposition == disposition, "\(verification)")
        #expect(!verification.isAuthentic)
    }

    @Test(arguments: [
        ("reserve-key", "binding only"), ("commit-did", "resolution failed"),
        ("unauthorized-server", "authority failed"), ("unauthorized-expired-key", "binding only"),
        ("forged-key", "signature invalid"), ("forged-did", "resolution failed"),
    ])
    func withoutKeysOnlyTheBindingOfARawKeyIsKnown(name: String, disposition: String) throws {
        #expect(try verify(name, EvidenceVerifier()).disposition == disposition)
    }

    @Test(arguments: [
        "malformed-version", "malformed-payload", "malformed-artifact", "malformed-pairing", "malformed-member",
        "malformed-time", "malformed-error",
    ])
    func aSignedDocumentThatIsNoEnvelopeIsRefused(name: String) throws {
        let bytes = try EvidenceFixture.bytes(name)
        let error = #expect(throws: CyclesError.self) {
            try EvidenceVerifier(keys: EvidenceFixture.keys()).verify(bytes)
        }
        guard case .validation(let issue) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(issue.field == "envelope" && "\(issue)".hasPrefix("The call is refused: envelope is no evidence"))
    }

    @Test(arguments: ["", "[]", "{}", "null", "{\"a\":1,\"a\":2}", "\u{feff}{}"])
    func bytesThatAreNoEnvelopeAreRefused(text: String) {
        #expect(throws: CyclesError.self) { try EvidenceVerifier().verify(Array(text.utf8)) }
    }

    // MARK: Changes

    /// Some changes leave no envelope at all, which is refused with an error.
    private func isRefused(_ bytes: [UInt8], _ verifier: EvidenceVerifier) -> Bool {
        guard let verification = try? verifier.verify(bytes) else { return true }
        switch verification {
        case .authentic, .bindingOnly: return false
        case .signerAuthorityFailed, .signerResolutionFailed, .signatureInvalid: return true
        }
    }

    /// Also of the id, the signature and the names of members.
    @Test(arguments: try EvidenceFixture.genuine()) func aChangeOfAnyByteIsRefused(_ fixture: EvidenceFixture.Document)
        throws
    {
        let isLookedUp = try EvidenceEnvelope(parsing: fixture.bytes).signerDID.hasPrefix("did:")
        let verifier = EvidenceVerifier(keys: isLookedUp ? try EvidenceFixture.keys() : nil)
        #expect(!isRefused(fixture.bytes, verifier))
        // The line feed at the end is no part of the document.
        for position in fixture.bytes.indices where fixture.bytes[position] != 0x0a {
            var changed = fixture.bytes
            changed[position] ^= 1
            if !isRefused(changed, verifier) {
                Issue.record("byte \(position) of \(String(decoding: changed, as: UTF8.self))")
            }
        }
    }

    @Test func theSpellingOfADocumentIsNotSigned() throws {
        let document = try JSONSerialization.jsonObject(with: Data(EvidenceFixture.bytes("reserve-key")))
        let spelled = try JSONSerialization.data(withJSONObject: document, options: [.prettyPrinted])
        #expect(try EvidenceVerifier(keys: EvidenceFixture.keys()).verify([UInt8](spelled)).isAuthentic)
    }

    // MARK: Expected signers

    @Test func anExpectedSignerIsCompared() throws {
        let other = String(repeating: "0", count: 64)
        #expect(
            try verify("reserve-key", EvidenceVerifier(expectedSigner: EvidenceFixture.signer))
                == .bindingOnly(signerPinMatched: true)
        )
        #expect(
            try verify("reserve-key", EvidenceVerifier(expectedSigner: other)) == .bindingOnly(signerPinMatched: false)
        )
        #expect(
            try verify("forged-key", EvidenceVerifier(expectedSigner: EvidenceFixture.signer)).disposition
                == "signature invalid"
        )
        let keys = try EvidenceFixture.keys()
        let did = try EvidenceEnvelope(parsing: EvidenceFixture.bytes("commit-did")).signerDID
        for expected in [did, EvidenceFixture.signer] {
            #expect(try verify("commit-did", EvidenceVerifier(keys: keys, expectedSigner: expected)).isAuthentic)
        }
        #expect(
            try verify("reserve-key", EvidenceVerifier(keys: keys, expectedSigner: EvidenceFixture.signer)).isAuthentic
        )
        for name in ["reserve-key", "commit-did"] {
            let verification = try verify(name, EvidenceVerifier(keys: keys, expectedSigner: other))
            #expect(verification.disposition == "authority failed")
        }
    }

    // MARK: Key sets

    private func keys(_ entries: [JSONValue]) throws -> EvidenceKeySet {
        try EvidenceKeySet(parsing: JSONValue.object(["keys": .array(entries)]).encoded)
    }

    @Test func aKeySetThatIsAmbiguousAuthorizesNobody() throws {
        let entries = try #require(try JSONValue(parsing: EvidenceFixture.bytes("keys"))["keys"]?.array)
        guard case .object(var first) = entries[0] else { return }
        // A second key with the id, also outside of its window.
        first["cycles_nbf_ms"] = 5
        first["cycles_exp_ms"] = 6
        #expect(
            try verify("commit-did", EvidenceVerifier(keys: keys(entries + [.object(first)]))).disposition
                == "authority failed"
        )
        // The same key with two ids whose windows overlap.
        first["kid"] = "copy"
        #expect(try verify("reserve-key", EvidenceVerifier(keys: keys(entries + [.object(first)]))).isAuthentic)
        first["cycles_exp_ms"] = nil
        #expect(try verify("commit-did", EvidenceVerifier(keys: keys(entries + [.object(first)]))).isAuthentic)
        #expect(
            try verify("reserve-key", EvidenceVerifier(keys: keys(entries + [.object(first)]))).disposition
                == "authority failed"
        )
    }

    @Test(arguments: [("kty", "RSA"), ("crv", "X25519"), ("alg", "ES256"), ("x", "AAAA"), ("cycles_nbf_ms", "soon")])
    func aKeyThatIsNoSigningKeyAuthorizesNobody(member: String, value: String) throws {
        let entries = try #require(try JSONValue(parsing: EvidenceFixture.bytes("keys"))["keys"]?.array)
        guard case .object(var first) = entries[0] else { return }
        first[member] = .string(value)
        let verifier = EvidenceVerifier(keys: try keys([.object(first), entries[1]]))
        #expect(try verify("commit-did", verifier).disposition == "authority failed")
        #expect(try verify("reserve-key", verifier).disposition == "authority failed")
        #expect(try verify("release-did-rotated", verifier).isAuthentic)
    }

    /// With the neutral point as the key, the neutral point and S = 0 would be a signature of everything.
    @Test func aKeyOfSmallOrderSignsNothing() throws {
        let entries = try #require(try JSONValue(parsing: EvidenceFixture.bytes("keys"))["keys"]?.array)
        guard case .object(var first) = entries[0],
            case .object(var envelope) = try JSONValue(parsing: EvidenceFixture.bytes("commit-did"))
        else { return }
        first["x"] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        envelope["signature"] = .string("01" + String(repeating: "0", count: 126))
        let verifier = EvidenceVerifier(keys: try keys([.object(first)]))
        let verification = try verifier.verify(JSONValue.object(envelope).encoded)
        #expect(verification.disposition == "signature invalid", "\(verification)")
    }

    @Test func aKeySetThatIsNoJSONIsAnError() {
        for text in ["", "{}", #"{"keys":{}}"#, "[]"] {
            #expect(throws: JSONError.self) { try EvidenceKeySet(parsing: Array(text.utf8)) }
        }
    }
}
