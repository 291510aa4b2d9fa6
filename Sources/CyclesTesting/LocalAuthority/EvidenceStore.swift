import Cycles

/// The envelopes of evidence that answers refer to (specification: `CyclesEvidenceEnvelope`).
struct EvidenceStore: Sendable {
    /// The served envelopes by their ids.
    var envelopes: [String: JSONValue] = [:]
    /// The number of requests for each envelope before it appeared.
    var misses: [String: Int] = [:]
    /// The published set of public keys; nil for none.
    var keys: JSONValue?

    /// Stores an envelope for an operation, and returns its reference.
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
        // The id is a hash of the envelope in which the id and the signature are empty (specification:
        // CyclesEvidenceEnvelope).
        let id = ContentDigest.hexadecimal(of: envelope.encoded, words: 4)
        envelope = envelope.setting("evidence_id", to: .string(id))
        envelope = envelope.setting(
            "signature",
            to: .string(ContentDigest.hexadecimal(of: envelope.encoded, words: 8))
        )
        envelopes[id] = envelope
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
