import Cycles

/// An Ed25519 key made from a seed (RFC 8032 section 5.1.5). For tests only: the time of signing depends on the key.
struct EvidenceSigningKey: Sendable {
    let publicKey: [UInt8]
    private let scalar: Ed25519Scalar
    private let prefix: [UInt8]

    /// - Parameter seed: 32 bytes.
    init(seed: [UInt8]) {
        let digest = SHA512.hash(seed)
        var clamped = Array(digest[..<32])
        clamped[0] &= 0xf8
        clamped[31] = clamped[31] & 0x7f | 0x40
        scalar = Ed25519Scalar(reducing: clamped)
        prefix = Array(digest[32...])
        publicKey = EvidenceSigningKey.multiple(scalar)
    }

    /// The signature of a message in 64 bytes (RFC 8032 section 5.1.6).
    func sign(_ message: [UInt8]) -> [UInt8] {
        let secret = Ed25519Scalar(reducing: SHA512.hash(prefix + message))
        let commitment = EvidenceSigningKey.multiple(secret)
        let challenge = Ed25519Scalar(reducing: SHA512.hash(commitment + publicKey + message))
        return commitment + EvidenceSigningKey.sum(secret, challenge, scalar).bytes
    }

    /// A multiple of the base point, encoded.
    private static func multiple(_ scalar: Ed25519Scalar) -> [UInt8] {
        EdwardsPoint.sum(.zero, .base, scalar).encoded
    }

    /// `summand` plus the product of two factors.
    private static func sum(_ summand: Ed25519Scalar, _ first: Ed25519Scalar, _ second: Ed25519Scalar) -> Ed25519Scalar
    {
        var columns = summand.bytes.map(UInt32.init) + [UInt32](repeating: 0, count: 32)
        for (row, left) in first.bytes.enumerated() {
            for (column, right) in second.bytes.enumerated() { columns[row + column] += UInt32(left) * UInt32(right) }
        }
        var carry: UInt32 = 0
        let bytes = columns.map { column in
            carry += column
            defer { carry >>= 8 }
            return UInt8(truncatingIfNeeded: carry)
        }
        return Ed25519Scalar(reducing: bytes)
    }
}
