/// An envelope whose form has been checked, and the bytes that its hash and its signature are over.
struct EvidenceContents {
    let envelope: EvidenceEnvelope
    /// The canonical form without the id and without the signature.
    let hashInput: [UInt8]
    private let document: [UInt8]

    private static let version = "cycles-evidence/v0.1"
    private static let members: Set<String> = [
        "schema_version", "artifact_type", "server_id", "signer_did", "issued_at_ms", "trace_id", "payload",
        "evidence_id",
        "signature",
    ]

    /// The canonical form with the id and without the signature.
    var signedBytes: [UInt8] {
        // The document has a canonical form, as that of the hash shows.
        (try? CanonicalJSON.bytes(document, emptying: ["signature"])) ?? []
    }

    init(_ bytes: [UInt8]) throws(CyclesError) {
        document = bytes
        let names: [String]
        do throws(JSONError) {
            // First, since it refuses duplicate names, of which the other readers take the last.
            hashInput = try CanonicalJSON.bytes(bytes, emptying: ["evidence_id", "signature"])
            envelope = try EvidenceEnvelope(body: bytes)
            names = try JSONReader.document(bytes) { reader throws(JSONError) in try reader.readNames() }
        } catch {
            throw EvidenceContents.refusal("\(error)")
        }
        guard envelope.schemaVersion.hasSameUTF8(as: EvidenceContents.version) else {
            throw EvidenceContents.refusal("schema_version is not \(EvidenceContents.version)")
        }
        if let unknown = names.first(where: { !EvidenceContents.members.contains($0) }) {
            throw EvidenceContents.refusal("there is no member \(unknown) in \(EvidenceContents.version)")
        }
        try EvidenceContents.checkMembers(envelope)
        try EvidenceContents.checkPayload(envelope)
    }

    private static func checkMembers(_ envelope: EvidenceEnvelope) throws(CyclesError) {
        guard envelope.issuedAtMilliseconds >= 0 else { throw refusal("issued_at_ms is negative") }
        if let trace = envelope.traceID, !TraceContext.isLowerHexadecimal(trace, length: 32) {
            throw refusal("trace_id is not 32 lower-case hexadecimal digits")
        }
    }

    /// Checks that the payload has exactly the member that the artifact names (specification: `EvidencePayload`).
    private static func checkPayload(_ envelope: EvidenceEnvelope) throws(CyclesError) {
        let artifact = envelope.artifactType
        if case .unrecognized(let name) = artifact { throw refusal("artifact_type \(name) is not known") }
        guard envelope.payload.count == 1, envelope.payload[artifact.rawValue]?.object != nil else {
            throw refusal("payload is not an object with the one member \(artifact)")
        }
        guard artifact == .error else { return }
        guard let code = envelope.payload["error"]?["response"]?["error"]?.string, attestedErrors.contains(code) else {
            throw refusal("the error in the payload is none that evidence may attest")
        }
    }

    /// The codes that evidence may attest. Others have to be refused, also those that answers may have
    /// (specification: `ErrorResponseMirror`).
    private static let attestedErrors = Set(
        ErrorCode._known.filter { ![.actionQuotaExceeded, .actionKindDenied, .actionKindNotAllowed].contains($0) }
            .map(\.rawValue)
    )

    private static func refusal(_ reason: String) -> CyclesError {
        var issue = ValidationIssue(field: "envelope", message: "is no evidence that can be verified: \(reason)")
        issue.wasSent = true
        return .validation(issue)
    }
}

extension JSONReader {
    /// The names of the members of an object.
    fileprivate mutating func readNames() throws(JSONError) -> [String] {
        var names: [String] = []
        try beginObject()
        while let name = try nextName() {
            names.append(name.text)
            try skipValue()
        }
        return names
    }
}

extension EvidenceEnvelope {
    /// Reads an envelope from JSON, such as a file. Does not verify it: see ``EvidenceVerifier``.
    /// - Throws: ``JSONError`` that says what is wrong, and where.
    public init(parsing document: [UInt8]) throws(JSONError) { try self.init(body: document) }
}

extension EvidenceKeySet {
    /// Reads a key set from JSON, such as a file with the contents of `cycles-jwks.json`. Keys that cannot verify
    /// evidence are left out: those of another type or curve, with a malformed `x`, or without `cycles_nbf_ms`
    /// (specification: `CyclesEvidenceJwk`).
    /// - Throws: ``JSONError`` that says what is wrong, and where.
    public init(parsing document: [UInt8]) throws(JSONError) { try self.init(body: document) }
}
