extension EvidenceKey: WireDecodable {
    package init(from reader: inout JSONReader) throws(JSONError) {
        var kty: String?
        var crv: String?
        var alg: String?
        var x: String?
        var kid: String?
        var notBefore: Int64?
        var expires: Int64?
        var status: String?
        try reader.beginObject()
        while let name = try reader.nextName() {
            if name == "kty" {
                kty = try reader.required("kty")
            } else if name == "crv" {
                crv = try reader.required("crv")
            } else if name == "alg" {
                alg = try reader.optional("alg")
            } else if name == "x" {
                x = try reader.required("x")
            } else if name == "kid" {
                kid = try reader.required("kid")
            } else if name == "cycles_nbf_ms" {
                notBefore = try reader.required("cycles_nbf_ms")
            } else if name == "cycles_exp_ms" {
                expires = try reader.optional("cycles_exp_ms")
            } else if name == "status" {
                status = try reader.informational()
            } else {
                try reader.skipValue()
            }
        }
        self.init(
            kty: try kty.required("kty"),
            crv: try crv.required("crv"),
            alg: alg,
            x: try x.required("x"),
            kid: try kid.required("kid"),
            cyclesNbfMilliseconds: try notBefore.required("cycles_nbf_ms"),
            cyclesExpMilliseconds: expires,
            status: status
        )
    }
}

extension EvidenceKeySet: ResponseDecodable {
    /// A key that cannot verify evidence is left out: the rest still can.
    package init(body: [UInt8]) throws(JSONError) {
        self = try JSONReader.document(body) { reader throws(JSONError) in
            var keys: [EvidenceKey]?
            try reader.beginObject()
            while let name = try reader.nextName() {
                guard name == "keys" else {
                    try reader.skipValue()
                    continue
                }
                var readable: [EvidenceKey] = []
                try reader.beginArray()
                while try reader.nextElement() {
                    let key: EvidenceKey? = try reader.informational()
                    if let key, key.canVerify { readable.append(key) }
                }
                keys = readable
            }
            return EvidenceKeySet(keys: try keys.required("keys"))
        }
    }
}

extension EvidenceKey {
    /// Whether the key is an Ed25519 key whose `x` is well-formed (RFC 8037 section 2).
    fileprivate var canVerify: Bool {
        kty == "OKP" && crv == "Ed25519" && (alg == nil || alg == "EdDSA") && EvidenceKey.isPublicKey(x)
    }

    /// Whether a text is base64url of 32 bytes, without padding, in the one spelling that those bytes have.
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
