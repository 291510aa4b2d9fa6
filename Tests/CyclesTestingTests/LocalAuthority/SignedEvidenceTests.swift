import Cycles
import Testing

@testable import CyclesTesting

@Suite struct EvidenceSigningKeyTests {
    /// RFC 8032 section 7.1.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                + "d25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                + "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ])
    func signaturesAreThoseOfTheSpecification(seed: String, key: String, message: String, signature: String) throws {
        let signer = EvidenceSigningKey(seed: try #require(Hexadecimal.bytes(seed)))
        #expect(Hexadecimal.text(signer.publicKey) == key)
        #expect(Hexadecimal.text(signer.sign(try #require(Hexadecimal.bytes(message)))) == signature)
    }
}

@Suite struct SignedEvidenceTests {
    private static let keyPath = "/v1/.well-known/cycles-jwks.json"

    private func envelope(_ reply: Reply, _ bench: Bench) throws -> [UInt8] {
        let url = try #require(reply.json["cycles_evidence"]?["cycles_evidence_url"]?.string)
        return try bench.authority.send(HTTPRequest(method: .get, url: url)).body
    }

    private func keys(_ bench: Bench) throws -> EvidenceKeySet {
        let url = "http://authority.test" + SignedEvidenceTests.keyPath
        return try EvidenceKeySet(parsing: bench.authority.send(HTTPRequest(method: .get, url: url)).body)
    }

    @Test(arguments: LocalAuthority.Options.EvidenceSigner.allCases)
    func everyAttestedOperationIsAuthentic(signer: LocalAuthority.Options.EvidenceSigner) throws {
        let bench = Bench(options: .init(emitsEvidence: true, evidenceSigner: signer))
        let id = try bench.hold("r", 10)
        let other = try bench.hold("s", 10)
        let replies: [(reply: Reply, artifact: EvidenceArtifact, members: Set<String>)] = [
            (try bench.decide("d", 1), .decide, ["request", "response"]),
            (try bench.reserve("t", 10), .reserve, ["request", "response"]),
            (try bench.commit(id, "c", 5), .commit, ["request", "response", "reservation_id"]),
            (try bench.release(other, "x"), .release, ["request", "response", "reservation_id"]),
            (try bench.reserve("z", 5_000), .error, ["endpoint", "http_status", "request", "response"]),
            (
                try bench.commit(id, "y", 5), .error,
                ["endpoint", "http_status", "request", "response", "reservation_id"]
            ),
        ]
        let verifier = EvidenceVerifier(keys: try keys(bench))
        for (reply, artifact, members) in replies {
            let bytes = try envelope(reply, bench)
            let verification = try verifier.verify(bytes)
            #expect(verification.isAuthentic, "\(artifact): \(verification)")
            let envelope = try EvidenceEnvelope(parsing: bytes)
            #expect(envelope.artifactType == artifact)
            #expect(Set(try #require(envelope.payload[artifact.rawValue]?.object).keys) == members)
            #expect(envelope.signerDID.hasPrefix("did:cycles:") == (signer == .identifier))
        }
    }

    @Test(arguments: LocalAuthority.Options.EvidenceSigner.allCases)
    func evidenceVerifiesAfterARotation(signer: LocalAuthority.Options.EvidenceSigner) throws {
        let bench = Bench(options: .init(emitsEvidence: true, evidenceSigner: signer))
        let before = try envelope(bench.decide("d", 1), bench)
        let oldKeys = try keys(bench)
        // No time passes: the new key's window still begins after what the old key has signed.
        bench.authority.rotateEvidenceKey()
        let after = try envelope(bench.decide("e", 1), bench)
        bench.authority.rotateEvidenceKey()
        bench.authority.rotateEvidenceKey()
        let last = try envelope(bench.decide("f", 1), bench)
        let newKeys = try keys(bench)
        #expect(newKeys.keys.map(\.status) == ["retired", "retired", "retired", "active"])
        var ids: [String] = []
        for bytes in [before, after, last] {
            guard case .authentic(let signer) = try EvidenceVerifier(keys: newKeys).verify(bytes) else {
                Issue.record("\(try EvidenceVerifier(keys: newKeys).verify(bytes))")
                continue
            }
            ids.append(signer.key.kid)
        }
        #expect(ids == ["key-1", "key-2", "key-4"])
        guard case .signerAuthorityFailed = try EvidenceVerifier(keys: oldKeys).verify(after) else {
            Issue.record("the old key set has no key for new evidence")
            return
        }
    }

    @Test func aSnapshotKeepsTheKeys() throws {
        let bench = Bench(options: .init(emitsEvidence: true))
        let before = try envelope(bench.decide("d", 1), bench)
        bench.authority.rotateEvidenceKey()
        let keys = try keys(bench)
        let restored = try LocalAuthority(
            restoring: bench.authority.snapshot(),
            options: .init(emitsEvidence: true),
            clock: bench.clock
        )
        let url = "http://authority.test" + SignedEvidenceTests.keyPath
        let body = try restored.send(HTTPRequest(method: .get, url: url)).body
        #expect(try EvidenceKeySet(parsing: body) == keys)
        #expect(try EvidenceVerifier(keys: keys).verify(before).isAuthentic)
    }

    @Test func aNumberWithoutCanonicalFormIsNotAttested() throws {
        let bench = Bench(options: .init(emitsEvidence: true))
        let reply = try bench.reserve("r", 10, extra: ["metadata": ["count": 9_007_199_254_740_993]])
        #expect(reply.status == 200 && reply.json["cycles_evidence"] == nil)
    }

    @Test func anExtensionAndAnEventAreNotAttested() throws {
        let bench = Bench(options: .init(emitsEvidence: true))
        let id = try bench.hold("r", 10)
        _ = try bench.commit(id, "c", 5)
        let reply = try bench.extend(id, "x", 1_000)
        #expect(reply.status == 409 && reply.json["cycles_evidence"] == nil)
    }

    @Test func aClientVerifiesWhatItFetches() async throws {
        let clock = ManualClock()
        let authority = LocalAuthority(options: .init(emitsEvidence: true, evidenceSigner: .identifier), clock: clock)
        authority.addAPIKey("key-of-the-test", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(1_000))
        let configuration = CyclesConfiguration(baseURL: "http://authority.test", apiKey: "key-of-the-test")
        let client = try CyclesClient.testing(configuration: configuration, transport: authority, clock: clock)
        let request = DecisionRequest(
            subject: Subject(tenant: "acme"),
            action: Action(kind: "a", name: "b"),
            estimate: .tokens(1)
        )
        let reference = try #require(try await client.decide(request).cyclesEvidence)
        #expect(try await client.verifyEvidence(reference).isAuthentic)
        authority.rotateEvidenceKey()
        #expect(try await client.verifyEvidence(reference).isAuthentic)
        let other = try await client.verifyEvidence(reference, expectedSigner: String(repeating: "0", count: 64))
        #expect(!other.isAuthentic)
        authority.setEvidenceKeys(["keys": []])
        guard case .signerAuthorityFailed = try await client.verifyEvidence(reference) else {
            Issue.record("an empty key set authorizes nobody")
            return
        }
        await client.shutdown()
    }
}
