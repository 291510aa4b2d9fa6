/// The verification of evidence that a client fetches: the decisions that both kinds of clients share.
struct EvidenceRetrieval {
    let reference: EvidenceReference
    let expectedSigner: String?

    /// Verifies an envelope with the outcome of the request for the keys.
    ///
    /// A server without published keys answers 404. Its evidence cannot be authentic, but its binding can be checked.
    func verification(
        of answer: APIResponse<EvidenceEnvelope>,
        with keys: Result<EvidenceKeySet, CyclesError>
    ) throws(CyclesError) -> EvidenceVerification {
        guard answer.evidenceID == reference.evidenceID else {
            throw .invalidResponse(
                InvalidResponse(
                    operation: "getEvidence",
                    status: answer.http.status,
                    message: "it has the envelope \(answer.evidenceID) instead of \(reference.evidenceID)"
                )
            )
        }
        switch keys {
        case .success(let keys):
            return try EvidenceVerifier(keys: keys, expectedSigner: expectedSigner).verify(answer.body)
        case .failure(.cancelled): throw .cancelled
        case .failure(let error):
            let verification = try EvidenceVerifier(expectedSigner: expectedSigner).verify(answer.body)
            if error.status == 404 { return verification }
            switch verification {
            case .bindingOnly, .signerResolutionFailed: return .signerResolutionFailed(reason: "\(error)")
            case .authentic, .signerAuthorityFailed, .signatureInvalid: return verification
            }
        }
    }
}

extension CyclesClient {
    /// Fetches an evidence envelope and the server's keys, and verifies the envelope.
    ///
    /// The keys are those of the configured server, which is trusted to name its own signers. For evidence that has to
    /// convince others, pass a key set from elsewhere to ``EvidenceVerifier``.
    /// - Parameters:
    ///   - reference: The reference in an answer. Only its id is used: the envelope is fetched from the configured server.
    ///   - expectedSigner: The only signer to accept; see ``EvidenceVerifier/init(keys:expectedSigner:)``.
    ///   - limit: The time to wait for an envelope that the server does not have yet.
    ///   - options: Options of both requests.
    /// - Returns: The disposition. A server that publishes no keys (404) leaves
    ///   ``EvidenceVerification/bindingOnly(signerPinMatched:)``; keys that cannot be fetched otherwise are
    ///   ``EvidenceVerification/signerResolutionFailed(reason:)``.
    /// - Throws: ``CyclesError`` if the envelope cannot be fetched, or is none.
    public func verifyEvidence(
        _ reference: EvidenceReference,
        expectedSigner: String? = nil,
        waitingUpTo limit: Duration = .zero,
        options: CallOptions = CallOptions()
    ) async throws(CyclesError) -> EvidenceVerification {
        let answer = try await getEvidence(reference.evidenceID, waitingUpTo: limit, options: options)
        let keys: Result<EvidenceKeySet, CyclesError>
        do throws(CyclesError) {
            keys = .success(try await getEvidenceKeys(options: options).value)
        } catch {
            keys = .failure(error)
        }
        return try EvidenceRetrieval(reference: reference, expectedSigner: expectedSigner)
            .verification(of: answer, with: keys)
    }
}

extension BlockingCyclesClient {
    /// Fetches an evidence envelope and the server's keys, and verifies the envelope, as
    /// ``CyclesClient/verifyEvidence(_:expectedSigner:waitingUpTo:options:)``.
    /// - Throws: ``CyclesError`` if the envelope cannot be fetched, or is none.
    public func verifyEvidence(
        _ reference: EvidenceReference,
        expectedSigner: String? = nil,
        waitingUpTo limit: Duration = .zero,
        options: CallOptions = CallOptions()
    ) throws(CyclesError) -> EvidenceVerification {
        let answer = try getEvidence(reference.evidenceID, waitingUpTo: limit, options: options)
        let keys: Result<EvidenceKeySet, CyclesError>
        do throws(CyclesError) {
            keys = .success(try getEvidenceKeys(options: options).value)
        } catch {
            keys = .failure(error)
        }
        return try EvidenceRetrieval(reference: reference, expectedSigner: expectedSigner)
            .verification(of: answer, with: keys)
    }
}
