import Cycles

/// Formats the result of a verification of evidence, and maps it to an exit status.
struct VerificationReport {
    let envelope: EvidenceEnvelope
    let verification: EvidenceVerification

    init(envelope: EvidenceEnvelope, verification: EvidenceVerification) {
        self.envelope = envelope
        self.verification = verification
    }

    /// Verifies a document.
    init(_ document: [UInt8], _ verifier: EvidenceVerifier) throws {
        do {
            verification = try verifier.verify(document)
            envelope = try EvidenceEnvelope(parsing: document)
        } catch {
            throw VerificationReport.noEvidence(error)
        }
    }

    /// The failure of a document that is no envelope.
    static func noEvidence(_ error: any Error) -> ToolFailure {
        ToolFailure("\(error)", status: .invalidSignature, code: "NO_EVIDENCE")
    }

    var status: ExitStatus {
        switch verification {
        case .authentic, .bindingOnly(signerPinMatched: true?): .success
        case .bindingOnly(signerPinMatched: nil): .bindingOnly
        case .bindingOnly(signerPinMatched: false?), .signerAuthorityFailed: .unauthorizedSigner
        case .signerResolutionFailed: .unresolvedSigner
        case .signatureInvalid: .invalidSignature
        }
    }

    /// The disposition as the specification names it, and its reason.
    private var disposition: (name: String, reason: String?) {
        switch verification {
        case .authentic: ("authentic", nil)
        case .bindingOnly(signerPinMatched: nil): ("binding_only", "no key set and no --signer tell whose key signed")
        case .bindingOnly(signerPinMatched: true?): ("binding_only", nil)
        case .bindingOnly(signerPinMatched: false?): ("binding_only", "the signer is not the one of --signer")
        case .signerAuthorityFailed(let reason): ("signer_authority_failed", reason)
        case .signerResolutionFailed(let reason): ("signer_resolution_failed", reason)
        case .signatureInvalid(let reason): ("signature_invalid", reason)
        }
    }

    private var signer: VerifiedSigner? { if case .authentic(let signer) = verification { signer } else { nil } }

    private var signerPinMatched: Bool? {
        if case .bindingOnly(let isMatched) = verification { isMatched } else { nil }
    }

    var lines: [String] {
        var fields = FieldList()
        fields.add("disposition", disposition.name)
        fields.add("reason", disposition.reason)
        fields.add("expected signer", signerPinMatched.map { $0 ? "yes" : "no" })
        fields.add("evidence", envelope.evidenceID)
        fields.add("artifact", envelope.artifactType)
        fields.add("issued", Instants.text(envelope.issuedAtMilliseconds))
        fields.add("server", envelope.serverID)
        fields.add("signer", envelope.signerDID)
        fields.add("key", signer?.key.kid)
        return fields.lines
    }

    var json: [UInt8] {
        let members: [String: JSONValue?] = [
            "disposition": .string(disposition.name), "reason": disposition.reason.map(JSONValue.string),
            "signer_pin_matched": signerPinMatched.map(JSONValue.bool),
            "evidence_id": .string(envelope.evidenceID.rawValue),
            "artifact_type": .string(envelope.artifactType.rawValue),
            "issued_at_ms": .number(JSONNumber(envelope.issuedAtMilliseconds)),
            "server_id": .string(envelope.serverID), "signer_did": .string(envelope.signerDID),
            "kid": (signer?.key.kid).map(JSONValue.string),
        ]
        return JSONValue.object(members.mapValues { $0 ?? nil }).encoded
    }
}
