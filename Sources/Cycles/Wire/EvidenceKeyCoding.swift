extension EvidenceKey: WireObjectDecodable {
    package init(_ object: borrowing WireObject) throws(JSONError) {
        self.init(
            kty: try object.required("kty"),
            crv: try object.required("crv"),
            alg: try object.optional("alg"),
            x: try object.required("x"),
            kid: try object.required("kid"),
            cyclesNbfMilliseconds: try object.required("cycles_nbf_ms"),
            cyclesExpMilliseconds: try object.optional("cycles_exp_ms"),
            status: object.informational("status")
        )
    }
}

extension EvidenceKeySet: WireObjectDecodable, ResponseDecodable {
    /// Leaves out keys that cannot verify evidence; the others still can.
    package init(_ object: borrowing WireObject) throws(JSONError) {
        let keys: [JSONValue] = try object.required("keys")
        self.init(keys: keys.compactMap { EvidenceKey(decoding: $0) }.filter { $0.publicKey != nil })
    }
}

extension EvidenceKey {
    /// The 32 bytes of the key; nil unless it is an Ed25519 key whose `x` is well-formed (RFC 8037 section 2).
    package var publicKey: [UInt8]? {
        guard kty.hasSameUTF8(as: "OKP"), crv == "Ed25519", alg == nil || alg == "EdDSA" else { return nil }
        return EvidenceKey.publicKey(x)
    }

    /// Decodes the canonical base64url of 32 bytes, without padding; nil for any other text.
    private static func publicKey(_ text: String) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        guard text.utf8.count == 43 else { return nil }
        for byte in text.utf8 {
            guard let digit = base64URLDigit(byte) else { return nil }
            bits = bits << 6 | UInt32(digit)
            count += 6
            guard count >= 8 else { continue }
            count -= 8
            bytes.append(UInt8(bits >> UInt32(count)))
            bits &= 1 << UInt32(count) - 1
        }
        // 43 digits are 258 bits: the last two must be zero.
        return bits == 0 ? bytes : nil
    }

    private static func base64URLDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}
