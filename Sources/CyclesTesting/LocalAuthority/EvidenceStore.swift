import Cycles

/// The envelopes of evidence that answers refer to (specification: `CyclesEvidenceEnvelope`).
struct EvidenceStore: Sendable {
    /// The served envelopes by their ids.
    var envelopes: [String: JSONValue] = [:]
    /// The number of requests for each envelope before it appeared.
    var misses: [String: Int] = [:]
    /// The set of public keys to publish instead of those that sign; nil for none.
    var keys: JSONValue?

    /// The keys that sign envelopes.
    var keyring = EvidenceKeyring()

    /// Signs and stores an envelope for an operation, and returns its reference. Nil if the operation has a number that no
    /// envelope can have, since a double cannot hold it (RFC 8785).
    mutating func file(
        _ artifact: EvidenceArtifact,
        payload: JSONValue,
        signer: LocalAuthority.Options.EvidenceSigner,
        exchange: Exchange
    ) -> JSONValue? {
        let issue = keyring.nextIssue(at: exchange.now)
        let server = Hexadecimal.text(SHA256.hash(exchange.base.utf8))
        let name =
            switch signer {
            case .publicKey: Hexadecimal.text(issue.key.publicKey)
            case .identifier: "did:cycles:\(server)#\(issue.id)"
            }
        var envelope: JSONValue = [
            "schema_version": "cycles-evidence/v0.1", "artifact_type": .string(artifact.rawValue),
            "server_id": .string(exchange.base), "signer_did": .string(name),
            "issued_at_ms": .whole(issue.milliseconds), "trace_id": .string(exchange.traceID),
            "payload": [artifact.rawValue: payload], "evidence_id": "", "signature": "",
        ]
        // The id is a hash of the envelope in which the id and the signature are empty, and the signature is over the
        // envelope in which the signature is empty (specification: CyclesEvidenceEnvelope).
        guard let hashInput = try? CanonicalJSON.bytes(envelope.encoded) else { return nil }
        let id = Hexadecimal.text(SHA256.hash(hashInput))
        envelope = envelope.setting("evidence_id", to: .string(id))
        guard let signedBytes = try? CanonicalJSON.bytes(envelope.encoded) else { return nil }
        let signature = Hexadecimal.text(issue.key.sign(signedBytes))
        envelopes[id] = envelope.setting("signature", to: .string(signature))
        return ["evidence_id": .string(id), "cycles_evidence_url": .string(exchange.base + "/evidence/" + id)]
    }

    /// Returns the envelope after the required number of misses; nil before.
    mutating func fetch(_ id: String, afterMisses required: Int) -> JSONValue? {
        guard let envelope = envelopes[id] else { return nil }
        let seen = misses[id, default: 0]
        guard seen < required else { return envelope }
        misses[id] = seen + 1
        return nil
    }
}
