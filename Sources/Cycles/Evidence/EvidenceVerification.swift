/// The result of the verification of an evidence envelope: exactly one of the five dispositions of the specification
/// (`CyclesEvidenceJwks`, verification dispositions).
///
/// Two questions are kept apart: whether the signature is valid for the key that the envelope names, and whether that key
/// may sign for the server that the envelope names.
public enum EvidenceVerification: Hashable, Sendable {
    /// The signature is valid, and the key set authorizes its key for the server at the time of issue.
    case authentic(VerifiedSigner)
    /// The signature is valid for the key in the envelope, but no key set was given, so that anybody may have made that key.
    ///
    /// `signerPinMatched` tells whether the envelope names the expected signer; nil if the verifier expects none.
    case bindingOnly(signerPinMatched: Bool?)
    /// The key set does not authorize the signer: another server's DID, no key of that id or with those bytes whose window
    /// holds the time of issue, more than one such key, or not the expected signer. The signature may still be valid.
    case signerAuthorityFailed(reason: String)
    /// No key set is at hand for a signer that has to be looked up, or the signer is named in an unknown form. Nothing is
    /// known about the signature.
    case signerResolutionFailed(reason: String)
    /// The content hash or the signature does not belong to the content: the envelope was changed, or forged.
    case signatureInvalid(reason: String)

    /// Whether the envelope is authentic: signature and authority are both established.
    public var isAuthentic: Bool { if case .authentic = self { true } else { false } }
}

extension EvidenceVerification: CustomStringConvertible {
    /// The disposition and its reason.
    public var description: String {
        switch self {
        case .authentic(let signer): "authentic: \(signer)"
        case .bindingOnly(nil): "binding only: the signature is valid; nothing tells whose key signed"
        case .bindingOnly(true?): "binding only: the signature is valid, and the expected signer's"
        case .bindingOnly(false?): "binding only: the signature is valid, but not the expected signer's"
        case .signerAuthorityFailed(let reason): "signer authority failed: \(reason)"
        case .signerResolutionFailed(let reason): "signer resolution failed: \(reason)"
        case .signatureInvalid(let reason): "signature invalid: \(reason)"
        }
    }
}

/// The signer of authentic evidence.
public struct VerifiedSigner: Hashable, Sendable, CustomStringConvertible {
    /// The URI of the server for which the evidence was signed (`server_id`).
    public let serverID: String
    /// The signer as the envelope names it: a public key in hexadecimal digits, or a `did:cycles` identifier.
    public let signerDID: String
    /// The key of the key set that authorizes the signer.
    public let key: EvidenceKey

    /// The server and the id of the key.
    public var description: String { "signed for \(serverID) with the key \(key.kid)" }
}
