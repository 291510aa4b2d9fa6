/// Verifies evidence envelopes from their bytes alone (specification: `CyclesEvidence`, `CyclesEvidenceJwks`). Performs no
/// I/O: an auditor needs the envelope and the server's key set, both of which may be files.
///
/// ```swift
/// let verifier = EvidenceVerifier(keys: try EvidenceKeySet(parsing: keyFile))
/// let verification = try verifier.verify(envelopeFile)
/// if verification.isAuthentic { … }
/// ```
///
/// The key set decides who may sign. Get it from `{server_id}/.well-known/cycles-jwks.json` over a connection that you
/// trust, not from where the envelope came from. <doc:CheckingEvidence> describes the steps.
public struct EvidenceVerifier: Sendable {
    private let keys: EvidenceKeySet?
    private let expectedSigner: String?

    /// Creates a verifier.
    /// - Parameters:
    ///   - keys: The published keys of the server, retired ones included. Without them no evidence is found authentic.
    ///   - expectedSigner: The only signer to accept: a public key in 64 lower-case hexadecimal digits, or a `did:cycles`
    ///     identifier. With keys, evidence of another signer is ``EvidenceVerification/signerAuthorityFailed(reason:)``.
    public init(keys: EvidenceKeySet? = nil, expectedSigner: String? = nil) {
        self.keys = keys
        self.expectedSigner = expectedSigner
    }

    /// Verifies the content hash, the signer's authority and the signature of an envelope.
    ///
    /// White space, the order of members and the spelling of numbers and escapes do not matter, as none of them is signed.
    /// - Parameter envelope: The JSON document as it was received.
    /// - Throws: ``CyclesError/validation(_:)`` if the bytes are no envelope of `cycles-evidence/v0.1`: no JSON, without
    ///   canonical form (RFC 8785), with members missing, malformed or unknown, or with another payload than the artifact's.
    public func verify(_ envelope: [UInt8]) throws(CyclesError) -> EvidenceVerification {
        let contents = try EvidenceContents(envelope)
        let identifier = Hexadecimal.text(SHA256.hash(contents.hashInput))
        guard contents.envelope.evidenceID.rawValue.hasSameUTF8(as: identifier) else {
            return .signatureInvalid(reason: "evidence_id is not the hash of the content, which is \(identifier)")
        }
        switch EvidenceSigner(contents.envelope.signerDID) {
        case .unknown:
            return .signerResolutionFailed(
                reason: "signer_did is neither 64 lower-case hexadecimal digits nor did:cycles:HASH#KEY"
            )
        case .publicKey(let publicKey): return verify(contents, publicKey)
        case .identifier(let serverHash, let keyID): return verify(contents, serverHash, keyID)
        }
    }

    // MARK: The two forms of signers

    private func verify(_ contents: EvidenceContents, _ publicKey: [UInt8]) -> EvidenceVerification {
        let matches = expectedSigner.map { $0.hasSameUTF8(as: contents.envelope.signerDID) }
        guard let keys else {
            return invalidity(of: contents, publicKey) ?? .bindingOnly(signerPinMatched: matches)
        }
        return verify(contents, keys) { key in key.publicKey == publicKey }
    }

    private func verify(_ contents: EvidenceContents, _ serverHash: String, _ keyID: String) -> EvidenceVerification {
        // The hash is over the text as it is, since servers and verifiers could normalize it differently.
        guard serverHash.hasSameUTF8(as: Hexadecimal.text(SHA256.hash(contents.envelope.serverID.utf8))) else {
            return .signerAuthorityFailed(reason: "signer_did belongs to another server than server_id")
        }
        guard let keys else {
            return .signerResolutionFailed(reason: "a did:cycles signer is looked up in a key set, and none was given")
        }
        return verify(contents, keys) { key in key.kid.hasSameUTF8(as: keyID) }
    }

    // MARK: Authority

    /// Verifies with the one candidate that the key set has at the time of issue, never with the newest key.
    private func verify(
        _ contents: EvidenceContents,
        _ keys: EvidenceKeySet,
        isCandidate: (EvidenceKey) -> Bool
    ) -> EvidenceVerification {
        if let duplicate = keys.duplicateKeyID {
            return .signerAuthorityFailed(reason: "the key set has two keys with the id \(duplicate)")
        }
        let candidates = keys.keys.filter(isCandidate)
        guard !candidates.isEmpty else {
            return .signerAuthorityFailed(reason: "the key set does not have the signer's key")
        }
        let valid = candidates.filter { $0.isValid(at: contents.envelope.issuedAtMilliseconds) }
        guard let key = valid.first, let publicKey = key.publicKey else {
            return .signerAuthorityFailed(reason: "the signer's key was not valid at issued_at_ms")
        }
        guard valid.count == 1 else {
            return .signerAuthorityFailed(reason: "the key set has \(valid.count) keys for the signer at issued_at_ms")
        }
        if let expectedSigner {
            let names = [contents.envelope.signerDID, Hexadecimal.text(publicKey)]
            guard names.contains(where: expectedSigner.hasSameUTF8) else {
                return .signerAuthorityFailed(
                    reason: "the signer \(contents.envelope.signerDID) is not the expected one"
                )
            }
        }
        let signer = VerifiedSigner(
            serverID: contents.envelope.serverID,
            signerDID: contents.envelope.signerDID,
            key: key
        )
        return invalidity(of: contents, publicKey) ?? .authentic(signer)
    }

    /// The disposition of a signature that is not valid; nil for one that is.
    private func invalidity(of contents: EvidenceContents, _ publicKey: [UInt8]) -> EvidenceVerification? {
        guard let signature = Hexadecimal.bytes(contents.envelope.signature),
            signature.count == Ed25519.signatureLength
        else { return .signatureInvalid(reason: "signature is not 128 lower-case hexadecimal digits") }
        return switch Ed25519.verify(signature: signature, message: contents.signedBytes, publicKey: publicKey) {
        case .valid: nil
        case .unusableKey: .signatureInvalid(reason: "the signer's key is no Ed25519 key that can be trusted")
        case .invalid: .signatureInvalid(reason: "the signature does not belong to the content")
        }
    }
}

/// The signer of an envelope, by the form of its name.
private enum EvidenceSigner {
    case publicKey([UInt8])
    case identifier(serverHash: String, keyID: String)
    case unknown

    private static let prefix = "did:cycles:"

    init(_ name: String) {
        if let bytes = Hexadecimal.bytes(name), bytes.count == Ed25519.publicKeyLength {
            self = .publicKey(bytes)
            return
        }
        let parts = name.utf8.split(separator: UInt8(ascii: "#"), maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty, parts[0].starts(with: EvidenceSigner.prefix.utf8) else {
            self = .unknown
            return
        }
        self = .identifier(
            serverHash: String(Substring(parts[0].dropFirst(EvidenceSigner.prefix.utf8.count))),
            keyID: String(Substring(parts[1]))
        )
    }
}

extension EvidenceKeySet {
    /// An id that two keys have; nil if there is none.
    fileprivate var duplicateKeyID: String? {
        // Bytes, since texts are equal by canonical equivalence. A set, since a hostile file may have many keys.
        var ids: Set<[UInt8]> = []
        return keys.first { !ids.insert(Array($0.kid.utf8)).inserted }?.kid
    }
}

extension EvidenceKey {
    /// Whether the window of the key holds a time: its begin is part of it, its end is not.
    fileprivate func isValid(at milliseconds: Int64) -> Bool {
        cyclesNbfMilliseconds <= milliseconds && (cyclesExpMilliseconds.map { milliseconds < $0 } ?? true)
    }
}
