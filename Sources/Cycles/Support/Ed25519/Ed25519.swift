/// Verification of Ed25519 signatures (RFC 8032 section 5.1.7).
///
/// Written here because a crypto package brings Foundation into every program. It handles public data only, so its time may
/// depend on them.
package enum Ed25519 {
    package static let publicKeyLength = 32
    package static let signatureLength = 64

    /// The result of a verification.
    package enum Verdict: Hashable, Sendable {
        case valid
        /// The key is not the canonical encoding of a point, or its point has an order that divides 8. With such a key,
        /// one signature fits many messages.
        case unusableKey
        /// The signature has another length, its S is not below the group order, or it does not belong to the message.
        case invalid
    }

    /// Verifies strictly: S, R and the key have one encoding each.
    ///
    /// Without the cofactor, as OpenSSL and libsodium verify: both sides have to be the same point, so that R is compared as
    /// bytes. A verification with the cofactor would accept signatures that those refuse.
    package static func verify(signature: [UInt8], message: [UInt8], publicKey: [UInt8]) -> Verdict {
        guard let point = EdwardsPoint(decoding: publicKey), !point.isOfSmallOrder else { return .unusableKey }
        guard signature.count == signatureLength, let scalar = Ed25519Scalar(canonical: signature[32...]) else {
            return .invalid
        }
        let commitment = Array(signature[..<32])
        let challenge = Ed25519Scalar(reducing: SHA512.hash(commitment + publicKey + message))
        return EdwardsPoint.sum(challenge, -point, scalar).encoded == commitment ? .valid : .invalid
    }
}
