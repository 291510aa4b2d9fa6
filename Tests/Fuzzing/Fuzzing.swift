#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

// The entry point of libFuzzer, compiled together with the sources of Cycles by Scripts/fuzz.sh. A crash or a failed
// precondition is a finding. CYCLES_FUZZ_TARGET names what is fuzzed.

enum FuzzTarget: String {
    case canonical
    case envelope
    case keys
    case webhook

    static let chosen: FuzzTarget = {
        guard let name = getenv("CYCLES_FUZZ_TARGET"), let target = FuzzTarget(rawValue: String(cString: name)) else {
            fatalError("CYCLES_FUZZ_TARGET has to be canonical, envelope, keys or webhook")
        }
        return target
    }()

    func run(_ input: [UInt8]) {
        switch self {
        case .canonical: canonicalise(input)
        case .envelope: verifyEnvelope(input)
        case .keys: readKeys(input)
        case .webhook: receive(input)
        }
    }

    /// A canonical document is its own canonical form, and no other reader refuses it.
    private func canonicalise(_ input: [UInt8]) {
        guard let canonical = try? CanonicalJSON.bytes(input) else { return }
        guard let again = try? CanonicalJSON.bytes(canonical) else { fatalError("a canonical document is refused") }
        precondition(again == canonical, "the canonical form is not stable")
        precondition((try? JSONValue(parsing: canonical)) != nil, "a canonical document is no JSON")
    }

    /// Nobody makes new evidence: only spellings of the seeds may be valid.
    private func verifyEnvelope(_ input: [UInt8]) {
        guard let verification = try? EvidenceVerifier(keys: FuzzTarget.keySet).verify(input) else { return }
        guard verification.isAuthentic else { return }
        guard let envelope = try? EvidenceEnvelope(parsing: input) else { fatalError("authentic, but no envelope") }
        precondition(FuzzTarget.genuine.contains(envelope.evidenceID.rawValue), "a forgery is authentic")
    }

    private func readKeys(_ input: [UInt8]) {
        guard let keys = try? EvidenceKeySet(parsing: input) else { return }
        precondition(keys.keys.allSatisfy { $0.publicKey?.count == 32 }, "a key without bytes")
        _ = try? EvidenceVerifier(keys: keys).verify(FuzzTarget.sample)
    }

    private func receive(_ input: [UInt8]) {
        let verifier = WebhookVerifier(secret: "whsec_fuzz")
        let signature = "sha256=" + Hexadecimal.text(HMACSHA256(key: Array("whsec_fuzz".utf8)).code(input))
        _ = try? verifier.event(signature: signature, body: input)
        let text = String(decoding: input, as: UTF8.self)
        precondition(!verifier.isValid(signature: text, body: input), "a body signs itself")
    }

    // MARK: Seeds

    private static let keySet: EvidenceKeySet = {
        guard let keys = try? EvidenceKeySet(parsing: file("keys.json")) else { fatalError("no keys in the seeds") }
        return keys
    }()

    private static let sample = file("commit-did.json")

    /// The ids of the authentic seeds.
    private static let genuine: Set<String> = {
        let names = ["reserve-key", "commit-did", "release-did-rotated", "error-key-rotated"]
        return Set(names.compactMap { try? EvidenceEnvelope(parsing: file($0 + ".json")).evidenceID.rawValue })
    }()

    private static func file(_ name: String) -> [UInt8] {
        let folder = getenv("CYCLES_FUZZ_SEEDS").map { String(cString: $0) } ?? "Tests/Evidence"
        guard let stream = fopen(folder + "/" + name, "r") else { fatalError("cannot open \(folder)/\(name)") }
        defer { fclose(stream) }
        var bytes: [UInt8] = []
        while true {
            let byte = getc(stream)
            if byte == EOF { return bytes }
            bytes.append(UInt8(byte))
        }
    }
}

/// Runs one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    FuzzTarget.chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
