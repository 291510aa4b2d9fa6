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
        self.init(keys: keys.compactMap { EvidenceKey(decoding: $0) }.filter(\.canVerify))
    }
}

extension EvidenceKey {
    /// Whether the key is an Ed25519 key whose `x` is well-formed (RFC 8037 section 2).
    fileprivate var canVerify: Bool {
        kty == "OKP" && crv == "Ed25519" && (alg == nil || alg == "EdDSA") && EvidenceKey.isPublicKey(x)
    }

    /// Whether a text is the canonical base64url of 32 bytes, without padding.
    private static func isPublicKey(_ text: String) -> Bool {
        let digits = text.utf8.map(base64URLDigit)
        guard digits.count == 43, digits.allSatisfy({ $0 != nil }), let last = digits.last ?? nil else { return false }
        // 43 digits are 258 bits: the last two must be zero.
        return last & 0b11 == 0
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
