import Cycles
import CyclesTesting
import Testing

/// Evidence of a guarded action, fetched over libcurl and real sockets.
@Suite struct EvidenceEndToEndTests {
    private func withServer(
        signer: LocalAuthority.Options.EvidenceSigner,
        _ body: (LocalAuthority, LoopbackServer) async throws -> Void
    ) async throws {
        let authority = LocalAuthority(options: .init(emitsEvidence: true, evidenceSigner: signer))
        authority.addAPIKey("key-of-the-test", tenant: "acme")
        authority.setBudget(scope: "tenant:acme", allocated: .tokens(100_000))
        let server = LoopbackServer(authority)
        try server.start()
        defer { server.stop() }
        try await body(authority, server)
    }

    private func configuration(_ server: LoopbackServer) -> CyclesConfiguration {
        var configuration = CyclesConfiguration(baseURL: server.baseURL, apiKey: "key-of-the-test")
        configuration.tenant = "acme"
        configuration.journal = .disabled
        return configuration
    }

    @Test(arguments: LocalAuthority.Options.EvidenceSigner.allCases)
    func reserveAndCommitAreAttestedAlsoAfterARotation(signer: LocalAuthority.Options.EvidenceSigner) async throws {
        try await withServer(signer: signer) { authority, server in
            let client = try CyclesClient(configuration: configuration(server))
            let request = ReservationCreateRequest(
                action: Action(kind: "llm.completion", name: "gpt-4o"),
                estimate: .tokens(1_000)
            )
            let created = try await client.createReservation(request)
            let id = try #require(created.reservationID)
            let committed = try await client.commitReservation(id, CommitRequest(actual: .tokens(420)))
            let references = try [created.cyclesEvidence, committed.cyclesEvidence].map { try #require($0) }
            for reference in references { #expect(try await client.verifyEvidence(reference).isAuthentic) }
            authority.rotateEvidenceKey()
            for reference in references { #expect(try await client.verifyEvidence(reference).isAuthentic) }
            let released = try await client.decide(
                DecisionRequest(action: Action(kind: "a", name: "b"), estimate: .tokens(1))
            )
            guard
                case .authentic(let verified) = try await client.verifyEvidence(try #require(released.cyclesEvidence))
            else {
                Issue.record("evidence of the new key is authentic")
                return
            }
            #expect(verified.key.kid == "key-2" && verified.serverID == server.baseURL + "/v1")
            await client.shutdown()
        }
    }

    @Test func aBlockingClientVerifiesEvidence() async throws {
        try await withServer(signer: .identifier) { authority, server in
            let client = try BlockingCyclesClient(configuration: configuration(server))
            let decision = try client.decide(
                DecisionRequest(action: Action(kind: "a", name: "b"), estimate: .tokens(1))
            )
            let reference = try #require(decision.cyclesEvidence)
            #expect(try client.verifyEvidence(reference).isAuthentic)
            // Without published keys the server of a did:cycles signer cannot be asked.
            authority.setEvidenceKeys(["keys": "none"])
            guard case .signerResolutionFailed = try client.verifyEvidence(reference) else {
                Issue.record("a key set that cannot be read resolves nothing")
                return
            }
            client.shutdown()
        }
    }
}
