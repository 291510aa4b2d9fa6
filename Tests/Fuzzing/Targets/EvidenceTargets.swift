@testable import Cycles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Signed documents: canonical JSON, evidence, key sets and webhook deliveries.
enum EvidenceTargets {
    /// A canonical document is its own canonical form, and no other reader refuses it.
    static func canonicalise(_ input: [UInt8]) throws(Finding) {
        guard let canonical = try? CanonicalJSON.bytes(input) else { return }
        let again = try? CanonicalJSON.bytes(canonical)
        try require(again == canonical, "the canonical form is not stable")
        try require((try? JSONValue(parsing: canonical)) != nil, "a canonical document is no JSON")
    }

    /// Nobody makes new evidence: only spellings of the seeds may be valid.
    static func verifyEnvelope(_ input: [UInt8]) throws(Finding) {
        guard let verification = try? EvidenceVerifier(keys: keySet).verify(input) else { return }
        guard verification.isAuthentic else { return }
        let envelope = try require(try? EvidenceEnvelope(parsing: input), "authentic, but no envelope")
        try require(genuine.contains(envelope.evidenceID.rawValue), "a forgery is authentic")
    }

    /// A key set has usable keys only.
    static func readKeys(_ input: [UInt8]) throws(Finding) {
        guard let keys = try? EvidenceKeySet(parsing: input) else { return }
        try require(keys.keys.allSatisfy { $0.publicKey?.count == 32 }, "a key without bytes")
        _ = try? EvidenceVerifier(keys: keys).verify(sample)
    }

    /// A body is read only with a signature of the secret, and never signs itself.
    static func receive(_ input: [UInt8]) throws(Finding) {
        let verifier = WebhookVerifier(secret: "whsec_fuzz")
        let signature = "sha256=" + Hexadecimal.text(HMACSHA256(key: Array("whsec_fuzz".utf8)).code(input))
        _ = try? verifier.event(signature: signature, body: input)
        let text = String(decoding: input, as: UTF8.self)
        try require(!verifier.isValid(signature: text, body: input), "a body signs itself")
    }

    // MARK: Seeds

    private static let keySet: EvidenceKeySet = {
        guard let keys = try? EvidenceKeySet(parsing: file("keys.json")) else {
            fatalError("no keys in Tests/Evidence")
        }
        return keys
    }()

    private static let sample = file("commit-did.json")

    /// The ids of the authentic seeds.
    private static let genuine: Set<String> = {
        let names = ["reserve-key", "commit-did", "release-did-rotated", "error-key-rotated"]
        return Set(names.compactMap { try? EvidenceEnvelope(parsing: file($0 + ".json")).evidenceID.rawValue })
    }()

    private static func file(_ name: String) -> [UInt8] {
        let path = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Evidence/" + name
        guard let stream = fopen(path, "r") else { fatalError("cannot open \(path)") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        while true {
            let byte = getc(stream)
            if byte == EOF { return bytes }
            bytes.append(UInt8(byte))
        }
    }
}
