import Testing

@testable import Cycles

/// `Scripts/vectors.sh` runs thousands of further vectors.
@Suite struct Ed25519Tests {
    private func bytes(_ hexadecimal: String) throws -> [UInt8] { try #require(Hexadecimal.bytes(hexadecimal)) }

    private func verdict(_ key: [UInt8], _ message: [UInt8], _ signature: [UInt8]) -> Ed25519.Verdict {
        Ed25519.verify(signature: signature, message: message, publicKey: key)
    }

    /// The second vector of RFC 8032 section 7.1.
    private func genuine() throws -> (key: [UInt8], message: [UInt8], signature: [UInt8]) {
        (
            try bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), [0x72],
            try bytes(
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                    + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            )
        )
    }

    /// RFC 8032 section 7.1.
    @Test(arguments: [
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                + "d25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                + "4a7c15e9716ed28dc027beceea1ec40a"
        ),
        (
            "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
                + "454d4423643ce80e2a9ac94fa54ca49f",
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
                + "3dca179c138ac17ad9bef1177331a704"
        ),
    ])
    func theVectorsOfTheSpecificationVerify(key: String, message: String, signature: String) throws {
        #expect(try verdict(bytes(key), bytes(message), bytes(signature)) == .valid)
    }

    @Test func aChangeOfAnyByteMakesASignatureInvalid() throws {
        let (key, message, signature) = try genuine()
        #expect(verdict(key, message, signature) == .valid)
        #expect(verdict(key, message + [0], signature) == .invalid)
        for bit in 0..<8 { #expect(verdict(key, [message[0] ^ 1 << UInt8(bit)], signature) == .invalid) }
        for position in signature.indices {
            var changed = signature
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(verdict(key, message, changed) == .invalid)
        }
        for position in key.indices {
            var changed = key
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(verdict(changed, message, signature) != .valid)
        }
    }

    @Test func aSignatureHasOneLength() throws {
        let (key, message, signature) = try genuine()
        #expect(verdict(key, message, []) == .invalid)
        #expect(verdict(key, message, signature.dropLast()) == .invalid)
        #expect(verdict(key, message, signature + [0]) == .invalid)
        #expect(verdict(key + [0], message, signature) == .unusableKey)
        #expect(verdict([], message, signature) == .unusableKey)
    }

    /// S plus the group order gives the same point.
    @Test func aScalarThatIsNotReducedIsRefused() throws {
        let (key, message, signature) = try genuine()
        let order = try bytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        var sum = signature
        var carry = 0
        for index in 0..<32 {
            let digit = Int(signature[32 + index]) + Int(order[index]) + carry
            sum[32 + index] = UInt8(digit & 0xff)
            carry = digit >> 8
        }
        #expect(carry == 0)
        #expect(verdict(key, message, sum) == .invalid)
        #expect(Ed25519Scalar(canonical: order) == nil)
        #expect(Ed25519Scalar(reducing: order).bytes == [UInt8](repeating: 0, count: 32))
    }

    /// The eight points whose order divides 8, and encodings that are not canonical. With S = 0 and R the key or the
    /// neutral point, some of them would fit every message.
    @Test(arguments: [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        // y is the modulus, the modulus plus one, and 2²⁵⁵ − 1; x is zero with a sign.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ])
    func aKeyOfSmallOrderOrWithoutCanonicalEncodingIsUnusable(key: String) throws {
        let key = try bytes(key)
        let neutral = [1] + [UInt8](repeating: 0, count: 31)
        let zero = [UInt8](repeating: 0, count: 32)
        #expect(verdict(key, [], neutral + zero) == .unusableKey)
        #expect(verdict(key, [], key + zero) == .unusableKey)
    }

    @Test func aKeyThatIsNoPointIsUnusable() throws {
        let (_, message, signature) = try genuine()
        let key = [2] + [UInt8](repeating: 0, count: 31)
        #expect(verdict(key, message, signature) == .unusableKey)
    }
}
