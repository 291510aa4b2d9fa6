import Cycles

/// The envelopes of evidence that answers refer to (specification: `CyclesEvidenceEnvelope`).
struct EvidenceStore: Sendable {
    /// Envelopes as they are served, by id.
    var envelopes: [String: JSONValue] = [:]
    /// How often each was asked for before it appeared.
    var misses: [String: Int] = [:]
    /// The set of public keys to publish; nil for none.
    var keys: JSONValue?

    /// Files an envelope for an operation; returns the reference to it.
    mutating func file(
        _ artifact: EvidenceArtifact,
        request: JSONValue,
        response: JSONValue,
        exchange: Exchange
    ) -> JSONValue {
        var envelope: JSONValue = [
            "schema_version": "cycles-evidence/v0.1", "artifact_type": .string(artifact.rawValue),
            "server_id": .string(exchange.base),
            "signer_did": .string(ContentDigest.hexadecimal(of: "signer".utf8, words: 4)),
            "issued_at_ms": .whole(exchange.now), "trace_id": .string(exchange.traceID),
            "payload": [artifact.rawValue: ["request": request, "response": response]],
            "evidence_id": "", "signature": "",
        ]
        // The id covers the envelope with these two members empty (specification: CyclesEvidenceEnvelope).
        let id = ContentDigest.hexadecimal(of: envelope.encoded, words: 4)
        envelope = envelope.setting("evidence_id", to: .string(id))
        envelope = envelope.setting(
            "signature",
            to: .string(ContentDigest.hexadecimal(of: envelope.encoded, words: 8))
        )
        envelopes[id] = envelope
        return ["evidence_id": .string(id), "cycles_evidence_url": .string(exchange.base + "/evidence/" + id)]
    }

    /// The envelope, once it was asked for often enough.
    mutating func fetch(_ id: String, afterMisses required: Int) -> JSONValue? {
        guard let envelope = envelopes[id] else { return nil }
        let seen = misses[id, default: 0]
        guard seen < required else { return envelope }
        misses[id] = seen + 1
        return nil
    }
}
